"""Blocks of rows: where they begin and end, and the one form every block has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from adata_assets.matrix.block_kernels import is_rising

Array = np.ndarray[Any, np.dtype[Any]]


def iter_block_edges(
    indptr: Array, *, max_nonzeros: int, max_rows: int | None = None
) -> Iterator[tuple[int, int]]:
    """Yield ``(first, last)`` of consecutive row ranges with at most so many stored values.

    A row that alone has more is a range of its own.

    Examples
    --------
    >>> list(iter_block_edges(np.array([0, 2, 4, 9, 9]), max_nonzeros=4))
    [(0, 2), (2, 3), (3, 4)]
    """
    n_rows = len(indptr) - 1
    first = 0
    while first < n_rows:
        fitting = int(np.searchsorted(indptr, indptr[first] + max_nonzeros, side="right")) - 1
        last = min(max(fitting, first + 1), n_rows, first + (max_rows or n_rows))
        yield first, last
        first = last


def build_block(values: Array, columns: Array, indptr: Array, n_vars: int) -> csr_matrix:
    """Build a block in canonical form: columns rising in each row, no zeros, none twice.

    Values that are stored twice for one place are summed, as scipy reads them. The arrays may be
    changed.
    """
    block = csr_matrix((values, columns, indptr), shape=(len(indptr) - 1, n_vars))
    if is_rising(block.indptr, block.indices) and np.count_nonzero(values) == len(values):
        # Most files are so; scipy would look again, and again in every later step.
        block.has_canonical_format = True
        return block
    block.sort_indices()
    if not block.has_canonical_format:
        block.data = widen(block.data)
        block.sum_duplicates()
    block.eliminate_zeros()
    return block


def widen(values: Array) -> Array:
    """Return integers as int64, so that sums of them cannot overflow; others as they are."""
    return values.astype(np.int64) if values.dtype.kind in "iub" else values


def cut_rows(block: csr_matrix, first: int, last: int) -> csr_matrix:
    """Return rows ``first:last`` of a block; the whole block is returned as it is."""
    return block if (first, last) == (0, block.shape[0]) else block[first:last]
