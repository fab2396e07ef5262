"""Cells as embedders read them: some cells of a chunk, and the stream of the train cells.

Belongs here: counts, totals and genes found by their ids. Genes are never addressed by column
outside of this file, so that a model of one dataset can be applied to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import lognorm
from adata_assets.errors import InputError
from adata_assets.matrix.counts import Counts

# Blocks of a fit have edges of their own, so that a fit does not depend on the chunks.
FIT_BLOCK_NONZEROS = 1_500_000


@dataclass(frozen=True)
class CellBlock:
    """Some cells in dataset order.

    Attributes
    ----------
    counts
        int32 CSR ``(n_obs, n_vars)`` over all genes.
    totals
        ``total_counts_source`` of the cells, ``(n_obs,)``.
    gene_ids
        Ids of the columns.
    sample_ids
        Ids of the cells, str ``(n_obs,)``.
    batches
        Batch of each cell, str or None ``(n_obs,)``.
    """

    counts: sp.csr_matrix
    totals: np.ndarray
    gene_ids: pd.Index
    sample_ids: np.ndarray
    batches: np.ndarray

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    def columns_of(self, gene_ids: Sequence[str]) -> np.ndarray:
        """Return the column of each gene, int64; -1 where the dataset does not have it."""
        return self.gene_ids.get_indexer(pd.Index(gene_ids))

    def counts_of(self, gene_ids: Sequence[str]) -> sp.csr_matrix:
        """Return the counts of some genes, int32 CSR ``(n_obs, n_genes)``; missing genes are 0."""
        columns = self.columns_of(gene_ids)
        if (columns >= 0).all():
            return self.counts[:, columns]
        is_there = np.flatnonzero(columns >= 0)
        picked = self.counts[:, columns[is_there]]
        shape = (self.n_obs, len(columns))
        return sp.csr_matrix((picked.data, is_there[picked.indices], picked.indptr), shape=shape)

    def lognorm_of(self, gene_ids: Sequence[str]) -> np.ndarray:
        """Return ``log1p(count / total * 1e4)`` of some genes, dense float64; missing genes are 0."""
        return np.asarray(lognorm(self.counts_of(gene_ids), self.totals).toarray())

    def rows(self, n_obs: int) -> Iterator[CellBlock]:
        """Yield the cells in parts of at most ``n_obs``."""
        for start in range(0, self.n_obs, n_obs):
            part = slice(start, start + n_obs)
            yield CellBlock(
                self.counts[part],
                self.totals[part],
                self.gene_ids,
                self.sample_ids[part],
                self.batches[part],
            )


@dataclass(frozen=True)
class TrainStream:
    """The train cells, read block by block; a fit sees nothing else.

    Attributes
    ----------
    counts
        The dataset's counts.
    totals
        ``total_counts_source`` of the train cells, ``(n_train,)``.
    sample_ids, batches
        Id and batch of the train cells, ``(n_train,)``.
    gene_stats
        ``GeneStatsSchema``, one row per gene.
    seed
        The dataset's seed.
    symbols
        Symbol of each gene, str or None, in the order of ``gene_stats``; None: not known.
    """

    counts: Counts
    totals: np.ndarray
    sample_ids: np.ndarray
    batches: np.ndarray
    gene_stats: pd.DataFrame
    seed: int = 0
    symbols: np.ndarray | None = None

    @property
    def n_train(self) -> int:
        """Cells ``0 … n_train`` of the dataset order are the train cells."""
        return len(self.totals)

    @property
    def gene_ids(self) -> pd.Index:
        """Ids of the columns."""
        return pd.Index(self.gene_stats["gene_id"])

    def blocks(self) -> Iterator[CellBlock]:
        """Yield the train cells in dataset order."""
        for start, block in self.counts.iter_blocks(
            0, self.n_train, max_nonzeros=FIT_BLOCK_NONZEROS
        ):
            rows = slice(start, start + block.shape[0])
            yield CellBlock(
                block, self.totals[rows], self.gene_ids, self.sample_ids[rows], self.batches[rows]
            )

    def variable_genes(self, n_genes: int) -> list[str]:
        """Return the ids of the highly variable genes, most variable first.

        Raises
        ------
        InputError
            If fewer genes were ranked than are asked for.
        """
        ranked = self.gene_stats.loc[self.gene_stats["hvg_rank"] >= 0, ["gene_id", "hvg_rank"]]
        if n_genes > len(ranked):
            raise InputError(
                f"{n_genes} highly variable genes are asked for, {len(ranked)} are ranked: lower "
                "the embedder's n_genes, or raise n_top_genes"
            )
        return list(ranked.sort_values("hvg_rank")["gene_id"][:n_genes])
