"""Which split each surviving cell goes to, from obs columns and the counts of the first pass.

Belongs here: what the dealing is given and what is told of it. How cells are dealt is in
``splitting``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.measure import CellMetrics
from adata_assets.annotation.quality.duplicates import name_copies
from adata_assets.annotation.values import clean_values
from adata_assets.errors import InputError
from adata_assets.spec import SPLITS, DatasetSpec
from adata_assets.splitting.components import Group
from adata_assets.splitting.deal import Dealt, deal_cells, deal_groups
from adata_assets.splitting.held_out import find_held_out

# A cell that would join groups which are locked to different splits.
CONFLICT = "split_conflict"
JOIN = " | "


def group_cells(source_obs: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return the group of each cell, its values of all columns joined; None where one is missing.

    Examples
    --------
    >>> obs = pd.DataFrame({"donor": ["a", "b"], "study": ["1", "unknown"]})
    >>> group_cells(obs, ["donor", "study"]).tolist()
    ['a | 1', None]
    """
    values = [clean_values(source_obs[column]) for column in columns]
    if not values:
        return pd.Series(np.full(len(source_obs), None), index=source_obs.index)
    found = values[0]
    for other in values[1:]:
        found = (found + JOIN + other).astype(object)
    return found.where(found.notna(), None)


def deal_survivors(
    obs: pd.DataFrame,
    source_obs: pd.DataFrame,
    metrics: CellMetrics,
    spec: DatasetSpec,
    columns: Sequence[str],
    *,
    split_by: str,
    locked: Mapping[Group, str],
) -> Dealt:
    """Deal the cells that cleaning left.

    Parameters
    ----------
    obs
        Columns ``sample_idx``, ``cell_type`` and ``removed_rule`` of every raw cell.
    source_obs
        The files' own columns.
    metrics
        Of every raw cell; its fingerprints tell which cells are equal.
    columns
        Group columns.
    split_by
        ``group`` or ``cell``.
    locked
        ``(obs column, value)`` to split, of groups that were dealt before.

    Returns
    -------
    What ``deal_cells`` or ``deal_groups`` does, ``split`` for every raw cell.

    Raises
    ------
    InputError
        If no cells are left, or as these two.
    """
    rows = np.flatnonzero(obs["removed_rule"].isna())
    if not len(rows):
        raise InputError(_tell_nothing_left(obs))
    alive = obs.iloc[rows]
    ids = alive["sample_idx"]
    copies = name_copies(metrics, ids, rows)
    held = _held_out(source_obs, spec).iloc[rows]
    if split_by == "cell":
        dealt = deal_cells(ids, copies, held, spec.splits, seed=spec.seed)
    else:
        keys = pd.DataFrame({name: clean_values(source_obs[name].iloc[rows]) for name in columns})
        labels = alive["cell_type"]
        dealt = deal_groups(ids, keys, copies, held, labels, spec.splits, locked=locked)
    split = dealt.split.reindex(obs.index).astype(object)
    return Dealt(**{**vars(dealt), "split": split.where(split.notna(), None)})


def _held_out(source_obs: pd.DataFrame, spec: DatasetSpec) -> pd.Series:
    held_out = spec.splits.held_out
    names = sorted({name for columns in held_out.values() for name in columns})
    if missing := [name for name in names if name not in source_obs]:
        raise InputError(
            f"splits.held_out names the obs columns {missing}, which are not there; obs columns are "
            f"{list(source_obs.columns)}"
        )
    values = {name: clean_values(source_obs[name]) for name in names}
    return find_held_out(pd.DataFrame(values, index=source_obs.index), held_out)


def _tell_nothing_left(obs: pd.DataFrame) -> str:
    counts = obs["removed_rule"].value_counts()
    reasons = ", ".join(f"{rule} {n:,}" for rule, n in counts.items())
    text = f"no cells are left of {len(obs):,} ({reasons}). "
    if "no_valid_negative" in counts:
        text += (
            "No two cells contradict each other's captions, so negatives cannot be drawn: set format "
            "to single, or name a column with several cell types. "
        )
    return text + (
        "Loosen the rules under qc; for cells without a caption set on_missing_caption to from_obs "
        "or format to single; a subset may be too small"
    )


def describe_dealing(
    dealt: Dealt, obs: pd.DataFrame, spec: DatasetSpec, columns: Sequence[str]
) -> dict[str, Any]:
    """Return what the card says of the splits: shares, how far they are off, cell types.

    Parameters
    ----------
    obs
        Columns ``split`` and ``cell_type``, after all cells that are left out have left.
    columns
        Group columns.

    Returns
    -------
    ``asked`` and ``shares`` per split (fractions), ``deviation_points`` (percentage points),
    ``n_components`` (per split, or None), ``method``, ``group_columns``, ``held_out`` (split to
    columns), ``n_labels`` and per split ``labels`` (numbers of cell types).
    """
    kept = obs[obs["split"].notna()]
    sizes = kept["split"].value_counts()
    asked = spec.splits.fractions
    shares = {name: float(sizes.get(name, 0)) / max(len(kept), 1) for name in asked}
    labels = kept.groupby("split")["cell_type"].nunique()
    return {
        "asked": asked,
        "shares": {name: round(share, 6) for name, share in shares.items()},
        "deviation_points": {
            name: round(100 * (share - asked[name]), 2) for name, share in shares.items()
        },
        "n_components": None if dealt.n_components is None else dict(dealt.n_components),
        "method": dealt.method,
        "group_columns": list(columns),
        "held_out": {split: sorted(names) for split, names in spec.splits.held_out.items()},
        "n_labels": int(kept["cell_type"].nunique()),
        "labels": {name: int(labels.get(name, 0)) for name in SPLITS if name in asked},
    }
