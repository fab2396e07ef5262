"""The compiled loop behind a sum of outer products of sparse rows."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def add_outer_products(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    product: np.ndarray,
    first: int,
    stop: int,
) -> None:
    """Add ``x.T @ x`` of every row to rows ``first:stop`` of the upper triangle.

    Columns rise in each row. Row by row of ``product`` the order of the sums is that of the cells.
    """
    for row in range(len(indptr) - 1):
        begin, end = indptr[row], indptr[row + 1]
        i = begin + np.searchsorted(indices[begin:end], first)
        while i < end and indices[i] < stop:
            target, value = product[indices[i]], values[i]
            for j in range(i, end):
                target[indices[j]] += value * values[j]
            i += 1
