"""The compiled loop of the rank value encoding; ``encode`` checks and prepares what it gets."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def write_tokens(
    indptr: np.ndarray,
    indices: np.ndarray,
    counts: np.ndarray,
    medians: np.ndarray,
    token_ids: np.ndarray,
    starts: np.ndarray,
    first: int,
    last: int,
    tokens: np.ndarray,
) -> None:
    """Write the tokens of every cell, genes by falling ``count / median``.

    Columns rise with the token in each row, so that a stable sort breaks ties by token. ``first``
    and ``last`` are written around the genes unless they are negative.
    """
    for row in range(len(indptr) - 1):
        begin, end = indptr[row], indptr[row + 1]
        keys = np.empty(end - begin, np.float64)
        for i in range(end - begin):
            keys[i] = -(counts[begin + i] / medians[indices[begin + i]])
        order = np.argsort(keys, kind="mergesort")
        place, stop = starts[row], starts[row + 1]
        if first >= 0:
            tokens[place] = first
            place += 1
        if last >= 0:
            stop -= 1
            tokens[stop] = last
        for i in range(stop - place):
            tokens[place + i] = token_ids[indices[begin + order[i]]]
