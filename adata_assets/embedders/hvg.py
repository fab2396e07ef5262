"""``hvg``: the lognorm values of the genes that vary most over the train cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from adata_assets.embedders.contract import CellBlock, EmbedderSettings, TrainStream


class Settings(EmbedderSettings):
    """Settings of ``hvg``."""

    n_genes: int = Field(200, ge=1, description="number of genes, most variable first")


class Embedder:
    """Values of the highly variable genes, float32 ``(n_obs, n_genes)``."""

    version: ClassVar[str] = "1"
    citation: ClassVar[str | None] = None
    settings_model: ClassVar[type[EmbedderSettings]] = Settings

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        return self.settings.n_genes

    def fit(self, train: TrainStream) -> dict[str, np.ndarray]:
        """Return the columns of the genes, int64 ``(n_genes,)``."""
        return {"genes": train.variable_genes(self.settings.n_genes).astype(np.int64)}

    def embed(self, cells: CellBlock, model: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the lognorm values of the genes."""
        return cells.lognorm(model["genes"]).astype(np.float32)
