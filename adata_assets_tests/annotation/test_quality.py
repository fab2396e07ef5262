"""Metrics per cell, fixed rules, duplicates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from adata_assets.annotation.genes import build_genes
from adata_assets.annotation.measure import measure_cells
from adata_assets.annotation.quality import find_removals, percent
from adata_assets.spec import QCRules
from adata_assets_tests.datasets import make_cells


def measure(matrix, names):
    genes = build_genes(pd.DataFrame(index=names))
    blocks = [(0, sp.csr_matrix(matrix[:3])), (3, sp.csr_matrix(matrix[3:]))]
    return measure_cells(blocks, genes, n_obs=len(matrix))


def removals(metrics, n_obs, *, rules=None, primary=None, subset=False):
    return find_removals(
        metrics,
        rules or QCRules(min_genes=0),
        sample_idx=pd.Series([f"c{i}" for i in range(n_obs)], dtype=object),
        is_primary_data=primary,
        is_gene_subset=subset,
    )


def test_metrics_equal_scanpys():
    adata = make_cells(40, 60)
    genes = build_genes(adata.var)
    found = measure_cells([(0, adata.X.astype(np.int32))], genes, n_obs=40)
    adata.var["mt"] = adata.var_names.str.startswith("MT-")
    table, _ = sc.pp.calculate_qc_metrics(adata, qc_vars=["mt"], percent_top=None, log1p=False)
    assert np.array_equal(found.n_counts, table["total_counts"])
    assert np.array_equal(found.n_genes, table["n_genes_by_counts"])
    pct_mt = percent(found.n_counts_mt, found.n_counts)
    assert np.allclose(pct_mt, table["pct_counts_mt"], rtol=1e-6)


@pytest.mark.parametrize(
    ("rules", "rule", "value"),
    [
        (QCRules(min_genes=3), "min_genes", "2"),
        (QCRules(min_genes=0, min_counts=4), "min_counts", "3"),
        (QCRules(min_genes=0, max_pct_mt=20), "max_pct_mt", "33.3333"),
    ],
)
def test_p12_each_rule_removes_with_its_value(rules, rule, value):
    matrix = np.array([[1, 2, 0, 0], [0, 9, 9, 9], [0, 5, 5, 5], [0, 5, 5, 6]], np.int32)
    table = removals(measure(matrix, ["MT-A", "B", "C", "D"]), 4, rules=rules)
    assert table["removed_rule"].tolist() == [rule, None, None, None]
    assert table["removed_value"].tolist() == [value, None, None, None]


def test_rules_on_genes_do_not_apply_to_a_gene_subset():
    matrix = np.array([[1, 2, 0, 0]], np.int32)
    rules = QCRules(min_genes=3, max_pct_mt=1)
    table = removals(measure(matrix, ["MT-A", "B", "C", "D"]), 1, rules=rules, subset=True)
    assert table["removed_rule"].isna().all()


def test_cells_without_counts_and_secondary_data_are_removed():
    matrix = np.array([[0, 0], [1, 2], [2, 1]], np.int32)
    primary = pd.Series([True, False, True])
    table = removals(measure(matrix, ["A", "B"]), 3, primary=primary)
    assert table["removed_rule"].tolist() == ["no_counts", "is_primary_data", None]


def test_duplicates_keep_the_smallest_id_whatever_the_gene_order():
    rng = np.random.default_rng(0)
    cell = rng.integers(1, 9, 250).astype(np.int32)
    other = cell.copy()
    other[3] += 1
    table = removals(measure(np.array([cell, other, cell, cell]), [f"G{i}" for i in range(250)]), 4)
    assert table["removed_rule"].tolist() == [None, None, "duplicate_of", "duplicate_of"]
    assert table["removed_value"].tolist() == [None, None, "c0", "c0"]
    shuffled = measure(np.array([cell[::-1]]), [f"G{i}" for i in range(250)][::-1])
    straight = measure(np.array([cell]), [f"G{i}" for i in range(250)])
    assert np.array_equal(shuffled.fingerprint, straight.fingerprint)


def test_small_cells_are_never_called_duplicates():
    matrix = np.ones((4, 50), np.int32)
    table = removals(measure(matrix, [f"G{i}" for i in range(50)]), 4)
    assert table["removed_rule"].isna().all()
