"""The compiled loops of the cell sentences: choose the genes of a cell, write their tokens.

Only what runs once per stored count or per byte belongs here; `cell_sentences` checks the
input, names what is wrong with it and wraps the buffers.

A *place* is the position of a token in the order among equal counts (0 = first). Count and place
are packed into one int64, so that one comparison decides the whole documented order.
The *code* of a gene is its place where its token stands for it alone, `NO_PLACE - 1 - place` where
it shares the token (its counts must be summed first), and `NO_PLACE` where it has none.
"""

from __future__ import annotations

import numba
import numpy as np

PLACE_BITS = 21
MAX_PLACES = 1 << PLACE_BITS
MAX_SUM = 1 << (63 - PLACE_BITS)
NO_PLACE = -1
_ALL_GOOD = -1


@numba.njit(cache=True, nogil=True)
def _keep_largest(keys: np.ndarray, n_keys: int, n_kept: int) -> None:
    """Move the `n_kept` largest of `keys[:n_keys]` (all different) to the front, in any order."""
    low, high = 0, n_keys - 1
    while low < high:
        first, middle, last = keys[low], keys[(low + high) // 2], keys[high]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if n_kept - 1 <= j:
            high = j
        elif n_kept - 1 >= i:
            low = i
        else:
            return


@numba.njit(cache=True, nogil=True)
def _keys_of_cell(
    indices: np.ndarray,
    data: np.ndarray,
    code_of_gene: np.ndarray,
    sums: np.ndarray,
    keys: np.ndarray,
) -> tuple[int, int]:
    """Write the key of every expressed place of one cell; their number, and the bad entry or -1.

    `sums` is all zero before and, if no entry is bad, after.
    """
    n_keys, n_shared = 0, 0
    for entry in range(len(indices)):
        # Unsigned, a negative gene is beyond the end too, and the look-up needs no wrap-around.
        gene = np.uint64(indices[entry])
        # Written this way round so that a NaN fails it before it is cast.
        if gene >= np.uint64(len(code_of_gene)) or not (0 <= data[entry] < MAX_SUM):
            return 0, entry
        count, code = np.int64(data[entry]), np.int64(code_of_gene[gene])
        if count != data[entry]:
            return 0, entry
        if code >= 0:
            keys[n_keys] = (count << PLACE_BITS) | (MAX_PLACES - 1 - code)
            n_keys += int(count > 0)
        elif code < NO_PLACE and count > 0:
            place = NO_PLACE - 1 - code
            n_shared += 1
            sums[place] += count
            if sums[place] >= MAX_SUM:
                return 0, entry
    for entry in range(len(indices) if n_shared > 0 else 0):
        place = NO_PLACE - 1 - np.int64(code_of_gene[indices[entry]])
        if place >= 0 and sums[place] > 0:
            keys[n_keys] = (sums[place] << PLACE_BITS) | (MAX_PLACES - 1 - place)
            n_keys += 1
            sums[place] = 0
    return n_keys, _ALL_GOOD


@numba.njit(cache=True, nogil=True)
def _sift(keys: np.ndarray, n_keys: int, n_kept: int, n_of_count: np.ndarray) -> None:
    """Move the `n_kept` largest keys to the front, largest first.

    Most counts are small: counting them first leaves few keys for the selection, whose branches
    the processor cannot predict. `n_of_count` is all zero before and after.
    """
    largest = len(n_of_count) - 1
    for i in range(n_keys):
        n_of_count[min(keys[i] >> PLACE_BITS, largest)] += 1
    floor, n_above = largest, n_of_count[largest]
    while floor > 0 and n_above < n_kept:
        floor -= 1
        n_above += n_of_count[floor]
    n_of_count[:] = 0
    n_candidates = 0
    for i in range(n_keys):
        key = keys[i]
        keys[n_candidates] = key
        n_candidates += (key >> PLACE_BITS) >= floor
    _keep_largest(keys, n_candidates, n_kept)
    keys[:n_kept].sort()
    for i in range(n_kept // 2):
        keys[i], keys[n_kept - 1 - i] = keys[n_kept - 1 - i], keys[i]


@numba.njit(cache=True, nogil=True)
def choose_places(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    code_of_gene: np.ndarray,
    n_places: int,
    starts: np.ndarray,
    chosen: np.ndarray,
    n_chosen: np.ndarray,
) -> int:
    """Fill `chosen[starts[i]:starts[i] + n_chosen[i]]` with the places of cell i, in order.

    The room `starts[i + 1] - starts[i]` is the most genes that the cell may have. No gene may
    occur twice in a cell. Returns -1, or the position in `data` of the first entry that is not a
    count of a gene.
    """
    sums = np.zeros(n_places, np.int64)
    n_of_count = np.zeros(256, np.int64)
    # One spare, because a key is written before it is known to count.
    keys = np.empty(len(code_of_gene) + 1, np.int64)
    for cell in range(len(n_chosen)):
        begin, end = indptr[cell], indptr[cell + 1]
        n_keys, bad_entry = _keys_of_cell(
            indices[begin:end], data[begin:end], code_of_gene, sums, keys
        )
        if bad_entry != _ALL_GOOD:
            return begin + bad_entry
        n_kept = min(n_keys, starts[cell + 1] - starts[cell])
        _sift(keys, n_keys, n_kept, n_of_count)
        for i in range(n_kept):
            chosen[starts[cell] + i] = MAX_PLACES - 1 - (keys[i] & (MAX_PLACES - 1))
        n_chosen[cell] = n_kept
    return _ALL_GOOD


@numba.njit(cache=True, nogil=True)
def measure_sentences(
    starts: np.ndarray, chosen: np.ndarray, n_chosen: np.ndarray, token_offsets: np.ndarray
) -> np.ndarray:
    """Byte offsets of the sentences, int64 `(n_obs + 1,)`, one space between two tokens."""
    offsets = np.zeros(len(n_chosen) + 1, np.int64)
    for cell in range(len(n_chosen)):
        n_bytes = max(n_chosen[cell] - 1, 0)
        for i in range(starts[cell], starts[cell] + n_chosen[cell]):
            place = chosen[i]
            n_bytes += token_offsets[place + 1] - token_offsets[place]
        offsets[cell + 1] = offsets[cell] + n_bytes
    return offsets


@numba.njit(cache=True, nogil=True)
def write_sentences(
    starts: np.ndarray,
    chosen: np.ndarray,
    n_chosen: np.ndarray,
    token_offsets: np.ndarray,
    token_bytes: np.ndarray,
    written: np.ndarray,
) -> None:
    """Write the tokens of all cells one after the other into `written` (uint8)."""
    end = 0
    for cell in range(len(n_chosen)):
        for i in range(n_chosen[cell]):
            if i > 0:
                written[end] = 32
                end += 1
            place = chosen[starts[cell] + i]
            for byte in range(token_offsets[place], token_offsets[place + 1]):
                written[end] = token_bytes[byte]
                end += 1
