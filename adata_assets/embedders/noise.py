"""``noise``: random values that know nothing of the cell; whatever is no better is no embedding."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.draws import draw_normal
from adata_assets.embedders.base.model import FrozenModel

PURPOSE = "noise embedding"


class Settings(contract.EmbedderSettings):
    """Settings of ``noise``."""

    n_dims: int = Field(50, ge=1, description="number of values per cell")


class Embedder(contract.Embedder):
    """Standard normal values, float32 ``(n_obs, n_dims)``, by cell id and seed."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "given"
    learns: ClassVar[bool] = False
    role: ClassVar[Literal["input", "control"]] = "control"
    settings: Settings

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        return self.settings.n_dims

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the dataset's seed."""
        return FrozenModel(facts={"seed": train.seed})

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the values of each cell, whichever cells come together."""
        drawn = draw_normal(
            cells.sample_ids, self.n_dims, seed=model.facts["seed"], purpose=PURPOSE
        )
        return drawn.astype(np.float32)
