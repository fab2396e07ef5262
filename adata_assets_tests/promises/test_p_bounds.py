"""P19, P20: memory is bounded by what is not zero, and no Python code runs per cell or gene."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import measure_genes
from adata_assets.embedders.base.cells import CellBlock
from adata_assets.rows.facts import FactClasses, build_fact_classes
from adata_assets.rows.negatives import cell_keys, draw_negatives
from adata_assets.text.cell_sentences import (
    SentenceVocabulary,
    build_cell_sentences,
    build_vocabulary,
)
from adata_assets_tests.promises import old_pipeline as old


def _wide(n_obs: int, n_vars: int) -> sp.csr_matrix:
    rng = np.random.default_rng(1)
    columns = rng.integers(0, n_vars, n_obs * 100).reshape(n_obs, 100)
    rows = np.repeat(np.arange(n_obs), 100)
    ones = np.ones(rows.size, np.int32)
    matrix = sp.csr_matrix((ones, (rows, columns.ravel())), shape=(n_obs, n_vars))
    matrix.sum_duplicates()
    return matrix


def _peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _count_calls(work: Callable[[], object]) -> int:
    """Return how many Python functions are called; compiled code calls none."""
    n_calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal n_calls
        n_calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return n_calls


def _vocabulary(n_vars: int) -> SentenceVocabulary:
    ids = [f"ENSG{i:011d}" for i in range(n_vars)]
    symbols = [f"G{i}" for i in range(n_vars)]
    var = pd.DataFrame({"gene_id": ids, "symbol": symbols, "feature_class": "gene"})
    return build_vocabulary(var, np.ones(n_vars, np.int64))


def _gene_stats(counts: sp.csr_matrix, scratch: Path) -> pd.DataFrame:
    return measure_genes(
        [(0, counts)],
        np.full(counts.shape[0], 100),
        pd.Series([str(i) for i in range(counts.shape[1])]),
        min_cells=1,
        n_top_genes=100,
        scratch=scratch,
    )


def test_p19_nothing_is_dense(tmp_path: Path) -> None:
    """Sentences, gene statistics and values of 200 genes take a fraction of the dense matrix."""
    counts = _wide(4000, 5000)
    totals, vocabulary = np.full(counts.shape[0], 100), _vocabulary(counts.shape[1])
    ids, genes = np.arange(counts.shape[0]), pd.RangeIndex(counts.shape[1])
    works: list[Callable[[], object]] = [
        lambda: build_cell_sentences(counts, vocabulary, max_genes=50),
        lambda: _gene_stats(counts, tmp_path),
        lambda: CellBlock(counts, totals, genes, ids, ids).lognorm_of(genes[:200]),
    ]
    for work in works:
        work()
    dense = _peak_bytes(lambda: counts.astype(np.float64).toarray())
    assert all(_peak_bytes(work) * 4 < dense for work in works)


def test_p20_sentences_need_no_call_per_cell() -> None:
    small, large = _wide(20, 400), _wide(200, 400)
    symbols = [f"G{i}" for i in range(400)]
    by_loop = [
        _count_calls(lambda c=c: [old.sentence(row, symbols, 50) for row in c.toarray()])
        for c in (small, large)
    ]
    assert by_loop[1] > 9 * by_loop[0]
    vocabulary = _vocabulary(400)

    def build(counts: sp.csr_matrix) -> object:
        return build_cell_sentences(counts, vocabulary, max_genes=50)

    build(small)
    assert _count_calls(lambda: build(large)) < 1.2 * _count_calls(lambda: build(small))


def test_p20_gene_selection_needs_no_call_per_cell(tmp_path: Path) -> None:
    small, large = _wide(200, 300), _wide(2000, 300)
    _gene_stats(small, tmp_path)
    ours = [_count_calls(lambda c=c: _gene_stats(c, tmp_path)) for c in (small, large)]
    assert ours[1] < 1.2 * ours[0]


def test_p20_negatives_need_no_call_per_cell() -> None:
    def draw(n_obs: int) -> np.ndarray:
        classes, keys = cells[n_obs]
        return draw_negatives(classes, cell_key=keys, n_slots=2, seed=0, purpose="test")[0]

    def make(n_obs: int) -> tuple[FactClasses, np.ndarray]:
        types = pd.Series([f"type{i % 5}" for i in range(n_obs)])
        stated = pd.Series([f'{{"cell_type": "{name}"}}' for name in types])
        made = pd.Series(["made"] * n_obs)
        classes = build_fact_classes(types, made, stated, pd.DataFrame({"cell_type": types}))
        return classes, cell_keys([str(i) for i in range(n_obs)])

    cells = {n_obs: make(n_obs) for n_obs in (100, 1000)}
    draw(100)
    assert _count_calls(lambda: draw(1000)) < 1.2 * _count_calls(lambda: draw(100))
