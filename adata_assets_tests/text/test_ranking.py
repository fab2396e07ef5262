"""Gene sets of cell sentences, and genes sorted by counts over their median."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.text.cell_sentences import build_cell_sentences, build_vocabulary
from adata_assets.text.ranking import build_set_sentences, choose_genes, divide_by_median

VAR = pd.DataFrame(
    {
        "gene_id": [f"E{i}" for i in range(5)],
        "symbol": ["A", "B", "C", "D", "A"],
        "feature_class": "gene",
        "biotype": ["protein_coding", "lncRNA", None, "protein_coding", "lncRNA"],
    }
)
VOCABULARY = build_vocabulary(VAR, np.array([50, 40, 30, 20, 10]))
COUNTS = csr_matrix(np.array([[9, 8, 7, 6, 5], [0, 3, 2, 0, 0], [1, 0, 0, 1, 0]]))


def test_sentences_over_a_gene_set() -> None:
    is_coding = choose_genes("protein_coding", VAR, np.full(5, -1))
    assert is_coding.tolist() == [True, False, False, True, False]
    found, n_outside = build_set_sentences(COUNTS, VOCABULARY, is_coding, max_genes=5)
    # "A" is one token of two genes; the second cell expresses no gene of the set.
    assert found.to_pylist() == ["A D", "B C", "D A"]
    assert n_outside == 1
    is_variable = choose_genes("hvg", VAR, np.array([-1, 1, 0, -1, -1]))
    assert is_variable.tolist() == [False, True, True, False, False]
    everything, none = build_set_sentences(
        COUNTS, VOCABULARY, choose_genes("all", VAR, np.full(5, -1)), max_genes=5
    )
    assert everything == build_cell_sentences(COUNTS, VOCABULARY, max_genes=5)
    assert none == 0


def test_a_gene_set_without_genes_is_refused() -> None:
    with pytest.raises(InputError, match="sentences.gene_set is 'hvg', but none of the 5 genes"):
        choose_genes("hvg", VAR, np.full(5, -1))


@pytest.mark.parametrize("seed", range(3))
def test_genes_are_sorted_by_counts_over_their_median(seed: int) -> None:
    """Against a plain sort of the ratios; genes unseen in train come last."""
    rng = np.random.default_rng(seed)
    n_genes = 40
    counts = rng.poisson(1.5, (20, n_genes)) * rng.integers(1, 50, n_genes)
    median = np.where(rng.random(n_genes) < 0.1, np.nan, rng.uniform(0.3, 60, n_genes))
    ids = [f"G{i:02d}" for i in range(n_genes)]
    var = pd.DataFrame({"gene_id": ids, "symbol": ids, "feature_class": "gene"})
    total = np.where(np.isnan(median), 0, 100 + np.arange(n_genes))
    divided = divide_by_median(csr_matrix(counts), median)
    found = build_cell_sentences(divided, build_vocabulary(var, total), max_genes=n_genes)
    for row, sentence in zip(counts, found.to_pylist(), strict=True):
        ratio = row / np.where(np.isnan(median), np.inf, median)
        expressed = [i for i in range(n_genes) if row[i] > 0]
        order = sorted(expressed, key=lambda i: (-ratio[i], total[i] == 0, total[i], ids[i]))
        assert sentence.split(" ") == [ids[i] for i in order]
