"""``scvi``: the latent space of scVI, trained on the train cells' counts of the variable genes.

The decoder is told the batch, the encoder is not: the latent of a cell depends on its counts alone.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.draws import draw_uniform
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.vae.encoder import encode, freeze_encoder
from adata_assets.embedders.vae.training import TrainingSettings, train_scvi

UNKNOWN_BATCH = "(not stated)"


class Settings(TrainingSettings):
    """Settings of ``scvi``."""

    n_genes: int = Field(2000, ge=1, description="at most so many genes, most variable first")
    use_batch: bool = Field(True, description="tell the decoder the batch, where batches are known")
    max_train_cells: int = Field(
        200_000,
        ge=1,
        description="learn from at most so many train cells, drawn by seed and cell id; in memory "
        "they take 16 bytes per count above 0 of the genes, about 1 GB at 300 each",
    )


class Embedder(contract.Embedder):
    """Means of the latent posterior, float32 ``(n_obs, n_dims)``."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "counts"
    citation: ClassVar[str | None] = (
        "Lopez et al., Deep generative modeling for single-cell transcriptomics, Nature Methods 2018, "
        "10.1038/s41592-018-0229-2"
    )
    pool: ClassVar[str | None] = "embedder_heavy"
    settings: Settings

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        return self.settings.n_dims

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the encoder that scvi-tools trained.

        Of the train cells at most ``max_train_cells`` are held in memory. Training stops early by
        a seeded tenth of them; no other cell is ever read.

        Raises
        ------
        InputError
            If there are fewer than 20 train cells, or the training diverged.
        """
        ranked = int((train.gene_stats["hvg_rank"] >= 0).sum())
        genes = train.variable_genes(min(self.settings.n_genes, ranked))
        is_picked = self._pick(train)
        batches = self._batches(train.batches[is_picked])
        counts = gather_counts(train, genes, is_picked)
        trained = train_scvi(counts, batches, self.settings, seed=train.seed)
        facts = {
            "n_cells": int(is_picked.sum()),
            "n_batches": 1 if batches is None else len(set(batches)),
            "n_epochs": trained.n_epochs,
        }
        return freeze_encoder(trained.state, genes, facts=facts)

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the posterior means."""
        return encode(cells, model)

    def _pick(self, train: TrainStream) -> np.ndarray:
        if train.n_train <= self.settings.max_train_cells:
            return np.ones(train.n_train, bool)
        drawn = draw_uniform(train.sample_ids, 1, seed=train.seed, purpose="scvi train cells")[:, 0]
        is_picked = np.zeros(train.n_train, bool)
        is_picked[np.argsort(drawn, kind="stable")[: self.settings.max_train_cells]] = True
        return is_picked

    def _batches(self, stated: np.ndarray) -> np.ndarray | None:
        batches = np.array([UNKNOWN_BATCH if b is None or b != b else b for b in stated], str)
        return batches if self.settings.use_batch and len(set(batches)) > 1 else None


def gather_counts(train: TrainStream, genes: list[str], is_picked: np.ndarray) -> sp.csr_matrix:
    """Return the counts of some train cells and genes, float32 CSR in dataset order."""
    parts, start = [], 0
    for cells in train.blocks():
        rows = np.flatnonzero(is_picked[start : start + cells.n_obs])
        parts.append(cells.counts_of(genes)[rows].astype(np.float32))
        start += cells.n_obs
    if not parts:
        return sp.csr_matrix((0, len(genes)), dtype=np.float32)
    return sp.vstack(parts, format="csr")
