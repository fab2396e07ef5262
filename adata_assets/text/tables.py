"""File names of the ``cell_texts`` artefact."""

from __future__ import annotations

from adata_assets.spec import ConfigSpec

TABLE = "cell_texts.parquet"


def table_of(config: ConfigSpec | None) -> str:
    """Return the file with the sentences of a config; None: of the default one.

    Examples
    --------
    >>> table_of(ConfigSpec(name="short", length=50)), table_of(ConfigSpec(name="other"))
    ('cell_texts-short.parquet', 'cell_texts.parquet')
    """
    return f"cell_texts-{config.name}.parquet" if config and config.changes else TABLE
