"""The compiled loops over facts: who contradicts whom, and which classes are left.

`table` is always the int32 array of `facts.class_table`, one row per class: whether the caption
was given, cell type, caption, then the known codes of the other fields, then of these fields the
codes that the caption states; -1 = unknown or not stated. (One array, because compiled code
counts references to every array that it unpacks: with four of them the rule took ten times longer.)
`related` is that of `relations.pack_relations`: which codes of a field go together.
"""

from __future__ import annotations

import numba
import numpy as np

from adata_assets.rows.relations import CELL_TYPE_FACT, FIRST_PAIR

IS_GIVEN, CELL_TYPE, CAPTION, FIRST_FACT = 0, 1, 2, 3


@numba.njit(cache=True, nogil=True)
def exclude_each_other(related: np.ndarray, fact: int, mine: int, its: int) -> bool:
    """Whether two known codes of a field are of values that do not go together."""
    if mine == its:
        return False
    n_related = related[FIRST_PAIR + 2 * fact]
    if mine >= n_related or its >= n_related:
        return True
    return related[related[FIRST_PAIR + 2 * fact + 1] + mine * n_related + its] == 0


@numba.njit(cache=True, nogil=True)
def is_ruled_out_by_type(table: np.ndarray, related: np.ndarray, anchor: int, other: int) -> bool:
    """Whether the known cell type of `other` rules it out for `anchor`, whose caption was given."""
    mine, its = table[anchor, CELL_TYPE], table[other, CELL_TYPE]
    if table[anchor, IS_GIVEN] == 0 or mine < 0 or its < 0:
        return False
    return not exclude_each_other(related, related[CELL_TYPE_FACT], mine, its)


@numba.njit(cache=True, nogil=True)
def is_incompatible(table: np.ndarray, related: np.ndarray, anchor: int, other: int) -> bool:
    """Whether class `other` is a valid negative for class `anchor`; the rule of `facts`."""
    if table[anchor, IS_GIVEN] > 0:
        if is_ruled_out_by_type(table, related, anchor, other):
            return False
        mine, its = table[anchor, CAPTION], table[other, CAPTION]
        return mine >= 0 and its >= 0 and mine != its
    n_facts = (table.shape[1] - FIRST_FACT) // 2
    for fact in range(n_facts):
        mine, its = table[anchor, FIRST_FACT + n_facts + fact], table[other, FIRST_FACT + fact]
        if mine >= 0 and its >= 0 and exclude_each_other(related, fact, mine, its):
            return True
    return False


@numba.njit(cache=True, nogil=True)
def are_incompatible(
    table: np.ndarray, related: np.ndarray, anchors: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """`is_incompatible` for every pair of `anchors` and `others`."""
    answer = np.empty(len(anchors), np.bool_)
    for i in range(len(anchors)):
        answer[i] = is_incompatible(table, related, anchors[i], others[i])
    return answer


@numba.njit(cache=True, nogil=True)
def _next_witness(
    table: np.ndarray,
    related: np.ndarray,
    anchor: int,
    begin: int,
    order: np.ndarray,
    group_end: np.ndarray,
    is_left: np.ndarray,
) -> int:
    """First position from `begin` in `order` of a class that is left and contradicts `anchor`."""
    i = begin
    while i < len(order):
        other = order[i]
        if is_left[other] and is_incompatible(table, related, anchor, other):
            return i
        is_passed = is_ruled_out_by_type(table, related, anchor, other)
        i = group_end[i] if is_passed else i + 1
    return len(order)


@numba.njit(cache=True, nogil=True)
def keep_classes_with_negative(
    table: np.ndarray,
    related: np.ndarray,
    anchor_of_class: np.ndarray,
    order: np.ndarray,
    group_end: np.ndarray,
    is_left: np.ndarray,
) -> None:
    """Clear `is_left` until every class left has a negative among the classes left.

    Classes of equal `anchor_of_class` allow the same negatives. `order` lists the classes by cell
    type, `group_end[i]` is the end of the type of `order[i]`. Classes never come back, so each
    anchor's search only moves forward: one pass over `order` per anchor in all rounds together.
    """
    search_from = np.zeros(len(is_left), np.int64)
    is_changed = True
    while is_changed:
        is_changed = False
        for cls in order:
            if not is_left[cls]:
                continue
            anchor = anchor_of_class[cls]
            begin = search_from[anchor]
            found = _next_witness(table, related, cls, begin, order, group_end, is_left)
            search_from[anchor] = found
            if found == len(order):
                is_left[cls] = False
                is_changed = True
