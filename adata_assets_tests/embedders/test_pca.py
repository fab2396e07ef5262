"""``pca`` equals scanpy's on the same genes and cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from adata_assets.embedders import pca
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.errors import InputError
from adata_assets_tests.datasets import make_cells


class InMemory:
    """Counts that are read in two blocks."""

    def __init__(self, matrix):
        self.matrix = matrix

    def iter_blocks(self, start, stop, *, max_nonzeros):
        half = (start + stop) // 2
        yield start, self.matrix[start:half]
        yield half, self.matrix[half:stop]


def small_settings(stored, folder):
    """Settings for the contract."""
    return {"n_dims": 6, "n_genes": 60}


def fitted(n_dims=10, n_genes=120):
    adata = make_cells(400, 120, seed=2)
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    genes, ids = adata.var_names, adata.obs_names.to_numpy()
    stats = pd.DataFrame({"gene_id": genes, "hvg_rank": np.arange(120)})
    embedder = pca.Embedder(pca.Settings(n_dims=n_dims, n_genes=n_genes))
    model = embedder.fit(TrainStream(InMemory(adata.X), totals, ids, ids, stats))
    return adata, embedder.embed(CellBlock(adata.X, totals, genes, ids, ids), model), model


@pytest.mark.parametrize("max_genes_of_eigh", [3000, 10])
def test_scores_correlate_with_scanpys(monkeypatch, max_genes_of_eigh):
    monkeypatch.setattr(pca, "MAX_GENES_OF_EIGH", max_genes_of_eigh)
    adata, scores, model = fitted()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=10, svd_solver="arpack")
    theirs = adata.obsm["X_pca"]
    for i in range(10):
        assert abs(np.corrcoef(scores[:, i], theirs[:, i])[0, 1]) >= 0.99999
    assert np.allclose(model.arrays["variances"], adata.uns["pca"]["variance"], rtol=1e-4)


def test_signs_are_fixed():
    _, _, model = fitted()
    components = model.arrays["components"]
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(10), largest] > 0).all()


def test_too_many_components_are_refused():
    with pytest.raises(InputError, match="120 components need more than 120 genes"):
        fitted(n_dims=120)
