"""What is known of each cell: the facts behind captions, and its cell type.

Belongs here: which obs column gives which fact. How facts are worded is in ``captions``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.wording import FACT_FIELDS, state_facts
from adata_assets.annotation.values import clean_values
from adata_assets.spec import DatasetSpec

# Keys of the spec that name another column for a fact.
_KEY_OF_FACT = {"cell_type": "cell_type", "assay": "instrument"}


def known_of(source_obs: pd.DataFrame, keys: Mapping[str, str | None]) -> pd.DataFrame:
    """Return what is known of each cell: a column of str or None per fact that the files have.

    Parameters
    ----------
    source_obs
        The files' own columns that are published: a caption tells nothing of the others.
    keys
        Resolved keys of the spec.
    """
    return pd.DataFrame(
        {
            field: clean_values(source_obs[column])
            for field, column in columns_of_facts(source_obs, keys).items()
        },
        index=source_obs.index,
    )


def columns_of_facts(source_obs: pd.DataFrame, keys: Mapping[str, str | None]) -> dict[str, str]:
    """Return the obs column of each fact that the files have; arguments as of ``known_of``."""
    columns = {field: keys.get(_KEY_OF_FACT.get(field, "")) or field for field in FACT_FIELDS}
    return {field: column for field, column in columns.items() if column in source_obs}


def label_cells(
    source_obs: pd.DataFrame,
    known: pd.DataFrame,
    keys: Mapping[str, str | None],
    spec: DatasetSpec,
) -> pd.DataFrame:
    """State the facts of each cell, with its cell type.

    Returns
    -------
    What ``state_facts`` returns, with ``cell_type`` (str or None).
    """
    forced = spec.on_missing_caption == "from_obs"
    stated = state_facts(
        known,
        source_obs[keys["caption"]] if keys["caption"] else None,
        make_missing=forced,
        need_cell_type="cell_type" in known and not forced,
    )
    nothing = pd.Series(np.full(len(known), None), index=known.index)
    return stated.assign(cell_type=known.get("cell_type", nothing))
