"""``hvg``: the lognorm values of the genes that vary most over the train cells."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel


class Settings(contract.EmbedderSettings):
    """Settings of ``hvg``."""

    n_genes: int = Field(200, ge=1, description="number of genes, most variable first")


class Embedder(contract.Embedder):
    """Values of the highly variable genes, float32 ``(n_obs, n_genes)``."""

    version: ClassVar[str] = "2"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "lognorm"
    settings: Settings

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        return self.settings.n_genes

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the ids of the genes."""
        return FrozenModel(facts={GENE_IDS: train.variable_genes(self.settings.n_genes)})

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the lognorm values of the genes."""
        return cells.lognorm_of(model.gene_ids).astype(np.float32)
