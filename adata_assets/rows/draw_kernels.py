"""The compiled loops of the draws: which cell stands in which slot of which anchor.

A draw is a function of the anchor's key, the slot and the cells that its earlier slots hold: it is
even over the allowed cells that these are not. `table` and `related` are those of `kernels`.
"""

from __future__ import annotations

import numba
import numpy as np

from adata_assets.rows.kernels import is_incompatible, is_ruled_out_by_type

# Enough that a drawn set of 5 % of the cells is missed by all attempts once in 500,000 draws.
MAX_ATTEMPTS = 256
NOT_DRAWN = -1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
# The upper 53 bits are all that a float64 below 1 holds.
_SURPLUS_BITS = np.uint64(11)


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
def _is_among(position: np.int64, drawn: np.ndarray, row: int, n_slots: int) -> bool:
    is_found = False
    for slot in range(n_slots):
        is_found |= drawn[row, slot] == position
    return is_found


@numba.njit(cache=True, nogil=True)
def draw_coins(
    cell_key: np.ndarray,
    base: np.uint64,
    start: int,
    n_slots: int,
    low: float,
    high: float,
    is_won: np.ndarray,
) -> None:
    """Fill bool `(n_rows, n_slots)`: whether a number, even over 0 to 1, is from `low` to `high`."""
    for i in range(is_won.shape[0]):
        for slot in range(n_slots):
            value = _mix(_stream(base, cell_key[start + i], slot))
            is_won[i, slot] = low <= np.float64(value >> _SURPLUS_BITS) * 2.0**-53 < high


@numba.njit(cache=True, nogil=True)
def draw_from_all(
    table: np.ndarray,
    related: np.ndarray,
    class_of: np.ndarray,
    type_of: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    start: int,
    slot: int,
    drawn: np.ndarray,
) -> int:
    """Fill what is `NOT_DRAWN` in one slot of `drawn` (rows from `start`); how many stay so."""
    n_left = 0
    for i in range(drawn.shape[0]):
        if drawn[i, slot] != NOT_DRAWN:
            continue
        anchor, stream = class_of[start + i], _stream(base, cell_key[start + i], slot)
        is_given, own_type = table[anchor, 0] > 0, type_of[start + i]
        for attempt in range(MAX_ATTEMPTS):
            position = _below(len(class_of), stream, attempt)
            # Most misses are of the own type, and this array stays in the cache.
            if is_given and own_type >= 0 and type_of[position] == own_type:
                continue
            if not is_incompatible(table, related, anchor, class_of[position]):
                continue
            if not _is_among(position, drawn, i, slot):
                drawn[i, slot] = position
                break
        n_left += drawn[i, slot] == NOT_DRAWN
    return n_left


@numba.njit(cache=True, nogil=True)
def draw_from_members(
    table: np.ndarray,
    related: np.ndarray,
    class_of: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    rows: np.ndarray,
    anchors: np.ndarray,
    slot: int,
    members: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    drawn: np.ndarray,
) -> None:
    """Try members `begin[i] … end[i]` for the slot of `rows[i]`, whose anchor is `anchors[i]`."""
    for i in range(len(rows)):
        anchor, n_members = class_of[anchors[i]], end[i] - begin[i]
        stream = _stream(base, cell_key[anchors[i]], slot)
        for attempt in range(MAX_ATTEMPTS if n_members > 0 else 0):
            position = members[begin[i] + _below(n_members, stream, attempt)]
            if not is_incompatible(table, related, anchor, class_of[position]):
                continue
            if not _is_among(position, drawn, rows[i], slot):
                drawn[rows[i], slot] = position
                break


@numba.njit(cache=True, nogil=True)
def _similarity(vectors: np.ndarray, one: int, other: int) -> np.int32:
    """The product of two vectors of `nearest.unit_vectors`: exact, and within int32."""
    total = np.int32(0)
    for i in range(vectors.shape[1]):
        product = np.int32(np.int32(vectors[one, i]) * np.int32(vectors[other, i]))
        total = np.int32(total + product)
    return total


@numba.njit(cache=True, nogil=True)
def take_nearest(
    table: np.ndarray,
    related: np.ndarray,
    class_of: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    rows: np.ndarray,
    start: int,
    slot: int,
    n_looked_at: int,
    vectors: np.ndarray,
    vector_of: np.ndarray,
    drawn: np.ndarray,
) -> None:
    """Fill the slot of `rows` with the nearest valid one of so many cells of the split.

    All cells are looked at if there are no more, else each of `n_looked_at` is drawn from all. Of
    equally near ones the smaller key wins. Without a valid one the slot stays `NOT_DRAWN`.
    """
    n_cells = len(class_of)
    is_all = n_cells <= n_looked_at
    for row in rows:
        anchor = start + row
        stream = _stream(base, cell_key[anchor], slot)
        best, nearest = np.int64(NOT_DRAWN), np.int32(0)
        for attempt in range(n_cells if is_all else n_looked_at):
            position = np.int64(attempt) if is_all else _below(n_cells, stream, attempt)
            if not is_incompatible(table, related, class_of[anchor], class_of[position]):
                continue
            if _is_among(position, drawn, row, slot):
                continue
            found = _similarity(vectors, vector_of[anchor], vector_of[position])
            is_tie = found == nearest and cell_key[position] < cell_key[best]
            if best == NOT_DRAWN or found > nearest or is_tie:
                best, nearest = position, found
        drawn[row, slot] = best


@numba.njit(cache=True, nogil=True)
def pick_allowed(
    cell_key: np.ndarray,
    base: np.uint64,
    rows: np.ndarray,
    anchors: np.ndarray,
    slot: int,
    allowed: np.ndarray,
    may_repeat: bool,
    drawn: np.ndarray,
) -> None:
    """Fill the slot of `rows` with one of the `allowed` positions, which are in order.

    Cells of earlier slots are left out; where no other is left, one of them is taken again if
    `may_repeat`, else the slot stays `NOT_DRAWN`.
    """
    for i in range(len(rows)):
        used, n_used = np.empty(slot, np.int64), 0
        for position in np.sort(drawn[rows[i], :slot]):
            place = np.searchsorted(allowed, position)
            is_again = n_used > 0 and used[n_used - 1] == place
            if place < len(allowed) and allowed[place] == position and not is_again:
                used[n_used] = place
                n_used += 1
        n_free = len(allowed) - n_used
        if n_free <= 0 and not (may_repeat and len(allowed) > 0):
            continue
        stream = _stream(base, cell_key[anchors[i]], slot)
        if n_free <= 0:
            drawn[rows[i], slot] = allowed[_below(len(allowed), stream, MAX_ATTEMPTS)]
            continue
        place = _below(n_free, stream, MAX_ATTEMPTS)
        for taken in used[:n_used]:
            place += taken <= place
        drawn[rows[i], slot] = allowed[place]


@numba.njit(cache=True, nogil=True)
def list_allowed(
    table: np.ndarray,
    related: np.ndarray,
    anchor: int,
    class_of: np.ndarray,
    candidates: np.ndarray,
) -> np.ndarray:
    """The positions among `candidates` that are valid negatives for class `anchor`, in order."""
    allowed = np.empty(len(candidates), np.int64)
    n_allowed = 0
    for position in candidates:
        if is_incompatible(table, related, anchor, class_of[position]):
            allowed[n_allowed] = position
            n_allowed += 1
    return allowed[:n_allowed].copy()


@numba.njit(cache=True, nogil=True)
def list_of_other_types(
    table: np.ndarray,
    related: np.ndarray,
    anchor: int,
    class_of: np.ndarray,
    candidates: np.ndarray,
) -> np.ndarray:
    """The positions among `candidates` that are not ruled out by the cell type of `anchor`."""
    others = np.empty(len(candidates), np.int64)
    n_others = 0
    for position in candidates:
        if not is_ruled_out_by_type(table, related, anchor, class_of[position]):
            others[n_others] = position
            n_others += 1
    return others[:n_others].copy()


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
