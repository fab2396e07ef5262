"""C5, P3, P20: cell sentences hold expressed genes only, in a total documented order."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix, vstack

from adata_assets.errors import InputError
from adata_assets.text import cell_sentences
from adata_assets.text.cell_sentences import (
    SentenceVocabulary,
    build_cell_sentences,
    build_vocabulary,
    count_sentence_genes,
)

N_OBS, N_GENES = 300, 400


def make_var(n_genes: int = N_GENES) -> pd.DataFrame:
    """Every 7th gene shares a symbol with its neighbour, every 11th has none, some are not genes."""
    return pd.DataFrame(
        {
            "gene_id": [f"ENSG{i:05d}" for i in range(n_genes)],
            "symbol": [None if i % 11 == 0 else f"S{i - (i % 7 == 1)}" for i in range(n_genes)],
            "feature_class": ["spike-in" if i % 50 == 3 else "gene" for i in range(n_genes)],
        }
    )


def make_counts(seed: int = 0) -> csr_matrix:
    """Mostly ties: counts of 0, 1 and 2, a few large ones, one cell with nothing."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.3, 2.0, N_GENES), size=(N_OBS, N_GENES))
    counts[5] = 0
    counts[:, 17] = 0
    return csr_matrix(counts)


def totals(counts: csr_matrix) -> np.ndarray:
    return np.asarray(counts.sum(axis=0)).ravel()


def sentence_by_definition(
    counts: np.ndarray, var: pd.DataFrame, total_train: np.ndarray, max_genes: int
) -> str:
    """The rule of the design in plain Python, for one cell."""
    of_token: dict[str, list[tuple[int, int, str]]] = {}
    for row, count, total in zip(var.itertuples(), counts, total_train, strict=True):
        if row.feature_class == "gene":
            token = row.symbol or row.gene_id
            of_token.setdefault(token, []).append((int(count), int(total), row.gene_id))
    keys = []
    for token, genes in of_token.items():
        count, total = sum(g[0] for g in genes), sum(g[1] for g in genes)
        if count:
            keys.append((-count, total == 0, total, min(g[2] for g in genes), token))
    return " ".join(key[-1] for key in sorted(keys)[:max_genes])


@pytest.mark.parametrize("max_genes", [1, 7, 50, 1000])
def test_sentences_follow_the_definition(max_genes: int) -> None:
    var, counts = make_var(), make_counts()
    vocabulary = build_vocabulary(var, totals(counts[:200]))
    sentences = build_cell_sentences(counts, vocabulary, max_genes=max_genes)
    sentences.validate(full=True)
    expected = [
        sentence_by_definition(row, var, totals(counts[:200]), max_genes)
        for row in counts.toarray()
    ]
    assert sentences.to_pylist() == expected
    assert sentences[5].as_py() == ""


def test_p3_old_rule_lists_unexpressed_genes_in_file_order() -> None:
    """P3: the old rule takes the top n of the dense row, whatever is in it."""

    def old_sentence(counts: np.ndarray, symbols: list[str], n: int) -> list[str]:
        return [symbols[i] for i in np.argsort(-counts, kind="stable")[:n]]

    counts = make_counts()
    symbols = [f"S{i}" for i in range(N_GENES)]
    var = pd.DataFrame({"gene_id": symbols, "symbol": symbols, "feature_class": "gene"})
    n_genes, dense = 200, make_counts().toarray()
    old = [old_sentence(row, symbols, n_genes) for row in dense]
    is_unexpressed = [
        row[symbols.index(g)] == 0 for row, genes in zip(dense, old, strict=True) for g in genes
    ]
    assert np.mean(is_unexpressed) > 0.3

    shuffled = np.random.default_rng(1).permutation(N_GENES)
    old_again = old_sentence(dense[0][shuffled], [symbols[i] for i in shuffled], n_genes)
    assert old_again != old[0]

    vocabulary = build_vocabulary(var, totals(counts))
    ours = build_cell_sentences(counts, vocabulary, max_genes=n_genes)
    for row, sentence in zip(dense, ours.to_pylist(), strict=True):
        assert all(row[symbols.index(gene)] > 0 for gene in sentence.split())


def test_ties_put_rarer_genes_first_and_unseen_ones_last() -> None:
    var = pd.DataFrame({"gene_id": list("abcde"), "symbol": list("VWXYZ"), "feature_class": "gene"})
    vocabulary = build_vocabulary(var, np.array([0, 9, 3, 3, 1]))
    sentences = build_cell_sentences(
        csr_matrix([[1, 1, 1, 1, 1], [1, 2, 1, 1, 3]]), vocabulary, max_genes=5
    )
    assert sentences.to_pylist() == ["Z X Y W V", "Z W X Y V"]


def test_symbols_are_merged_and_ids_stand_in() -> None:
    """Shared symbols are summed; blanks inside become "_"; no symbol or a blank one is the id."""
    var = pd.DataFrame(
        {
            "gene_id": ["g1", "g2", "g3", "g4", "g5", "g6"],
            "symbol": ["HLA A", "HLA_A", None, " \t", "g3", "nCoV"],
            "feature_class": ["gene"] * 5 + ["virus"],
        }
    )
    vocabulary = build_vocabulary(var, np.array([5, 1, 1, 0, 1, 99]))
    assert vocabulary.tokens.to_pylist() == ["g3", "HLA_A", "g4"]
    assert vocabulary.token_of_gene.tolist() == [1, 1, 0, 2, 0, -1]
    counts = csr_matrix([[2, 2, 0, 3, 0, 50], [0, 0, 0, 0, 0, 7]])
    assert build_cell_sentences(counts, vocabulary, max_genes=9).to_pylist() == ["HLA_A g4", ""]


def test_same_bytes_for_any_order_chunking_and_threads() -> None:
    """P3: order of cells and genes, slices, dtypes, repeated entries and threads change nothing."""
    var, counts = make_var(), make_counts()
    vocabulary = build_vocabulary(var, totals(counts))
    whole = build_cell_sentences(counts, vocabulary, max_genes=40)

    slices = [counts[i : i + 37] for i in range(0, N_OBS, 37)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda c: build_cell_sentences(c, vocabulary, max_genes=40), slices))
    assert pa.concat_arrays(parts) == whole

    rng = np.random.default_rng(3)
    cells, genes = rng.permutation(N_OBS), rng.permutation(N_GENES)
    shuffled = counts[cells][:, genes]
    shuffled_var = var.iloc[genes].reset_index(drop=True)
    again = build_vocabulary(shuffled_var, totals(shuffled))
    assert again.tokens == vocabulary.tokens
    assert build_cell_sentences(shuffled, again, max_genes=40) == whole.take(pa.array(cells))

    for dtype in (np.uint16, np.int64, np.float32, np.float64):
        assert build_cell_sentences(counts.astype(dtype), vocabulary, max_genes=40) == whole
    twice = csr_matrix(
        (np.repeat(counts.data, 2), np.repeat(counts.indices, 2), counts.indptr * 2), counts.shape
    )
    assert build_cell_sentences(twice, vocabulary, max_genes=40) == whole


def test_repeated_entries_of_a_narrow_type_do_not_wrap() -> None:
    var = pd.DataFrame({"gene_id": ["a", "b"], "symbol": ["A", "B"], "feature_class": "gene"})
    entries = np.array([200, 100, 250], dtype=np.uint8)
    counts = csr_matrix((entries, np.array([0, 0, 1]), np.array([0, 3])), shape=(1, 2))
    vocabulary = build_vocabulary(var, np.array([1, 1]))
    assert build_cell_sentences(counts, vocabulary, max_genes=2).to_pylist() == ["A B"]


def test_rank_decides_not_the_order_of_tokens() -> None:
    vocabulary = SentenceVocabulary(
        np.array([0, 1, 2], np.int32), pa.array(["A", "Bé", "C"]), np.array([30, 10, 20], np.int32)
    )
    sentences = build_cell_sentences(csr_matrix([[1, 1, 1]]), vocabulary, max_genes=3)
    assert sentences.to_pylist() == ["Bé C A"]


def test_no_cells_and_no_genes() -> None:
    vocabulary = build_vocabulary(make_var(), np.zeros(N_GENES, np.int64))
    assert len(build_cell_sentences(csr_matrix((0, N_GENES)), vocabulary, max_genes=5)) == 0
    empty = build_vocabulary(make_var(0), np.zeros(0, np.int64))
    assert build_cell_sentences(csr_matrix((2, 0)), empty, max_genes=5).to_pylist() == ["", ""]


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan, np.inf, 1e18])
def test_what_is_no_count_is_refused_with_its_place(value: float) -> None:
    """P9: log values and the like never pass as counts, nothing is truncated."""
    vocabulary = build_vocabulary(make_var(3), np.array([1, 1, 1]))
    counts = csr_matrix(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, value]]))
    with pytest.raises(InputError, match="row 1, gene 2 .* holds " + re.escape(str(value))):
        build_cell_sentences(counts, vocabulary, max_genes=2)


def test_other_genes_and_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = make_counts()
    vocabulary = build_vocabulary(make_var(), totals(counts))
    with pytest.raises(InputError, match=r"counts have 10 genes .* built for 400"):
        build_cell_sentences(counts[:, :10], vocabulary, max_genes=2)
    with pytest.raises(InputError, match="max_genes is 0"):
        build_cell_sentences(counts, vocabulary, max_genes=0)
    monkeypatch.setattr(cell_sentences, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="one array holds 100: use more chunks"):
        build_cell_sentences(counts, vocabulary, max_genes=20)


def test_a_gene_beyond_the_matrix_is_refused() -> None:
    counts = csr_matrix(np.ones((2, 3), dtype=np.int32))
    counts.indices[4] = 1_000_000
    vocabulary = build_vocabulary(make_var(3), np.array([1, 1, 1]))
    with pytest.raises(InputError, match=r"row 1 .* gene 1000000 of 3"):
        build_cell_sentences(counts, vocabulary, max_genes=2)


def test_vocabulary_refuses_bad_tables() -> None:
    var = make_var(3)
    with pytest.raises(InputError, match=r"shape \(2,\) but var has 3"):
        build_vocabulary(var, np.array([1, 2]))
    with pytest.raises(InputError, match="'ENSG00001' has the total -4"):
        build_vocabulary(var, np.array([1, -4, 0]))
    with pytest.raises(InputError, match="'ENSG00000' occurs twice"):
        build_vocabulary(var.assign(gene_id="ENSG00000"), np.array([1, 4, 0]))
    with pytest.raises(InputError, match="' ' in var is blank"):
        build_vocabulary(var.assign(gene_id=[" ", "b", "c"], symbol=None), np.array([1, 4, 0]))


def test_sentence_genes_are_counted() -> None:
    """S4: the stated length comes from the sentences themselves."""
    counts = count_sentence_genes(pa.array(["A B C", "", "A"]))
    assert counts.dtype == np.int32
    assert counts.tolist() == [3, 0, 1]
    with pytest.raises(InputError, match="row 1 is null"):
        count_sentence_genes(pa.array(["A", None]))


def test_many_cells_match_slices_of_a_stack() -> None:
    counts = vstack([make_counts(seed) for seed in range(3)]).tocsr()
    vocabulary = build_vocabulary(make_var(), totals(counts))
    whole = build_cell_sentences(counts, vocabulary, max_genes=25)
    middle = build_cell_sentences(counts[N_OBS : 2 * N_OBS], vocabulary, max_genes=25)
    assert whole.slice(N_OBS, N_OBS) == middle
    assert count_sentence_genes(whole).max() == 25
