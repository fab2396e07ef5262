"""P12, P20: metrics per cell, normalisation and variable genes are scanpy's on the same counts.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with pbmc3k_raw.h5ad, that file is tried as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from adata_assets.annotation.counts.reading import find_counts, open_counts_reading
from adata_assets.annotation.genes.build import Genes, build_genes
from adata_assets.annotation.genes.stats import lognorm, measure_genes
from adata_assets.annotation.measure import CellMetrics, measure_cells
from adata_assets.annotation.quality.rules import percent
from adata_assets.matrix.source import read_obs, read_var
from adata_assets.sources.files import locate_source
from adata_assets.spec import CountsRules
from adata_assets_tests.annotation.test_measure import make_genes
from adata_assets_tests.datasets import make_cells, write_cells

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
CASES = ("generated", "pbmc68k_reduced", *(("pbmc3k",) if REAL_DATA else ()))
N_TOP_GENES = {"generated": 100, "pbmc68k_reduced": 200, "pbmc3k": 2000}
NEAR_CUT = 1e-5


@dataclass(frozen=True)
class Cells:
    """Counts as our reader gives them, and as an AnnData for scanpy."""

    case: str
    blocks: list[tuple[int, sp.csr_matrix]]
    genes: Genes
    adata: ad.AnnData

    @property
    def metrics(self) -> CellMetrics:
        """Ours."""
        return measure_cells(self.blocks, self.genes, n_obs=self.adata.n_obs)


def _locate(case: str, folder: Path) -> tuple[Path, str | None]:
    if case == "generated":
        return write_cells(folder, make_cells(300, 400, seed=3)), None
    if case == "pbmc68k_reduced":
        return locate_source("package://scanpy/datasets/10x_pbmc68k_reduced.h5ad"), "n_counts"
    return Path(str(REAL_DATA)) / "pbmc3k_raw.h5ad", None


@pytest.fixture(scope="module", params=CASES)
def cells(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cells:
    """Read through our own verification; features that are one gene summed for both."""
    scratch = tmp_path_factory.mktemp("scanpy")
    path, totals_key = _locate(request.param, scratch)
    totals = None if totals_key is None else read_obs(path)[totals_key].to_numpy(float)
    place = find_counts(path, CountsRules(), totals=totals, scratch=scratch)[0]
    with open_counts_reading(path, place, totals=totals, scratch=scratch) as reading:
        blocks = list(reading)
    genes = build_genes([read_var(path, place.slot)], species="human")
    counts = sp.vstack([block for _, block in blocks]).tocsr().astype(np.float64)
    n_features = len(genes.gene_index)
    to_genes = sp.csr_matrix((np.ones(n_features), (np.arange(n_features), genes.gene_index)))
    adata = ad.AnnData(sp.csr_matrix(counts @ to_genes))
    adata.X.sort_indices()
    adata.var_names = genes.var["gene_id"].to_numpy(dtype=str)
    adata.var["mt"] = genes.var["is_mt"].to_numpy(bool)
    return Cells(request.param, blocks, genes, adata)


def test_metrics_are_exactly_scanpys(cells: Cells) -> None:
    """total_counts, n_genes_by_counts, pct_counts_mt and pct_counts_in_top_20_genes."""
    ours = cells.metrics
    theirs, _ = sc.pp.calculate_qc_metrics(
        cells.adata, qc_vars=["mt"], percent_top=[20], log1p=False
    )
    pairs = {
        "total_counts": ours.n_counts,
        "n_genes_by_counts": ours.n_genes,
        "total_counts_mt": ours.n_counts_mt,
        "pct_counts_mt": percent(ours.n_counts_mt, ours.n_counts),
        "pct_counts_in_top_20_genes": percent(ours.n_counts_top20, ours.n_counts),
    }
    for name, values in pairs.items():
        np.testing.assert_array_equal(values, theirs[name].to_numpy(), err_msg=name)


def test_metrics_of_features_are_scanpys() -> None:
    """total_counts and n_cells_by_counts, beside those of cells."""
    adata = make_cells(40, 60)
    gene_index = np.arange(60)
    genes = make_genes(gene_index)
    genes.var["is_mt"] = adata.var_names.str.startswith("MT-")
    found = measure_cells([(0, adata.X.astype(np.int32))], genes, n_obs=40)
    adata.var["mt"] = genes.var["is_mt"].to_numpy()
    cells, features = sc.pp.calculate_qc_metrics(adata, qc_vars=["mt"], percent_top=[20])
    assert np.array_equal(found.n_counts, cells["total_counts"])
    assert np.array_equal(found.n_genes, cells["n_genes_by_counts"])
    assert np.allclose(found.n_counts_mt / found.n_counts * 100, cells["pct_counts_mt"], rtol=1e-6)
    top20 = found.n_counts_top20 / found.n_counts * 100
    assert np.allclose(top20, cells["pct_counts_in_top_20_genes"], rtol=1e-6)
    assert np.array_equal(found.feature_counts, features["total_counts"])
    assert np.array_equal(found.feature_cells, features["n_cells_by_counts"])


def test_normalised_values_are_scanpys(cells: Cells) -> None:
    theirs = cells.adata.copy()
    theirs.X = theirs.X.astype(np.float32)
    sc.pp.normalize_total(theirs, target_sum=1e4)
    sc.pp.log1p(theirs)
    ours = lognorm(sp.csr_matrix(cells.adata.X), cells.metrics.n_counts)
    ratio = ours.data / theirs.X.data
    print(f"{cells.case}: largest relative difference {np.abs(ratio - 1).max():.2g}")
    np.testing.assert_allclose(ratio, 1, rtol=0, atol=1e-6)


def test_variable_genes_are_scanpys_but_at_the_cut(cells: Cells, tmp_path: Path) -> None:
    """Flavor seurat among genes of three cells and more; genes within 1e-5 of the cut may differ."""
    n_top = N_TOP_GENES[cells.case]
    stats = measure_genes(
        [(0, sp.csr_matrix(cells.adata.X, dtype=np.int32))],
        cells.metrics.n_counts,
        pd.Series(cells.adata.var_names.to_numpy()),
        min_cells=3,
        n_top_genes=n_top,
        scratch=tmp_path,
    )
    theirs = cells.adata[:, stats["in_mask"].to_numpy()].copy()
    # The totals are over all genes, as ours are.
    theirs.X = sp.csr_matrix(theirs.X.multiply(1e4 / cells.metrics.n_counts[:, None]))
    sc.pp.log1p(theirs)
    sc.pp.highly_variable_genes(theirs, n_top_genes=n_top, flavor="seurat")
    found = set(stats.loc[stats["hvg_rank"] >= 0, "gene_id"])
    expected = set(theirs.var_names[theirs.var["highly_variable"]])
    score = theirs.var["dispersions_norm"]
    near = set(score.index[(score - score.nlargest(n_top).min()).abs() < NEAR_CUT])
    differing = found ^ expected
    print(f"{cells.case}: {len(found)} genes, {len(differing)} differ, {len(near)} at the cut")
    assert len(found) == n_top
    assert differing <= near
