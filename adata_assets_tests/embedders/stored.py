"""Generated cells as embedders read them, stored for real."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import measure_genes
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.contract import Embedder, GivenData
from adata_assets.matrix.counts import Counts, open_counts, write_counts
from adata_assets_tests.datasets import make_cells


@dataclass(frozen=True)
class StoredCells:
    """Counts on disk with the statistics of the first ``n_train`` cells."""

    counts: Counts
    totals: np.ndarray
    sample_ids: np.ndarray
    batches: np.ndarray
    gene_stats: pd.DataFrame
    n_train: int

    @classmethod
    def make(
        cls, folder: Path, *, n_obs: int = 200, n_vars: int = 90, n_train: int = 150, seed: int = 5
    ) -> StoredCells:
        """Generate and store cells of two batches."""
        adata = make_cells(n_obs, n_vars, seed=seed)
        adata.var_names = adata.var["gene_ids"]
        return cls.store(adata, folder, n_train=n_train, n_top_genes=60)

    @classmethod
    def store(
        cls, adata: ad.AnnData, folder: Path, *, n_train: int, n_top_genes: int
    ) -> StoredCells:
        """Store given cells, which are dealt into two batches."""
        n_obs, n_vars = adata.shape
        counts = sp.csr_matrix(adata.X).astype(np.int32)
        write_counts(
            [(0, counts)],
            position=np.arange(n_obs),
            gene_index=np.arange(n_vars, dtype=np.int32),
            n_genes=n_vars,
            path=folder / "counts.zarr",
            scratch=folder,
        )
        totals = np.asarray(counts.sum(axis=1)).ravel()
        stats = measure_genes(
            [(0, counts[:n_train])],
            totals[:n_train],
            pd.Series(adata.var_names.to_numpy()),
            min_cells=3,
            n_top_genes=n_top_genes,
            scratch=folder,
        )
        batches = np.array([f"batch{i % 2}" for i in range(n_obs)], dtype=object)
        ids = adata.obs_names.to_numpy(dtype=object)
        return cls(open_counts(folder / "counts.zarr"), totals, ids, batches, stats, n_train)

    @property
    def train(self) -> TrainStream:
        """The stream that a fit sees."""
        part = slice(0, self.n_train)
        return TrainStream(
            self.counts,
            self.totals[part],
            self.sample_ids[part],
            self.batches[part],
            self.gene_stats,
        )

    def cells(self, rows: np.ndarray | None = None) -> CellBlock:
        """Some cells in the order asked for; all by default."""
        rows = np.arange(self.counts.n_obs) if rows is None else rows
        return CellBlock(
            self.counts.rows(0, self.counts.n_obs)[rows],
            self.totals[rows],
            pd.Index(self.gene_stats["gene_id"]),
            self.sample_ids[rows],
            self.batches[rows],
        )

    def fit(self, embedder: Embedder) -> FrozenModel:
        """Freeze a method as a dataset does: fitted on the train cells, or given for all."""
        return embedder.freeze(self.train, GivenData(self.sample_ids))
