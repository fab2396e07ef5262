"""A seeded sample of the raw cells, for trial runs.

Belongs here: which cells a subset holds, as a function of their ids, the strata and the seed.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.spec import Subset
from adata_assets.splitting.assign import seeded_keys

MISSING_STRATUM = "missing"


def choose_subset(
    sample_idx: pd.Series, source_obs: pd.DataFrame, subset: Subset, *, seed: int
) -> np.ndarray:
    """Choose the cells of a subset.

    Within a stratum the cells with the smallest keys are taken; strata get their share of the
    cells by largest remainder, so that a small stratum can stay without a cell.

    Parameters
    ----------
    sample_idx
        Cell ids, str ``(n_obs,)``.
    source_obs
        Columns to stratify by, in the same order.

    Returns
    -------
    bool ``(n_obs,)``, True for ``min(subset.n_obs, n_obs)`` cells.

    Raises
    ------
    InputError
        If a column to stratify by is not there.

    Examples
    --------
    >>> obs = pd.DataFrame({"type": ["a", "a", "a", "a", "b", "b"]})
    >>> ids = pd.Series([f"c{i}" for i in range(6)])
    >>> chosen = choose_subset(ids, obs, Subset(n_obs=3, stratify_by=("type",)), seed=0)
    >>> obs["type"][chosen].tolist()
    ['a', 'a', 'b']
    """
    if unknown := [name for name in subset.stratify_by if name not in source_obs]:
        raise InputError(
            f"subset.stratify_by names {unknown}; obs columns are {list(source_obs.columns)}"
        )
    strata = _strata(source_obs, subset.stratify_by)
    order = np.lexsort((seeded_keys(sample_idx, seed=seed, purpose="subset"), strata))
    n_in = np.bincount(strata)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(n_in) - n_in, n_in)
    chosen = np.zeros(len(order), bool)
    chosen[order] = rank < np.repeat(_shares(n_in, min(subset.n_obs, len(order))), n_in)
    return chosen


def _strata(source_obs: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    if not columns:
        return np.zeros(len(source_obs), np.int64)
    values = source_obs[list(columns)].astype(object)
    values = values.where(values.notna(), MISSING_STRATUM).astype(str)
    return values.groupby(list(columns), sort=True).ngroup().to_numpy()


def _shares(n_in: np.ndarray, n_obs: int) -> np.ndarray:
    exact = n_in * (n_obs / max(n_in.sum(), 1))
    shares = np.floor(exact + 1e-9).astype(np.int64)
    left = n_obs - shares.sum()
    shares[np.argsort(shares - exact, kind="stable")[:left]] += 1
    return shares
