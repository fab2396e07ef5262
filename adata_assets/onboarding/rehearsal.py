"""Splits and format that the cells of a file allow, tried on its obs.

Belongs here: dealing the cells as a build would, before anything is removed from them. Quality
rules may leave fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.annotation.values import clean_values
from adata_assets.errors import InputError
from adata_assets.spec import Splits
from adata_assets.splitting.deal import deal_cells, deal_groups

# With fewer donors three splits would hold one or two each, far from their fractions.
_MIN_GROUPS_FOR_TEST = 6
_MIN_CELLS_FOR_SPLITS = 20
_MAX_TRIES = 10
_EVEN = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Rehearsal:
    """What was found to work.

    Attributes
    ----------
    format
        multiplets where cells of different types are there to contradict each other, else single.
    fractions
        Of train, validation and test.
    group
        obs column that is dealt by; None: cells are dealt one by one.
    sizes
        Cells of each split, before quality rules.
    of_format, of_splits
        Why it is not more, for people.
    """

    format: str
    fractions: dict[str, float]
    group: str | None
    sizes: dict[str, int]
    of_format: tuple[str, ...]
    of_splits: tuple[str, ...]


def rehearse(obs: pd.DataFrame, *, cell_type: str | None, group: str | None) -> Rehearsal:
    """Find the best splits and format that can be dealt.

    Parameters
    ----------
    obs
        Of the raw file, at least one row.
    cell_type, group
        Columns that look like these; None where there is none.

    Examples
    --------
    >>> obs = pd.DataFrame({"type": ["B", "T"] * 30, "donor": ["a"] * 20 + ["b"] * 40})
    >>> found = rehearse(obs, cell_type="type", group="donor")
    >>> found.format, found.fractions, found.sizes
    ('multiplets', {'train': 0.67, 'validation': 0.33, 'test': 0}, {'train': 40, 'validation': 20})
    """
    nothing = pd.Series(np.full(len(obs), None), index=obs.index, dtype=object)
    labels = clean_values(obs[cell_type]) if cell_type else nothing
    groups = clean_values(obs[group]) if group else nothing
    if labels.nunique() >= 2:
        reasons: list[str] = []
        found = _deal(labels[labels.notna()], groups[labels.notna()], group, reasons)
        if found is not None:
            return Rehearsal("multiplets", *found, (), tuple(reasons))
    reasons = []
    found = _deal(nothing, groups, group, reasons) or _only_train(len(obs), reasons)
    why = (_why_single(cell_type, labels.nunique()),)
    return Rehearsal("single", *found, why, tuple(reasons))


def _why_single(cell_type: str | None, n_kinds: int) -> str:
    if cell_type is None:
        return "single, because without a cell type there are no captions."
    if n_kinds < 2:
        return f"single, because {cell_type} has one value: no caption contradicts another."
    return (
        "single, because no way of dealing leaves two kinds of cells in every split, which "
        "negatives need."
    )


_Found = tuple[dict[str, float], str | None, dict[str, int]]


def _deal(
    labels: pd.Series, groups: pd.Series, group: str | None, reasons: list[str]
) -> _Found | None:
    grouped = groups[groups.notna()]
    sizes = grouped.value_counts()
    if group and len(grouped) < len(groups):
        reasons.append(
            f"{len(groups) - len(grouped):,} cells have no {group}: dealt by it they are left out."
        )
    if len(sizes) == 1:
        reasons.append(
            f"{group} has one value, {sizes.index[0]!r}: no split by it is possible, so cells are "
            "dealt one by one, and the card says so."
        )
    for fractions in _fractions_for(sizes):
        found = _deal_by_group(labels[grouped.index], grouped, fractions)
        if found is not None:
            if not fractions["test"]:
                reasons.append(
                    f"{len(sizes)} values of {group} are few for three splits: validation takes "
                    "about the smallest, there is no test."
                )
            return fractions, group, found
    if len(sizes) > 1:
        reasons.append(
            f"whole values of {group} cannot fill the splits: cells are dealt one by one."
        )
    if len(labels) < _MIN_CELLS_FOR_SPLITS:
        return None
    found = _deal_by_cell(labels, _EVEN)
    return None if found is None else (_EVEN, None, found)


def _fractions_for(sizes: pd.Series) -> Iterator[dict[str, float]]:
    if len(sizes) >= _MIN_GROUPS_FOR_TEST:
        yield _EVEN
    if len(sizes) >= 2:
        for size in sorted(set(sizes))[:_MAX_TRIES]:
            share = min(max(round(size / int(sizes.sum()), 2), 0.01), 0.5)
            yield {"train": round(1 - share, 2), "validation": share, "test": 0}


def _deal_by_group(
    labels: pd.Series, groups: pd.Series, fractions: dict[str, float]
) -> dict[str, int] | None:
    ids = pd.Series(groups.index.astype(str), index=groups.index, dtype=object)
    nothing = pd.Series(np.full(len(groups), None), index=groups.index, dtype=object)
    keys = groups.to_frame("group")
    rules = Splits(**fractions)
    try:
        dealt = deal_groups(ids, keys, nothing, nothing, labels, rules, locked={})
    except InputError:
        return None
    return _sizes(dealt.split, labels, rules)


def _deal_by_cell(labels: pd.Series, fractions: dict[str, float]) -> dict[str, int] | None:
    ids = pd.Series(labels.index.astype(str), index=labels.index, dtype=object)
    nothing = pd.Series(np.full(len(labels), None), index=labels.index, dtype=object)
    rules = Splits(**fractions)
    return _sizes(deal_cells(ids, nothing, nothing, rules, seed=0).split, labels, rules)


def _sizes(split: pd.Series, labels: pd.Series, rules: Splits) -> dict[str, int] | None:
    """Return cells per split, None if one is empty or has too few kinds of labelled cells."""
    sizes = split.value_counts()
    kinds = labels.groupby(split).nunique()
    for name in rules.fractions:
        if name not in sizes or (labels.notna().any() and kinds[name] < 2):
            return None
    return {name: int(sizes[name]) for name in rules.fractions}


def _only_train(n_obs: int, reasons: list[str]) -> _Found:
    reasons.append(f"{n_obs} cells are too few to be split: all are train.")
    return {"train": 1, "validation": 0, "test": 0}, None, {"train": n_obs}
