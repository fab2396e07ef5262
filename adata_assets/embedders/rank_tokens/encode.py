"""Rank value encoding: a cell as its genes, those first that are high for the gene.

Belongs here: from counts to tokens. A gene's key is its count over the gene's non-zero median;
dividing by the cell's total, as the publication does, changes no order within a cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from adata_assets.embedders.rank_tokens.rank_kernels import write_tokens


@dataclass(frozen=True)
class RankTokens:
    """Tokens of some cells, one after the other.

    Attributes
    ----------
    ids
        int32 ``(n_tokens,)``.
    starts
        Where each cell begins, and the end; int64 ``(n_obs + 1,)``.
    """

    ids: np.ndarray
    starts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each cell, special ones included, ``(n_obs,)``."""
        return np.diff(self.starts)

    def of_cell(self, cell: int) -> np.ndarray:
        """Return the tokens of one cell."""
        return self.ids[self.starts[cell] : self.starts[cell + 1]]

    def padded(self, cells: np.ndarray, pad: int) -> np.ndarray:
        """Return tokens of some cells, int64 ``(n_cells, longest)``, filled up with ``pad``."""
        filled = np.full((len(cells), int(self.lengths[cells].max())), pad, dtype=np.int64)
        for row, cell in enumerate(cells):
            own = self.of_cell(int(cell))
            filled[row, : len(own)] = own
        return filled

    def batches(self, *, max_obs: int, max_tokens: int) -> Iterator[np.ndarray]:
        """Yield the positions of cells of like length, longest first.

        Parameters
        ----------
        max_obs
            Most cells of a batch.
        max_tokens
            Most tokens of a batch with its padding; a longer cell is alone.
        """
        order = np.argsort(-self.lengths, kind="stable")
        start = 0
        while start < len(order):
            n_fitting = max_tokens // max(1, int(self.lengths[order[start]]))
            stop = start + min(max_obs, max(1, n_fitting))
            yield order[start:stop]
            start = stop


def encode_ranks(
    counts: sp.csr_matrix,
    token_ids: np.ndarray,
    medians: np.ndarray,
    *,
    max_genes: int,
    around: tuple[int, int] | None = None,
) -> RankTokens:
    """Return the tokens of each cell, by falling ``count / median``, ties by token.

    Parameters
    ----------
    counts
        Raw counts ``(n_obs, n_genes)``, one column per gene of the dictionary.
    token_ids
        Token of each column, rising.
    medians
        Non-zero median of each column.
    max_genes
        The leading genes of a cell that are kept.
    around
        Tokens before and after the genes of each cell.

    Examples
    --------
    >>> counts = sp.csr_matrix([[4, 0, 3], [1, 1, 1]])
    >>> found = encode_ranks(counts, np.arange(7, 10), np.array([2.0, 1.0, 1.0]), max_genes=2)
    >>> found.of_cell(0).tolist(), found.of_cell(1).tolist()
    ([9, 7], [8, 9])
    """
    own = sp.csr_matrix(counts, copy=True)
    own.eliminate_zeros()
    own.sort_indices()
    lengths = np.minimum(np.diff(own.indptr), max_genes) + (0 if around is None else 2)
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    tokens = np.empty(starts[-1], dtype=np.int32)
    first, last = around or (-1, -1)
    write_tokens(own.indptr, own.indices, own.data, medians, token_ids, starts, first, last, tokens)
    return RankTokens(tokens, starts)


def join_tokens(parts: Sequence[RankTokens]) -> RankTokens:
    """Return the tokens of all cells of several parts."""
    lengths = np.concatenate([part.lengths for part in parts])
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return RankTokens(np.concatenate([part.ids for part in parts]), starts)
