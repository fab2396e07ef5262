"""Which component goes to which split.

Belongs here: what makes an assignment better than another, and the search for a good one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# 3 splits of 12 components are 531,441 assignments: all of them are looked at.
MAX_EXHAUSTIVE = 12
# Beyond these numbers the fractions are met without trying exchanges, or anything at all.
MAX_SWAPPED, MAX_MOVED = 200, 1_000
MAX_STEPS = 100
TOLERANCE = 0.02
_ROWS_AT_ONCE = 4096
# Shares are compared to so many digits, so that the order of a sum decides nothing.
_DIGITS = 12
Score = tuple[float, int, float]


@dataclass(frozen=True)
class Problem:
    """Components to deal.

    Attributes
    ----------
    sizes
        Cells of each component, int64 ``(n,)``; components are in the order of their names.
    labels
        Whether a component has a cell of each label, bool ``(n, n_labels)``.
    fractions
        Fractions that are asked for, float64 ``(n_splits,)``, summing to 1.
    fixed
        Split that a component has to go to, int64 ``(n,)``; -1: any.
    """

    sizes: np.ndarray
    labels: np.ndarray
    fractions: np.ndarray
    fixed: np.ndarray

    @property
    def free(self) -> np.ndarray:
        """Numbers of the components that may go anywhere."""
        return np.flatnonzero(self.fixed < 0)


@dataclass(frozen=True)
class Assignment:
    """The split of each component and how it was found: ``all``, ``search`` or ``deficit``."""

    splits: np.ndarray
    method: str


def optimise(problem: Problem, *, by_deficit: bool) -> Assignment | None:
    """Return the best assignment that is found, or None if some split stays empty in all.

    Better is, in this order: no empty split; every share within 2 percentage points of its
    fraction, else a smaller sum of squared deviations; more (split, label) pairs with a cell; a
    smaller sum of squared deviations; the earlier split for the component whose name comes first.

    With at most 12 free components all assignments are compared. Beyond, the largest goes first, to
    the split with the largest deficit; then the best single move or exchange of two is made until
    none is better (exchanges up to 200 free components, moves up to 1,000, at most 100 steps).

    Parameters
    ----------
    by_deficit
        Only deal by deficit: for new components beside locked ones.
    """
    if by_deficit:
        found, method = _fill_deficits(problem), "deficit"
    elif len(problem.free) <= MAX_EXHAUSTIVE:
        found, method = _best_of(problem, _all_assignments(problem))[1], "all"
    else:
        found, method = _search(problem, _fill_deficits(problem)), "search"
    n_splits = len(problem.fractions)
    is_full = len(np.unique(found[problem.sizes > 0])) == n_splits
    return Assignment(found, method) if is_full else None


def _all_assignments(problem: Problem) -> Iterator[np.ndarray]:
    free, n_splits = problem.free, len(problem.fractions)
    head = max(0, len(free) - 7)
    tails = np.array(list(itertools.product(range(n_splits), repeat=len(free) - head)), np.int8)
    for front in itertools.product(range(n_splits), repeat=head):
        table = np.tile(problem.fixed.astype(np.int8), (len(tails), 1))
        table[:, free[:head]] = np.array(front, np.int8)
        table[:, free[head:]] = tails
        yield table


def _search(problem: Problem, found: np.ndarray) -> np.ndarray:
    if len(problem.free) > MAX_MOVED:
        return found
    score = _best_of(problem, [found[None].astype(np.int8)])[0]
    for _ in range(MAX_STEPS):
        reached, better = _best_of(problem, _neighbours(problem, found))
        if reached >= score:
            break
        score, found = reached, better
    return found


def _neighbours(problem: Problem, found: np.ndarray) -> Iterator[np.ndarray]:
    free, n_splits = problem.free, len(problem.fractions)
    moved = np.array([(i, s) for i in free for s in range(n_splits) if s != found[i]], np.int64)
    for part in _parts(moved):
        table = np.tile(found.astype(np.int8), (len(part), 1))
        table[np.arange(len(part)), part[:, 0]] = part[:, 1]
        yield table
    if len(free) > MAX_SWAPPED:
        return
    a, b = (free[places] for places in np.triu_indices(len(free), 1))
    for part in _parts(np.stack([a, b], axis=1)[found[a] != found[b]]):
        table = np.tile(found.astype(np.int8), (len(part), 1))
        rows = np.arange(len(part))
        table[rows, part[:, 0]], table[rows, part[:, 1]] = found[part[:, 1]], found[part[:, 0]]
        yield table


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[first : first + _ROWS_AT_ONCE]


def _best_of(
    problem: Problem, tables: Iterator[np.ndarray] | list[np.ndarray]
) -> tuple[Score, np.ndarray]:
    """Return score and row of the best assignment, the first of equals; a score is to be small."""
    best: tuple[Score, np.ndarray] = ((np.inf, 1, np.inf), problem.fixed)
    for table in tables:
        excess, cost = _measure(problem, table)
        # Labels are counted only where they can decide.
        rows = np.flatnonzero(excess <= min(float(excess.min()), best[0][0]))
        if not len(rows) or not np.isfinite(excess[rows[0]]):
            continue
        lacking = -_count_labels(problem, table[rows])
        row = int(np.lexsort((cost[rows], lacking, excess[rows]))[0])
        score = (float(excess[rows[row]]), int(lacking[row]), float(cost[rows[row]]))
        if score < best[0]:
            best = (score, table[rows[row]].astype(np.int64))
    return best


def _measure(problem: Problem, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_splits, sizes = len(problem.fractions), problem.sizes.astype(np.float64)
    filled = np.stack([(table == s).astype(np.float64) @ sizes for s in range(n_splits)], axis=1)
    deviation = filled / sizes.sum() - problem.fractions
    cost = np.round((deviation**2).sum(axis=1), _DIGITS)
    is_near = np.round(np.abs(deviation).max(axis=1), _DIGITS) <= TOLERANCE
    excess = np.where(is_near, 0.0, cost)
    excess[(filled == 0).any(axis=1)] = np.inf
    return excess, cost


def _count_labels(problem: Problem, table: np.ndarray) -> np.ndarray:
    labels = problem.labels.astype(np.float32)
    found = np.zeros(len(table), np.int64)
    for split in range(len(problem.fractions)):
        found += ((table == split).astype(np.float32) @ labels > 0).sum(axis=1)
    return found


def _fill_deficits(problem: Problem) -> np.ndarray:
    wanted = problem.fractions * problem.sizes.sum()
    chosen, filled = problem.fixed.copy(), np.zeros(len(wanted))
    np.add.at(filled, chosen[chosen >= 0], problem.sizes[chosen >= 0])
    free = problem.free
    order = free[np.lexsort((free, -problem.sizes[free]))]
    for n_left, component in zip(range(len(order), 0, -1), order, strict=True):
        empty = np.flatnonzero(filled == 0)
        # The last ones belong to splits that have none yet.
        allowed = empty if len(empty) >= n_left else np.arange(len(wanted))
        chosen[component] = allowed[int(np.argmax((wanted - filled)[allowed]))]
        filled[chosen[component]] += problem.sizes[component]
    return chosen
