"""Which cells are left out, each on its own, before anything is split or learnt.

Belongs here: the order of the reasons. The rules themselves are in ``quality`` and ``duplicates``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from adata_assets.annotation.measure import CellMetrics
from adata_assets.annotation.quality.duplicates import find_duplicates
from adata_assets.annotation.quality.rules import find_removals, first_reason
from adata_assets.annotation.raw_cells import RawCells
from adata_assets.errors import InputError
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.subset import choose_subset

# Nothing is wrong with these cells: they come back when what is missing about them is supplied.
QUARANTINE = ("no_group", "no_caption", "split_conflict", "no_valid_negative")


@dataclass(frozen=True)
class Cleaning:
    """What cleaning found.

    Attributes
    ----------
    removals
        Columns ``removed_rule`` and ``removed_value``, None where a cell stays.
    conflicts
        Groups of duplicates whose cell types differ.
    """

    removals: pd.DataFrame
    conflicts: pd.DataFrame


def clean_cells(
    raw: RawCells,
    obs: pd.DataFrame,
    metrics: CellMetrics,
    spec: DatasetSpec,
    keys: Mapping[str, str | None],
    *,
    is_gene_subset: bool,
) -> Cleaning:
    """Find the first reason to leave each cell out.

    Parameters
    ----------
    obs
        Columns ``sample_idx``, ``group``, ``cell_type``, ``caption_id``.

    Raises
    ------
    InputError
        If ``on_missing_caption`` is error and a cell that would stay has no caption.
    """
    quality = find_removals(
        metrics,
        spec.qc,
        is_primary_data=raw.obs.get("is_primary_data"),
        is_gene_subset=is_gene_subset,
    )
    removals = _earlier(_outside_subset(raw, spec), quality)
    removals = _earlier(removals, _without_group(obs, spec, keys))
    if spec.format != "single":
        if spec.on_missing_caption == "error":
            _require_captions(obs, removals)
        removals = _earlier(removals, _reason("no_caption", obs["caption_id"].isna()))
    if not spec.qc.remove_duplicates:
        return Cleaning(removals, pd.DataFrame())
    # Last, so that a cell never gives way to one that is itself left out.
    alive = np.flatnonzero(removals["removed_rule"].isna())
    found = find_duplicates(
        replace(metrics, n_genes=metrics.n_genes[alive], fingerprint=metrics.fingerprint[alive]),
        sample_idx=raw.sample_idx.iloc[alive].reset_index(drop=True),
        source=raw.source.iloc[alive].reset_index(drop=True),
        labels=obs["cell_type"].iloc[alive].reset_index(drop=True),
    )
    earlier = found.earlier.set_axis(alive).reindex(removals.index)
    return Cleaning(
        _earlier(removals, _reason("duplicate_of", earlier.notna(), earlier)), found.conflicts
    )


def _outside_subset(raw: RawCells, spec: DatasetSpec) -> pd.DataFrame:
    if spec.subset is None:
        return _reason("subset", pd.Series(False, index=raw.obs.index))
    chosen = choose_subset(raw.sample_idx, raw.obs, spec.subset, seed=spec.seed)
    return _reason("subset", pd.Series(~chosen), pd.Series("not drawn", index=raw.obs.index))


def _without_group(
    obs: pd.DataFrame, spec: DatasetSpec, keys: Mapping[str, str | None]
) -> pd.DataFrame:
    matters = bool(keys["group"]) and spec.splits.split_by != "cell"
    return _reason("no_group", obs["group"].isna() & matters)


def _require_captions(obs: pd.DataFrame, removals: pd.DataFrame) -> None:
    without = obs["caption_id"].isna() & removals["removed_rule"].isna()
    if without.any():
        raise InputError(
            f"{int(without.sum())} cells have no caption (first: "
            f"{obs.loc[without.idxmax(), 'sample_idx']!r}); set on_missing_caption to remove or "
            "from_obs"
        )


def _reason(rule: str, applies: pd.Series, seen: pd.Series | None = None) -> pd.DataFrame:
    values = (
        np.full(len(applies), "missing", dtype=object) if seen is None else seen.to_numpy(object)
    )
    return first_reason([(rule, applies.to_numpy(bool), values)], len(applies))


def _earlier(first: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    return first.where(first["removed_rule"].notna(), later)
