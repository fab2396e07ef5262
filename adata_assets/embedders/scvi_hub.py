"""``scvi_hub``: the latent space of a published scVI model, without training.

What CELLxGENE's recipe for its census models does (``prepare_query_anndata``, ``load_query_data``,
``get_latent_representation``): genes in the model's order, missing ones 0, posterior means. The
model is read once, after its sha256 was checked, and kept as safetensors and JSON.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.given import SHA256_PATTERN, count_known, find_gene_ids
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.vae.checkpoint import read_checkpoint
from adata_assets.embedders.vae.encoder import encode
from adata_assets.embedders.vae.published import METHOD, fetched_model, freeze_published


class Settings(contract.EmbedderSettings):
    """Settings of ``scvi_hub``."""

    model: str = Field(description="a folder, s3://<bucket>/<folder>, or a Hub id (<owner>/<name>)")
    revision: str | None = Field(None, description="of a Hub id: the commit, 40 hex digits")
    file: str = Field("model.pt", description="the file that SCVI.save wrote, below the model")
    sha256: str = Field(pattern=SHA256_PATTERN, description="of that file; another is refused")

    @field_validator("file")
    @classmethod
    def _below_the_model(cls, value: str) -> str:
        if any(part in ("", ".", "..") for part in value.split("/")):
            raise ValueError("give the name of a file below the model, such as model.pt")
        return value


class Embedder(contract.Embedder):
    """Means of the latent posterior, float32 ``(n_obs, n_latent)`` of the model."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "counts"
    learns: ClassVar[bool] = False
    citation: ClassVar[str | None] = (
        "Lopez et al., Deep generative modeling for single-cell transcriptomics, Nature Methods 2018, "
        "10.1038/s41592-018-0229-2"
    )
    pool: ClassVar[str | None] = "embedder_heavy"
    settings: Settings

    @property
    def n_dims(self) -> None:
        """Width of the embedding: the model tells it."""
        return None

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the model's encoder; nothing is learnt.

        Returns
        -------
        The encoder's weights, ``gene_ids``, ``n_matched`` (genes that the dataset has), ``sha256``
        and ``revision`` of what was read, and ``scvi_version`` that wrote it.

        Raises
        ------
        InputError
            If the model cannot be had, is another one, could run code, or is no scVI.
        """
        settings = self.settings
        with fetched_model(
            settings.model, settings.file, revision=settings.revision, sha256=settings.sha256
        ) as path:
            model = read_checkpoint(path)
        gene_ids = find_gene_ids(model.var_names, train, setting=f"{METHOD}: {settings.model}")
        facts = {
            "n_matched": count_known(gene_ids, train),
            "revision": settings.revision,
            "sha256": settings.sha256,
        }
        return freeze_published(model, gene_ids, facts)

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the posterior means."""
        return encode(cells, model)
