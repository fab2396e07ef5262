"""Assign single cells to splits.

Belongs here: the assignment as a function of ids, sets of equal cells, fractions and the seed. Whole
groups are dealt in ``optimise``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from adata_assets.errors import InputError


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


def assign_by_cell(
    ids: pd.Series,
    fractions: Mapping[str, float],
    *,
    seed: int,
    copies: pd.Series | None = None,
    held: pd.Series | None = None,
) -> pd.Series:
    """Assign single cells: exact sizes by largest remainder, at least one cell per split.

    Held cells go where they have to; then sets of equal cells, the largest first, to the split that
    lacks most; the others fill up what is left.

    Parameters
    ----------
    ids
        Cell ids, str ``(n_obs,)``.
    fractions
        Split names and their fractions, summing to 1.
    copies
        The same text for cells with equal counts, which stay together; None for a cell without.
    held
        Split that a cell has to go to, or None; the same for all cells of a set.

    Raises
    ------
    InputError
        If there are fewer cells than splits, or held cells leave none for one.
    """
    if len(ids) < len(fractions):
        raise InputError(
            f"{len(ids)} cells cannot fill {len(fractions)} splits ({', '.join(fractions)}): "
            "ask for fewer splits"
        )
    names = np.array(list(fractions), dtype=object)
    chosen = np.full(len(ids), -1)
    if held is not None:
        chosen[:] = pd.Categorical(held, categories=list(fractions)).codes
    wanted = np.array(list(_largest_remainder(len(ids), fractions).values()))
    if copies is not None:
        _place_sets(chosen, ids, copies, wanted, seed=seed)
    filled = np.bincount(chosen[chosen >= 0], minlength=len(names))
    left = np.flatnonzero(chosen < 0)
    order = np.argsort(seeded_keys(ids, seed=seed, purpose="split")[left], kind="stable")
    chosen[left[order]] = np.repeat(np.arange(len(names)), _fill_up(wanted, filled, len(left)))
    if empty := sorted(set(range(len(names))) - set(chosen.tolist())):
        raise InputError(
            f"no cells are left for {', '.join(names[empty])}: splits.held_out and equal cells take "
            "the others; hold out less, or ask for fewer splits"
        )
    return pd.Series(names[chosen], index=ids.index, dtype=object)


def _place_sets(
    chosen: np.ndarray, ids: pd.Series, copies: pd.Series, wanted: np.ndarray, *, seed: int
) -> None:
    """Fill in the cells of sets that are not held."""
    free = np.flatnonzero((chosen < 0) & copies.notna().to_numpy())
    codes, sets = pd.factorize(copies.to_numpy(dtype=object)[free])
    sizes = np.bincount(codes, minlength=len(sets))
    filled = np.bincount(chosen[chosen >= 0], minlength=len(wanted))
    split_of = np.zeros(len(sets), np.int64)
    key = seeded_keys(pd.Series(sets, dtype=object), seed=seed, purpose="split")
    for one in np.lexsort((key, -sizes)):
        split_of[one] = int(np.argmax(wanted - filled))
        filled[split_of[one]] += sizes[one]
    chosen[free] = split_of[codes]


def _fill_up(wanted: np.ndarray, filled: np.ndarray, n_left: int) -> np.ndarray:
    """How many of the cells that are left each split gets, int64."""
    lacking = np.maximum(wanted - filled, 0)
    exact = lacking * (n_left / max(int(lacking.sum()), 1))
    found = np.floor(exact + 1e-9).astype(np.int64)
    found[np.argsort(found - exact, kind="stable")[: n_left - int(found.sum())]] += 1
    for empty in np.flatnonzero(filled + found == 0):
        # Rather one cell than none, from the split that gets most.
        if found.max() > 1:
            found[int(np.argmax(found))] -= 1
            found[empty] += 1
    return found


def _largest_remainder(n_obs: int, fractions: Mapping[str, float]) -> dict[str, int]:
    exact = np.array(list(fractions.values())) * n_obs
    sizes = np.maximum(np.floor(exact + 1e-9).astype(int), 1)
    for i in np.argsort(-(exact - sizes), kind="stable")[: max(0, n_obs - sizes.sum())]:
        sizes[i] += 1
    while sizes.sum() > n_obs:
        sizes[int(np.argmax(sizes))] -= 1
    return dict(zip(fractions, sizes.tolist(), strict=True))
