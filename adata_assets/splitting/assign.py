"""Assign every published cell to a split: whole groups, or single cells when asked to.

Belongs here: the assignment as a function of ids, groups, fractions and the seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from adata_assets.errors import InputError

# 3 splits of 12 groups are 531,441 assignments: all of them are looked at.
MAX_EXHAUSTIVE_GROUPS = 12


def seeded_keys(ids: pd.Series, *, seed: int, purpose: str) -> np.ndarray:
    """Return a uint64 per id that depends on seed, purpose and the id alone (SipHash of pandas).

    Examples
    --------
    >>> a = seeded_keys(pd.Series(["x", "y"]), seed=1, purpose="split")
    >>> bool(a[1] == seeded_keys(pd.Series(["y"]), seed=1, purpose="split")[0])
    True
    """
    key = f"{seed:08x}{purpose[:8]:<8}"
    return pd.util.hash_array(ids.to_numpy(dtype=object), hash_key=key, categorize=False)


def assign_by_cell(ids: pd.Series, fractions: Mapping[str, float], *, seed: int) -> pd.Series:
    """Assign single cells: exact sizes by largest remainder, at least one cell per split.

    Parameters
    ----------
    ids
        Cell ids, str ``(n_obs,)``.
    fractions
        Split names and their fractions, summing to 1.

    Raises
    ------
    InputError
        If there are fewer cells than splits.
    """
    if len(ids) < len(fractions):
        raise InputError(
            f"{len(ids)} cells cannot fill {len(fractions)} splits ({', '.join(fractions)}): "
            "ask for fewer splits"
        )
    sizes = _largest_remainder(len(ids), fractions)
    order = np.argsort(seeded_keys(ids, seed=seed, purpose="split"), kind="stable")
    names = np.empty(len(ids), dtype=object)
    names[order] = np.repeat(np.array(list(sizes), dtype=object), list(sizes.values()))
    return pd.Series(names, index=ids.index)


def assign_by_group(groups: pd.Series, fractions: Mapping[str, float]) -> pd.Series:
    """Assign whole groups so that the sizes come as near to the fractions as they can.

    Every split gets at least one group. Up to 12 groups all assignments are compared (sum of
    squared deviations; ties by the sorted group names); beyond, the largest group first goes to
    the split with the largest deficit.

    Parameters
    ----------
    groups
        Group of each cell, str ``(n_obs,)``, none missing.
    fractions
        Split names and their fractions, summing to 1.

    Raises
    ------
    InputError
        If there are fewer groups than splits: names the count and the ways out.

    Examples
    --------
    >>> groups = pd.Series(["a"] * 8 + ["b"] + ["c"])
    >>> assign_by_group(groups, {"train": 0.9, "test": 0.1}).tolist()[-2:]
    ['train', 'test']
    """
    sizes = groups.value_counts().sort_index()
    if len(sizes) < len(fractions):
        raise InputError(
            f"{len(sizes)} group(s) {list(sizes.index[:5])} cannot fill {len(fractions)} splits "
            f"({', '.join(fractions)}): set splits.split_by to cell, or ask for fewer splits"
        )
    wanted = np.array(list(fractions.values())) * sizes.sum()
    find = _search_all if len(sizes) <= MAX_EXHAUSTIVE_GROUPS else _fill_deficits
    chosen = find(sizes.to_numpy(np.int64), wanted)
    split_of = dict(zip(sizes.index, np.array(list(fractions), dtype=object)[chosen], strict=True))
    return groups.map(split_of)


def _search_all(sizes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    n_splits = len(wanted)
    best, best_cost = np.zeros(len(sizes), np.int64), np.inf
    # Blocks keep the 3^12 table of assignments small.
    head = min(len(sizes), 4)
    tails = np.array(list(itertools.product(range(n_splits), repeat=len(sizes) - head)), np.int8)
    for front in itertools.product(range(n_splits), repeat=head):
        table = np.hstack([np.tile(np.array(front, np.int8), (len(tails), 1)), tails])
        filled = np.stack([(table == s) @ sizes for s in range(n_splits)], axis=1)
        cost = ((filled - wanted) ** 2).sum(axis=1)
        cost[(filled == 0).any(axis=1)] = np.inf
        if cost.min() < best_cost:
            best, best_cost = table[int(cost.argmin())].astype(np.int64), float(cost.min())
    return best


def _fill_deficits(sizes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    order = np.lexsort((np.arange(len(sizes)), -sizes))
    chosen = np.zeros(len(sizes), np.int64)
    filled = np.zeros(len(wanted))
    for n_left, group in zip(range(len(sizes), 0, -1), order, strict=True):
        empty = np.flatnonzero(filled == 0)
        # The last groups belong to splits that have none yet.
        allowed = empty if len(empty) == n_left else np.arange(len(wanted))
        chosen[group] = allowed[int(np.argmax((wanted - filled)[allowed]))]
        filled[chosen[group]] += sizes[group]
    return chosen


def _largest_remainder(n_obs: int, fractions: Mapping[str, float]) -> dict[str, int]:
    exact = np.array(list(fractions.values())) * n_obs
    sizes = np.maximum(np.floor(exact + 1e-9).astype(int), 1)
    for i in np.argsort(-(exact - sizes), kind="stable")[: max(0, n_obs - sizes.sum())]:
        sizes[i] += 1
    while sizes.sum() > n_obs:
        sizes[int(np.argmax(sizes))] -= 1
    return dict(zip(fractions, sizes.tolist(), strict=True))
