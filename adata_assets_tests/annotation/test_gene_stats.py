"""Statistics per gene equal scanpy's and numpy's, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from adata_assets.annotation.genes import stats as gene_stats
from adata_assets.annotation.genes.stats import measure_genes
from adata_assets_tests.datasets import make_cells


@pytest.fixture(scope="module")
def cells():
    return make_cells(300, 400, seed=3)


def measure(adata, tmp_path, n_rows=300, **options):
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    blocks = [(i, adata.X[i : i + n_rows].astype(np.int32)) for i in range(0, adata.n_obs, n_rows)]
    ids = pd.Series(adata.var_names.to_numpy())
    return measure_genes(
        blocks, totals, ids, min_cells=3, n_top_genes=100, scratch=tmp_path, **options
    )


def test_moments_and_medians(cells, tmp_path):
    stats = measure(cells, tmp_path)
    rates = cells.X.toarray() / np.asarray(cells.X.sum(axis=1)) * 1e4
    assert np.array_equal(stats["n_cells"], (rates > 0).sum(axis=0))
    assert np.allclose(stats["mean"], rates.mean(axis=0))
    assert np.allclose(stats["variance"], rates.var(axis=0, ddof=1))
    medians = [np.median(column[column > 0]) for column in rates.T]
    assert np.allclose(stats["nonzero_median"], medians, rtol=1e-6)


def test_variable_genes_equal_scanpys(cells, tmp_path):
    stats = measure(cells, tmp_path)
    adata = cells.copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=100, flavor="seurat")
    theirs = set(np.flatnonzero(adata.var["highly_variable"]))
    ours = set(np.flatnonzero(stats["hvg_rank"] >= 0))
    cut = adata.var["dispersions_norm"].nlargest(100).min()
    near_cut = set(np.flatnonzero(np.abs(adata.var["dispersions_norm"] - cut) < 1e-5))
    assert ours ^ theirs <= near_cut


def test_blocks_and_buckets_change_nothing(cells, tmp_path, monkeypatch):
    whole = measure(cells, tmp_path)
    monkeypatch.setattr(gene_stats, "_N_BUCKETS", 7)
    pd.testing.assert_frame_equal(measure(cells, tmp_path, n_rows=37), whole)
    assert not list(tmp_path.iterdir())


def test_genes_that_a_source_lacks_are_outside_of_the_mask(cells, tmp_path):
    """P4: a gene that one file does not have is not a gene without counts there."""
    whole = measure(cells, tmp_path)
    shared = np.arange(cells.n_vars) % 2 == 0
    stats = measure(cells, tmp_path, in_all_sources=shared)
    assert (stats["in_mask"] == (whole["in_mask"] & shared)).all()
    assert (stats.loc[~shared, "hvg_rank"] == -1).all()
    kept = ["n_cells", "total_counts", "mean", "variance", "nonzero_median"]
    pd.testing.assert_frame_equal(stats[kept], whole[kept])
