"""The files of the ``embedding_scorecard`` artefact: artefacts in, a table and pictures out.

Belongs here: file names, and which labels may be named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adata_assets.artefact import Artefact
from adata_assets.scorecard.cells import read_labelled_cells
from adata_assets.scorecard.measure import measure_embeddings
from adata_assets.scorecard.vectors import StoredEmbedding
from adata_assets.scorecard.verdict import find_warnings
from adata_assets.spec import DatasetSpec
from adata_assets.tables import write_table

TABLE = "scorecard.parquet"
FIGURES = "figures"


def write_scorecard(
    spec: DatasetSpec, annotated: Artefact, embeddings: Sequence[StoredEmbedding], folder: Path
) -> dict[str, Any]:
    """Write ``scorecard.parquet`` and ``figures/<embedder>.png`` into an empty folder.

    Labels are ``cell_type`` of ``annotated_obs``, the file's own. Both files are published: labels
    of a column that stays on the machine are numbered instead of named.

    Returns
    -------
    ``pca`` (what the others were compared with), ``label_column`` (None where it is not named),
    ``figures`` (embedder to file), ``verdicts`` and ``warnings``.
    """
    column = annotated.metadata["keys"]["cell_type"]
    is_public = column is not None and _is_public(spec, column)
    cells = read_labelled_cells(annotated, seed=spec.seed, labels_are_public=is_public)
    found = measure_embeddings(cells, embeddings, seed=spec.seed)
    write_table(found.table, folder / TABLE)
    (folder / FIGURES).mkdir()
    figures = {name: f"{FIGURES}/{name}.png" for name in found.pictures}
    for name, picture in found.pictures.items():
        (folder / figures[name]).write_bytes(picture)
    return {
        "pca": found.pca,
        "label_column": column if is_public else None,
        "figures": figures,
        "verdicts": {
            f"{row.embedder}, {row.split}": row.verdict for row in found.table.itertuples()
        },
        "warnings": find_warnings(found.table),
    }


def _is_public(spec: DatasetSpec, column: str) -> bool:
    is_listed = spec.publish_obs is None or column in spec.publish_obs
    return is_listed and column not in spec.drop_obs
