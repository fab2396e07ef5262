"""Compiled passes over the indices of a block of rows.

Belongs here: loops that numpy would need several passes and temporary arrays for.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def find_outside(indices: np.ndarray, n_minor: int) -> int:
    """Return the first place whose index is not within ``0 .. n_minor - 1``, or -1."""
    for place in range(len(indices)):
        if indices[place] < 0 or indices[place] >= n_minor:
            return place
    return -1


@numba.njit(cache=True, nogil=True)
def is_rising(indptr: np.ndarray, indices: np.ndarray) -> bool:
    """Return whether the indices of every row rise strictly: sorted, and none twice."""
    for row in range(len(indptr) - 1):
        for place in range(indptr[row] + 1, indptr[row + 1]):
            if indices[place] <= indices[place - 1]:
                return False
    return True
