"""The streaming pass: its numbers are those of a plain re-computation, however it is cut."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.annotation.genes.build import Genes
from adata_assets.annotation.measure import CellMetrics, measure_cells

PER_CELL = ("n_counts", "n_genes", "n_counts_mt", "n_counts_top20", "n_sentence_genes")


def make_genes(gene_index, *, n_mt: int = 1, n_other: int = 0) -> Genes:
    """Return genes of which the first are mitochondrial and the last of another class."""
    gene_index = np.asarray(gene_index, np.int32)
    n_genes = int(gene_index.max(initial=-1)) + 1
    place = np.arange(n_genes)
    var = pd.DataFrame(
        {
            "gene_id": pd.Series([f"g{i}" for i in place], dtype=object),
            "is_mt": place < n_mt,
            "in_all_sources": True,
            "feature_class": np.where(place < n_genes - n_other, "gene", "antibody"),
        }
    )
    return Genes(var, gene_index)


def measure(matrix, genes: Genes, *, n_rows: int = 3, dtype: str = "i4") -> CellMetrics:
    starts = range(0, len(matrix), n_rows)
    blocks = [(at, sp.csr_matrix(matrix[at : at + n_rows].astype(dtype))) for at in starts]
    return measure_cells(blocks, genes, n_obs=len(matrix))


def sum_genes(matrix, genes: Genes):
    merged = np.zeros((len(matrix), len(genes.var)), np.int64)
    np.add.at(merged.T, genes.gene_index, matrix.T.astype(np.int64))
    return merged


@st.composite
def families(draw):
    """Cells by features, many of them empty, and features that share genes."""
    n_obs, n_features = draw(st.integers(0, 8)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_genes = draw(st.integers(1, n_features))
    gene_index = np.r_[np.arange(n_genes), rng.integers(0, n_genes, n_features - n_genes)]
    largest = draw(st.sampled_from([1, 3, 1000, 2**31 - 1]))
    counts = rng.integers(0, largest, (n_obs, n_features), endpoint=True)
    counts *= rng.random((n_obs, n_features)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    return counts.astype(np.int32), rng.permutation(gene_index), n_genes


@settings(deadline=None, max_examples=300, derandomize=True)
@given(families(), st.integers(1, 8))
def test_numbers_are_those_of_numpy(family, n_rows):
    """Duplicated gene ids count as one gene, and every UMI is accounted for."""
    matrix, gene_index, n_genes = family
    genes = make_genes(gene_index, n_mt=n_genes // 4, n_other=n_genes // 3)
    found = measure(matrix, genes, n_rows=n_rows)
    merged = sum_genes(matrix, genes)
    is_mt = genes.var["is_mt"].to_numpy()
    is_gene = (genes.var["feature_class"] == "gene").to_numpy()
    assert np.array_equal(found.n_counts, merged.sum(axis=1))
    assert np.array_equal(found.n_genes, (merged > 0).sum(axis=1))
    assert np.array_equal(found.n_counts_mt, merged[:, is_mt].sum(axis=1))
    assert np.array_equal(found.n_sentence_genes, (merged[:, is_gene] > 0).sum(axis=1))
    assert np.array_equal(found.n_counts_top20, np.sort(merged, axis=1)[:, -20:].sum(axis=1))
    assert np.array_equal(found.feature_counts, matrix.sum(axis=0, dtype=np.int64))
    assert np.array_equal(found.feature_cells, (matrix > 0).sum(axis=0))
    assert found.feature_counts.sum() == found.n_counts.sum()
    assert {getattr(found, name).dtype for name in PER_CELL} == {np.dtype("i8")}


@settings(deadline=None, max_examples=100, derandomize=True)
@given(families(), st.randoms(use_true_random=False))
def test_fingerprints_are_equal_for_equal_cells_alone(family, random):
    """Whatever the order of the features, and whichever of two features of a gene has the count."""
    matrix, gene_index, _ = family
    genes = make_genes(gene_index)
    order = list(range(len(gene_index)))
    random.shuffle(order)
    shuffled = measure(matrix[:, order], Genes(genes.var, genes.gene_index[order]))
    found = measure(matrix, genes)
    assert np.array_equal(shuffled.fingerprint, found.fingerprint)
    merged = sum_genes(matrix, genes)
    once = measure(merged, make_genes(np.arange(len(genes.var))), dtype="i8")
    assert np.array_equal(once.fingerprint, found.fingerprint)
    kinds = Counter(row.tobytes() for row in merged)
    assert len({row.tobytes() for row in found.fingerprint}) == len(kinds)


def test_stored_zeros_are_no_genes():
    block = sp.csr_matrix((np.array([0, 2, 0], "i4"), [0, 1, 2], [0, 2, 3]), shape=(2, 3))
    found = measure_cells([(0, block)], make_genes([0, 1, 2]), n_obs=2)
    assert found.n_genes.tolist() == [1, 0]
    assert found.feature_cells.tolist() == [0, 1, 0]
    plain = measure_cells([(0, sp.csr_matrix(block.toarray()))], make_genes([0, 1, 2]), n_obs=2)
    assert np.array_equal(found.fingerprint, plain.fingerprint)


def test_blocks_are_left_as_they_are():
    block = sp.csr_matrix(np.array([[1, 2, 0], [0, 3, 4]], "i4"))
    before = block.copy()
    measure_cells([(0, block)], make_genes([0, 0, 1]), n_obs=2)
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(block, part), getattr(before, part))


@pytest.mark.parametrize("name", ["indices", "indptr"])
def test_wide_indices_give_the_same(name):
    matrix = np.array([[1, 0, 2], [0, 3, 0]], "i4")
    block = sp.csr_matrix(matrix)
    setattr(block, name, getattr(block, name).astype(np.int64))
    found = measure_cells([(0, block)], make_genes([0, 1, 2]), n_obs=2)
    expected = measure(matrix, make_genes([0, 1, 2]))
    for metric in (*PER_CELL, "fingerprint"):
        assert np.array_equal(getattr(found, metric), getattr(expected, metric))
