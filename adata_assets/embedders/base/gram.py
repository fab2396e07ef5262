"""The sum of outer products of cells, from which a covariance is made."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp

from adata_assets.embedders.base.gram_kernels import add_outer_products

# So many times as long as one of a dense product takes one multiplication of a sparse one.
SPARSE_COST = 8
N_THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
N_STRIPES = 8
# Dense values of so many cells and 2,000 genes take 33 MB.
ROWS_AT_ONCE = 2048


class Gram:
    """``sum(x.T @ x)`` and ``sum(x)`` over cells, added block by block.

    Blocks with few values above 0 are added value by value, in the order of the cells: the result
    does not depend on the number of cores, and nothing is made dense.

    Parameters
    ----------
    n_genes
        Columns of the blocks.

    Examples
    --------
    >>> gram = Gram(2)
    >>> gram.add(sp.csr_matrix([[1.0, 0.0], [2.0, 3.0]]))
    >>> gram.total.tolist(), gram.product().tolist()
    ([3.0, 3.0], [[5.0, 6.0], [6.0, 9.0]])
    """

    def __init__(self, n_genes: int) -> None:
        self.total = np.zeros(n_genes)
        self._upper = np.zeros((n_genes, n_genes))
        # The first rows of a triangle are its longest.
        shares = 1 - np.sqrt(np.linspace(1, 0, N_STRIPES + 1))
        self._edges = np.unique(np.rint(n_genes * shares).astype(int)).tolist()

    def add(self, values: sp.csr_matrix) -> None:
        """Add some cells, float64 CSR ``(n_obs, n_genes)``."""
        self.total += np.asarray(values.sum(axis=0)).ravel()
        n_values = np.diff(values.indptr).astype(np.float64)
        if SPARSE_COST * (n_values**2).sum() < values.shape[0] * float(values.shape[1]) ** 2:
            self._add_sparse(values)
            return
        for start in range(0, values.shape[0], ROWS_AT_ONCE):
            dense = values[start : start + ROWS_AT_ONCE].toarray()
            self._upper += dense.T @ dense

    def _add_sparse(self, values: sp.csr_matrix) -> None:
        values.sort_indices()

        def add(stripe: tuple[int, int]) -> None:
            add_outer_products(values.indptr, values.indices, values.data, self._upper, *stripe)

        # Stripes are rows of the result, so that threads share nothing and no sum changes its order.
        with ThreadPoolExecutor(N_THREADS) as pool:
            list(pool.map(add, itertools.pairwise(self._edges)))

    def product(self) -> np.ndarray:
        """Return the sum of outer products, float64 ``(n_genes, n_genes)``; nothing can be added then."""
        rows = len(self._upper)
        # In place and row by row: a second matrix of this size is more than all else.
        for row in range(rows):
            self._upper[row + 1 :, row] = self._upper[row, row + 1 :]
        return self._upper
