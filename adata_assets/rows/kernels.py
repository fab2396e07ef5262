"""The compiled loops over facts: who contradicts whom, who is left, which cell is drawn.

`table` is always the int32 array of `facts.class_table`, one row per class: whether the caption
was given, cell type, caption, then the known codes of the other fields, then of these fields the
codes that the caption states; -1 = unknown or not stated. (One array, because compiled code
counts references to every array that it unpacks: with four of them the rule took ten times longer.)
"""

from __future__ import annotations

import numba
import numpy as np

# Enough that a drawn set of 5 % of the cells is missed by all attempts once in 500,000 draws.
MAX_ATTEMPTS = 256

IS_GIVEN, CELL_TYPE, CAPTION, FIRST_FACT = 0, 1, 2, 3
NOT_DRAWN = -1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@numba.njit(cache=True, nogil=True)
def is_incompatible(table: np.ndarray, anchor: int, other: int) -> bool:
    """Whether class `other` is a valid negative for class `anchor`; the rule of `facts`."""
    if table[anchor, IS_GIVEN] > 0:
        mine, its = table[anchor, CELL_TYPE], table[other, CELL_TYPE]
        if mine >= 0 and mine == its:
            return False
        mine, its = table[anchor, CAPTION], table[other, CAPTION]
        return mine >= 0 and its >= 0 and mine != its
    n_facts = (table.shape[1] - FIRST_FACT) // 2
    for fact in range(FIRST_FACT, FIRST_FACT + n_facts):
        mine, its = table[anchor, fact + n_facts], table[other, fact]
        if mine >= 0 and its >= 0 and mine != its:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def type_to_pass(table: np.ndarray, anchor: int) -> int:
    """A cell type of which no class contradicts `anchor` (its own, if given), or -1."""
    return table[anchor, CELL_TYPE] if table[anchor, IS_GIVEN] > 0 else -1


@numba.njit(cache=True, nogil=True)
def are_incompatible(table: np.ndarray, anchors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`is_incompatible` for every pair of `anchors` and `others`."""
    answer = np.empty(len(anchors), np.bool_)
    for i in range(len(anchors)):
        answer[i] = is_incompatible(table, anchors[i], others[i])
    return answer


@numba.njit(cache=True, nogil=True)
def _next_witness(
    table: np.ndarray,
    anchor: int,
    begin: int,
    order: np.ndarray,
    group_end: np.ndarray,
    is_left: np.ndarray,
) -> int:
    """First position from `begin` in `order` of a class that is left and contradicts `anchor`."""
    own_type = type_to_pass(table, anchor)
    i = begin
    while i < len(order):
        other = order[i]
        if is_left[other] and is_incompatible(table, anchor, other):
            return i
        is_passed = own_type >= 0 and own_type == table[other, CELL_TYPE]
        i = group_end[i] if is_passed else i + 1
    return len(order)


@numba.njit(cache=True, nogil=True)
def keep_classes_with_negative(
    table: np.ndarray,
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
            found = _next_witness(table, cls, begin, order, group_end, is_left)
            search_from[anchor] = found
            if found == len(order):
                is_left[cls] = False
                is_changed = True


@numba.njit(cache=True, nogil=True)
def _mix(state: np.uint64) -> np.uint64:
    """The output function of splitmix64 (Steele, Lea, Flood 2014, 10.1145/2660193.2660195)."""
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _stream(base: np.uint64, cell_key: np.uint64, slot: int) -> np.uint64:
    return _mix(_mix(base ^ cell_key) + np.uint64(slot + 1) * _GOLDEN)


@numba.njit(cache=True, nogil=True)
def _below(n: int, stream: np.uint64, attempt: int) -> np.int64:
    """The upper word of hash x n, for n < 2**32: no number is favoured by more than 2**-32."""
    value = _mix(stream + np.uint64(attempt + 1) * _GOLDEN)
    size = np.uint64(n)
    low = ((value & _LOW) * size) >> _HALF
    return np.int64(((value >> _HALF) * size + low) >> _HALF)


@numba.njit(cache=True, nogil=True)
def draw_from_all(
    table: np.ndarray,
    class_of: np.ndarray,
    type_of: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    start: int,
    drawn: np.ndarray,
) -> int:
    """Fill `drawn` (rows from `start` x slots) with positions; how many stay `NOT_DRAWN`."""
    n_left = 0
    for i in range(drawn.shape[0]):
        anchor, key = class_of[start + i], cell_key[start + i]
        own_type = type_to_pass(table, anchor)
        for slot in range(drawn.shape[1]):
            stream = _stream(base, key, slot)
            drawn[i, slot] = NOT_DRAWN
            for attempt in range(MAX_ATTEMPTS):
                position = _below(len(class_of), stream, attempt)
                # Most misses are of the own type, and this array stays in the cache.
                if own_type >= 0 and type_of[position] == own_type:
                    continue
                if is_incompatible(table, anchor, class_of[position]):
                    drawn[i, slot] = position
                    break
            n_left += drawn[i, slot] == NOT_DRAWN
    return n_left


@numba.njit(cache=True, nogil=True)
def draw_from_candidates(
    table: np.ndarray,
    class_of: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    anchors: tuple[np.ndarray, np.ndarray],
    candidates: np.ndarray,
) -> np.ndarray:
    """A position among `candidates` for each anchor (positions, slots), or `NOT_DRAWN`."""
    positions, slots = anchors
    drawn = np.full(len(positions), NOT_DRAWN, np.int64)
    for i in range(len(positions) if len(candidates) > 0 else 0):
        stream = _stream(base, cell_key[positions[i]], slots[i])
        for attempt in range(MAX_ATTEMPTS, 2 * MAX_ATTEMPTS):
            position = candidates[_below(len(candidates), stream, attempt)]
            if is_incompatible(table, class_of[positions[i]], class_of[position]):
                drawn[i] = position
                break
    return drawn


@numba.njit(cache=True, nogil=True)
def draw_from_allowed(
    cell_key: np.ndarray,
    base: np.uint64,
    anchors: tuple[np.ndarray, np.ndarray],
    allowed: np.ndarray,
) -> np.ndarray:
    """One of the `allowed` positions (at least one) for each anchor (positions, slots)."""
    positions, slots = anchors
    drawn = np.empty(len(positions), np.int64)
    for i in range(len(positions)):
        stream = _stream(base, cell_key[positions[i]], slots[i])
        drawn[i] = allowed[_below(len(allowed), stream, 2 * MAX_ATTEMPTS)]
    return drawn


@numba.njit(cache=True, nogil=True)
def list_allowed(
    table: np.ndarray, anchor: int, class_of: np.ndarray, candidates: np.ndarray
) -> np.ndarray:
    """The positions among `candidates` that are valid negatives for class `anchor`, in order."""
    allowed = np.empty(len(candidates), np.int64)
    n_allowed = 0
    for position in candidates:
        if is_incompatible(table, anchor, class_of[position]):
            allowed[n_allowed] = position
            n_allowed += 1
    return allowed[:n_allowed].copy()


@numba.njit(cache=True, nogil=True)
def hash_strings(offsets: np.ndarray, characters: np.ndarray) -> np.ndarray:
    """FNV-1a (64 bits) of each string's bytes, then the splitmix64 output function; uint64."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(hashes)):
        value = _FNV_OFFSET
        for byte in range(offsets[i], offsets[i + 1]):
            value = (value ^ np.uint64(characters[byte])) * _FNV_PRIME
        hashes[i] = _mix(value)
    return hashes
