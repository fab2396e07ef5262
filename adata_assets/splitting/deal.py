"""Cells dealt into splits: components, held-out values, locked groups, fractions.

Belongs here: the order of the steps and what errors say. Each step is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.spec import Splits
from adata_assets.splitting.assign import assign_by_cell
from adata_assets.splitting.components import Components, Group, find_components, find_joining
from adata_assets.splitting.held_out import hold_together
from adata_assets.splitting.lock import LOCK
from adata_assets.splitting.optimise import Problem, optimise

_MAX_NAMED = 5


@dataclass(frozen=True)
class Dealt:
    """Where every cell goes.

    Attributes
    ----------
    split
        Per cell, None for one that is left out.
    left_out
        Cells that would join groups locked to different splits, in words what each joins.
    locked
        All groups that are locked from now on; None: cells were dealt one by one.
    method
        How the assignment was found: ``cell``, or one of ``optimise``.
    n_components
        Components of each split that has any, in split order; None: dealt one by one.
    """

    split: pd.Series
    left_out: pd.Series = field(default_factory=lambda: pd.Series(dtype=object))
    locked: Mapping[Group, str] | None = None
    method: str = "cell"
    n_components: Mapping[str, int] | None = None


def deal_cells(
    ids: pd.Series, copies: pd.Series, held: pd.Series, rules: Splits, *, seed: int
) -> Dealt:
    """Deal single cells; cells with equal counts stay together.

    Parameters
    ----------
    ids
        Cell ids, str ``(n_obs,)``.
    copies
        The same text for cells with equal counts, None for a cell without.
    held
        Split that a cell is held out for, or None.

    Raises
    ------
    InputError
        If a split would stay empty, or equal cells are held out for two splits.
    """
    parts, names = pd.factorize(copies.where(copies.notna(), ids).to_numpy(dtype=object))
    together = hold_together(held, parts, names)
    of_cell = pd.Series(together[parts], index=ids.index, dtype=object)
    split = assign_by_cell(ids, rules.fractions, seed=seed, copies=copies, held=of_cell)
    return Dealt(split)


def deal_groups(
    ids: pd.Series,
    keys: pd.DataFrame,
    copies: pd.Series,
    held: pd.Series,
    labels: pd.Series,
    rules: Splits,
    *,
    locked: Mapping[Group, str],
) -> Dealt:
    """Deal whole components of groups and equal cells.

    Parameters
    ----------
    ids
        Cell ids, str ``(n_obs,)``; the other tables have the same index.
    keys
        Group columns, str, none missing.
    copies, held
        As for ``deal_cells``.
    labels
        Cell type, None where it is not known.
    locked
        Groups that have been dealt before, with their splits.

    Raises
    ------
    InputError
        If a split would stay empty, if the lock or held-out values contradict the data or each
        other: names cells or groups, and the ways out.
    """
    _require_fitting(locked, list(keys), rules)
    joining = find_joining(keys, copies, locked) if locked else pd.Series(dtype=object)
    if len(joining) and rules.on_lock_conflict == "error":
        raise InputError(_tell_joining(joining, ids))
    alive = ids.index.difference(joining.index, sort=False)
    keys, copies = keys.loc[alive], copies.loc[alive]
    held, labels = held.loc[alive], labels.loc[alive]
    components = find_components(keys, copies)
    fixed = _fix(components, hold_together(held, components.of_cell, components.names), locked)
    splits = list(rules.fractions)
    problem = Problem(
        sizes=components.sizes,
        labels=_find_labels(components, labels),
        fractions=np.array(list(rules.fractions.values())),
        fixed=pd.Categorical(fixed, categories=splits).codes.astype(np.int64),
    )
    is_grown = any(group in locked for groups in components.groups for group in groups)
    found = optimise(problem, by_deficit=is_grown)
    if found is None:
        raise InputError(_tell_empty(components, problem, splits))
    of_component = np.array(splits, dtype=object)[found.splits]
    dealt = pd.Series(of_component[components.of_cell], index=alive, dtype=object)
    return Dealt(
        split=dealt.reindex(ids.index).astype(object).where(ids.index.isin(alive), None),
        left_out=joining,
        locked=dict(locked)
        | {
            group: split
            for own, split in zip(components.groups, of_component, strict=True)
            for group in own
        },
        method=found.method,
        n_components={split: int((of_component == split).sum()) for split in splits},
    )


def _find_labels(components: Components, labels: pd.Series) -> np.ndarray:
    codes, distinct = pd.factorize(labels.to_numpy(dtype=object), sort=True)
    found = np.zeros((len(components.groups), len(distinct)), bool)
    found[components.of_cell[codes >= 0], codes[codes >= 0]] = True
    return found


def _require_fitting(locked: Mapping[Group, str], columns: Sequence[str], rules: Splits) -> None:
    if other := sorted({column for column, _ in locked} - set(columns)):
        raise InputError(
            f"{LOCK} locks values of {other}, but the group columns are {list(columns)}: name them "
            "in keys.group, or delete these rows for a new split"
        )
    for (column, value), split in locked.items():
        if split not in rules.fractions:
            raise InputError(
                f"{LOCK} locks {column} {value!r} to {split}, which is not asked for: give it a "
                "fraction under splits, or delete the file for a new split"
            )


def _fix(components: Components, held: np.ndarray, locked: Mapping[Group, str]) -> list[str | None]:
    fixed: list[str | None] = []
    for groups, wanted in zip(components.groups, held, strict=True):
        # Cells that would join two splits are gone, so there is at most one.
        lock = next(((g, locked[g]) for g in groups if g in locked), None)
        if lock and wanted is not None and wanted != lock[1]:
            (column, value), split = lock
            raise InputError(
                f"{column} {value!r} is locked to {split} in {LOCK}, but cells that are dealt "
                f"together with it are held out for {wanted}: delete its row, or hold out less"
            )
        fixed.append(lock[1] if lock else wanted)
    return fixed


def _tell_joining(joining: pd.Series, ids: pd.Series) -> str:
    named = sorted(zip(ids.loc[joining.index], joining, strict=True))
    told = "; ".join(f"cell {name!r} {words}" for name, words in named[:_MAX_NAMED])
    more = f" and {len(named) - _MAX_NAMED:,} more" if len(named) > _MAX_NAMED else ""
    return (
        f"{len(named):,} cell(s) join groups that {LOCK} locks to different splits: {told}{more}. "
        "Take these cells out, set splits.on_lock_conflict to quarantine, or delete the file for a "
        "new split"
    )


def _tell_empty(components: Components, problem: Problem, splits: Sequence[str]) -> str:
    n_fixed = int((problem.fixed >= 0).sum())
    fixed = f", {n_fixed} of them held out or locked," if n_fixed else ""
    return (
        f"{len(components.groups)} group(s) {components.names[:5]}{fixed} cannot fill "
        f"{len(splits)} splits ({', '.join(splits)}): set splits.split_by to cell, or ask for fewer "
        "splits"
        + (" (groups that share cells or values are one)" if _are_joined(components) else "")
    )


def _are_joined(components: Components) -> bool:
    return any(len(groups) > 1 for groups in components.groups)
