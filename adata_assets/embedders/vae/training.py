"""Train scVI with scvi-tools on counts in memory.

Belongs here: the call of scvi-tools and what it is told; nothing it draws or prints gets out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pydantic import Field

from adata_assets.embedders import contract
from adata_assets.embedders.vae.isolation import quiet, seeded
from adata_assets.errors import InputError

BATCH = "batch"
# A tenth is held back, and batch norm needs more than a handful.
MIN_CELLS = 20


class TrainingSettings(contract.EmbedderSettings):
    """What scvi-tools is told; the defaults are its own, but for early stopping."""

    n_dims: int = Field(10, ge=1, description="size of the latent space (n_latent)")
    n_hidden: int = Field(128, ge=1, description="nodes per hidden layer")
    n_layers: int = Field(1, ge=1, description="hidden layers")
    dropout_rate: float = Field(0.1, ge=0, lt=1, description="dropout while training")
    gene_likelihood: Literal["zinb", "nb", "poisson"] = Field(
        "zinb", description="distribution of the counts"
    )
    batch_size: int = Field(128, ge=3, description="cells per minibatch")
    max_epochs: int | None = Field(
        None, ge=1, description="at most so many epochs; null: 400 up to 20,000 cells, then fewer"
    )
    early_stopping: bool = Field(
        True, description="stop when the held-back tenth of the train cells no longer improves"
    )
    patience: int = Field(45, ge=1, description="epochs without improvement before it stops")


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes
    ----------
    model
        scvi-tools' ``SCVI``.
    n_epochs
        Epochs that were run.
    """

    model: Any
    n_epochs: int

    @property
    def state(self) -> dict[str, np.ndarray]:
        """The module's ``state_dict`` as arrays."""
        found = self.model.module.state_dict()
        return {name: tensor.detach().cpu().numpy() for name, tensor in found.items()}


def train_scvi(
    counts: sp.csr_matrix,
    batches: np.ndarray | None,
    settings: TrainingSettings,
    *,
    seed: int,
    accelerator: str = "auto",
) -> Trained:
    """Train scVI (Lopez et al. 2018, doi:10.1038/s41592-018-0229-2).

    Parameters
    ----------
    counts
        float32 ``(n_obs, n_genes)``.
    batches
        Batch of each cell for the decoder, str ``(n_obs,)``; None: no batches. The encoder never
        sees them.
    seed
        As ``scvi.settings.seed``; equal on one machine gives equal weights.
    accelerator
        Lightning's word for what it runs on: ``auto``, ``cpu``, ``gpu``.

    Raises
    ------
    InputError
        For fewer than 20 cells.
    """
    if counts.shape[0] < MIN_CELLS:
        raise InputError(
            f"scvi: {counts.shape[0]} train cells; at least {MIN_CELLS} are needed to learn from"
        )
    scvi, anndata = _import_quietly()
    with quiet(), seeded(seed):
        adata = anndata.AnnData(counts)
        if batches is not None:
            adata.obs[BATCH] = pd.Categorical(batches)
        scvi.model.SCVI.setup_anndata(adata, batch_key=None if batches is None else BATCH)
        model = scvi.model.SCVI(adata, **_architecture(settings))
        model.train(accelerator=accelerator, **_training(settings))
        return Trained(model, int(model.trainer.current_epoch))


def _architecture(settings: TrainingSettings) -> dict[str, Any]:
    return {
        "n_latent": settings.n_dims,
        "n_hidden": settings.n_hidden,
        "n_layers": settings.n_layers,
        "dropout_rate": settings.dropout_rate,
        "gene_likelihood": settings.gene_likelihood,
        "encode_covariates": False,
    }


def _training(settings: TrainingSettings) -> dict[str, Any]:
    return {
        "max_epochs": settings.max_epochs,
        "batch_size": settings.batch_size,
        "early_stopping": settings.early_stopping,
        "early_stopping_patience": settings.patience,
        # Nothing is written, shown or kept: progress, logs, checkpoints.
        "enable_progress_bar": False,
        "logger": False,
        "enable_checkpointing": False,
    }


def _import_quietly() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        # Packages that scvi-tools imports warn about one another.
        warnings.simplefilter("ignore")
        import anndata
        import scvi
    return scvi, anndata
