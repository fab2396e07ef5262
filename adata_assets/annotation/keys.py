"""Which columns of a raw file hold what, and whether they hold it.

Belongs here: the keys of the spec resolved against one file, its ids, its stated totals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.spec import DatasetSpec

# keys.batch may name this label, which is learnt from the train cells, instead of a column.
DEPTH_MODE = "depth_mode"


def resolve_keys(source_obs: pd.DataFrame, spec: DatasetSpec, label: str) -> dict[str, str | None]:
    """Return the obs column behind each key: the named one, else the CELLxGENE name if it is there.

    Of several group columns ``group`` is the first; all of them are what ``resolve_groups`` returns.

    Raises
    ------
    InputError
        If a named column is not in the file: says which columns are.
    """
    usual = {"cell_type": "cell_type", "instrument": "assay"}
    found: dict[str, str | None] = {}
    for key in ("batch", "caption", "cell_type", "instrument", "totals"):
        named = getattr(spec.keys, key)
        if key == "batch" and named == DEPTH_MODE:
            found[key] = named
            continue
        if named is not None:
            _require_column(source_obs, key, named, label)
        default = usual.get(key)
        found[key] = named or (default if default in source_obs else None)
    found["group"] = next(iter(resolve_groups(source_obs, spec, label)), None)
    return found


def resolve_groups(source_obs: pd.DataFrame, spec: DatasetSpec, label: str) -> tuple[str, ...]:
    """Return the obs columns of groups: the named ones, else ``donor_id`` if it is there.

    Raises
    ------
    InputError
        If a named column is not in the file, or groups are asked for and there is no column.
    """
    for named in spec.keys.groups:
        _require_column(source_obs, "group", named, label)
    found = spec.keys.groups or (("donor_id",) if "donor_id" in source_obs else ())
    if spec.splits.split_by == "group" and not found:
        raise InputError(
            f"{label}: splits.split_by is group, but there is no group column: set keys.group "
            f"to one of {list(source_obs.columns)}, or splits.split_by to cell"
        )
    return found


def _require_column(source_obs: pd.DataFrame, key: str, named: str, label: str) -> None:
    if named not in source_obs:
        raise InputError(
            f"{label}: keys.{key} names the obs column {named!r}, which is not there; "
            f"obs columns are {list(source_obs.columns)}"
        )


def require_ids(source_obs: pd.DataFrame, path: str | Path) -> pd.Series:
    """Return the obs names as text.

    Raises
    ------
    InputError
        If there are no cells, or names repeat, are empty or begin with what readers reserve.
    """
    ids, name = pd.Series(source_obs.index.astype(str), dtype=object), Path(path).name
    if not len(ids):
        raise InputError(f"{name} holds no cells")
    repeated = ids[ids.duplicated(keep=False)]
    if len(repeated):
        raise InputError(
            f"{name}: {len(repeated)} cells share their obs name with another one "
            f"(e.g. {repeated.unique()[:3].tolist()}); make obs_names unique before anything is "
            "lost (adata.obs_names_make_unique())"
        )
    if (prefixed := ids[ids.str.startswith("omics:") | (ids == "")]).size:
        raise InputError(
            f"{name}: obs names must not be empty or begin with 'omics:', which readers of "
            f"the dataset reserve; found {prefixed.iloc[0]!r} at row {prefixed.index[0]}"
        )
    return ids


def read_totals(source_obs: pd.DataFrame, key: str | None) -> np.ndarray | None:
    """Return the stated totals per cell, float64 of whole numbers, or None without a column.

    Raises
    ------
    InputError
        If the column does not hold positive integers.
    """
    if key is None:
        return None
    totals = pd.to_numeric(source_obs[key], errors="coerce").to_numpy(np.float64)
    wrong = ~(totals > 0) | (np.abs(totals - np.rint(totals)) > 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"keys.totals: obs column {key!r} must hold total counts, positive integers; row {row} "
            f"holds {source_obs[key].iloc[row]!r}"
        )
    return np.rint(totals)
