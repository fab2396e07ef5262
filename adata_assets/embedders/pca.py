"""``pca``: exact principal components of the highly variable genes' lognorm values.

The covariance is summed over the stream and decomposed once; no cell-by-gene matrix is ever dense
beyond a block.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from adata_assets.annotation.genes.stats import lognorm
from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.gram import Gram
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.errors import InputError

# Beyond this many genes a full eigen-decomposition takes longer than Lanczos.
MAX_GENES_OF_EIGH = 500
# Several copies of the values of so many cells are in memory.
ROWS_AT_ONCE = 2048
# Lanczos looks for a few components of many.
_GENES_PER_COMPONENT = 4


class Settings(contract.EmbedderSettings):
    """Settings of ``pca``."""

    n_dims: int = Field(50, ge=1, description="number of components")
    n_genes: int = Field(2000, ge=2, description="at most so many genes, most variable first")


class Embedder(contract.Embedder):
    """Scores of the leading components, float32 ``(n_obs, n_dims)``."""

    version: ClassVar[str] = "3"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "lognorm"
    settings: Settings

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        return self.settings.n_dims

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return genes, their means and the components.

        Returns
        -------
        ``gene_ids``, ``means`` float64 ``(n_genes,)``, ``components`` float64
        ``(n_dims, n_genes)`` (rows of unit length, largest loading positive) and ``variances``
        float64 ``(n_dims,)`` (ddof 1).

        Raises
        ------
        InputError
            If there are fewer genes or train cells than components.
        """
        genes = train.variable_genes(min(self.settings.n_genes, self._ranked(train)))
        n_dims = self.settings.n_dims
        if n_dims >= min(len(genes), train.n_train):
            raise InputError(
                f"pca: {n_dims} components need more than {n_dims} genes and train cells; there "
                f"are {len(genes)} and {train.n_train}: lower n_dims"
            )
        gram = Gram(len(genes))
        for cells in train.blocks():
            for rows in cells.rows(ROWS_AT_ONCE):
                gram.add(lognorm(rows.counts_of(genes), rows.totals))
        means = gram.total / train.n_train
        covariance = gram.product()
        for row, mean in zip(covariance, means, strict=True):
            row -= train.n_train * mean * means
        covariance /= train.n_train - 1
        variances, components = _leading_components(covariance, n_dims)
        arrays = {"means": means, "components": components, "variances": variances}
        return FrozenModel(arrays, {GENE_IDS: genes})

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return ``lognorm @ components.T - means @ components.T``; the values stay sparse."""
        loadings = np.ascontiguousarray(model.arrays["components"].T)
        center, genes = model.arrays["means"] @ loadings, model.gene_ids
        scores = [
            (lognorm(rows.counts_of(genes), rows.totals) @ loadings - center).astype(np.float32)
            for rows in cells.rows(ROWS_AT_ONCE)
        ]
        return np.concatenate(scores)

    @staticmethod
    def _ranked(train: TrainStream) -> int:
        return int((train.gene_stats["hvg_rank"] >= 0).sum())


def _leading_components(covariance: np.ndarray, n_dims: int) -> tuple[np.ndarray, np.ndarray]:
    import scipy.linalg
    import scipy.sparse.linalg

    n_genes = len(covariance)
    if n_genes <= max(MAX_GENES_OF_EIGH, _GENES_PER_COMPONENT * n_dims):
        values, vectors = scipy.linalg.eigh(
            covariance, subset_by_index=[n_genes - n_dims, n_genes - 1], overwrite_a=True
        )
    else:
        start = np.full(n_genes, n_genes**-0.5)
        values, vectors = scipy.sparse.linalg.eigsh(covariance, k=n_dims, v0=start, tol=0)
    order = np.argsort(values)[::-1]
    components = vectors[:, order].T
    # Signs are free in theory; the largest loading is made positive.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(n_dims), largest])[:, None]
    return values[order], components
