"""The compiled loop behind a sum of outer products of sparse rows."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def add_outer_products(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, product: np.ndarray
) -> None:
    """Add ``x.T @ x`` of every row to the upper triangle; columns rise in each row."""
    for row in range(len(indptr) - 1):
        for i in range(indptr[row], indptr[row + 1]):
            target, value = product[indices[i]], values[i]
            for j in range(i, indptr[row + 1]):
                target[indices[j]] += value * values[j]
