"""Rank value encoding against a plain re-computation, and what dictionaries are refused.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with the two files below and the published
dictionaries in ``geneformer/``, those are tried as well.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.embedders import geneformer, geneformer_v1
from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.embedders.rank_tokens.dictionaries import find_dictionaries, load_dictionary
from adata_assets.embedders.rank_tokens.encode import RankTokens, encode_ranks, join_tokens
from adata_assets.embedders.rank_tokens.flavour import GC30M, GC95M, Flavour
from adata_assets.errors import InputError
from adata_assets_tests.embedders.tiny_geneformer import make_dictionaries, write_dictionaries

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
FILES = {"heart": "heart_san_cellxgene.h5ad", "covid": "covid_balf_liao2020.h5ad"}
CASES = ("generated", *(FILES if REAL_DATA else ()))
METHODS = {GC95M: geneformer, GC30M: geneformer_v1}


@dataclass
class Case:
    """Cells, the dictionaries as JSON tells them, and what the embedder makes of both."""

    cells: CellBlock
    token_of: dict[str, Any]
    median_of: dict[str, float]
    flavour: Flavour
    tokens: RankTokens

    def plain(self, cell: int) -> list[int]:
        """The published rule in plain Python, all genes, without the limit and special tokens."""
        row = self.cells.counts[cell]
        ranked = []
        for column, count in zip(row.indices.tolist(), row.data.tolist(), strict=True):
            gene = self.cells.gene_ids[column]
            if gene in self.token_of and count > 0:
                ranked.append((-(count / self.median_of[gene]), int(self.token_of[gene])))
        return [token for _, token in sorted(ranked)]


def as_cells(counts: sp.csr_matrix, gene_ids: list[str]) -> CellBlock:
    n_obs = counts.shape[0]
    ids = np.array([f"cell{i}" for i in range(n_obs)], dtype=object)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    return CellBlock(counts, totals, pd.Index(gene_ids), ids, ids)


def generated_cells() -> CellBlock:
    """60 cells of up to 6,500 genes, some of which have fewer than the limits."""
    rng = np.random.default_rng(8)
    rates = rng.gamma(0.5, 1.0, 6500) * np.linspace(0.01, 6, 60)[:, None]
    counts = sp.csr_matrix(rng.poisson(rates).astype(np.int32))
    return as_cells(counts, [f"ENSG{i:011d}" for i in range(6500)])


def read_cells(name: str) -> CellBlock:
    adata = ad.read_h5ad(Path(str(REAL_DATA)) / FILES[name])
    ids = adata.var.get("gene_ids", adata.var_names)
    counts = sp.csr_matrix(adata.X).astype(np.int32)
    return as_cells(counts, list(ids))


@pytest.fixture(scope="module", params=CASES)
def cells(request: pytest.FixtureRequest) -> CellBlock:
    return generated_cells() if request.param == "generated" else read_cells(request.param)


@pytest.fixture(scope="module", params=METHODS, ids=lambda flavour: flavour.vocabulary)
def case(
    request: pytest.FixtureRequest, cells: CellBlock, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    flavour = request.param
    if cells.gene_ids[1] == "ENSG00000000001":
        made = make_dictionaries(cells.gene_ids[:6400].tolist(), flavour)
        folder = write_dictionaries(tmp_path_factory.mktemp("made"), *made, flavour)
    else:
        folder = Path(str(REAL_DATA)) / "geneformer"
    paths = find_dictionaries(str(folder), flavour)
    token_of, median_of = (json.loads(gzip.decompress(path.read_bytes())) for path in paths)
    found = load_dictionary(*paths, flavour)
    arrays = {"token_ids": found.token_ids, "medians": found.medians}
    facts = {GENE_IDS: list(found.gene_ids), "special_tokens": dict(found.special)}
    method = METHODS[flavour]
    embedder = method.Embedder(method.Settings(model="none", dictionaries="none"))
    tokens = embedder.tokenize(cells, FrozenModel(arrays, facts))
    return Case(cells, token_of, median_of, flavour, tokens)


def test_tokens_equal_a_plain_recomputation(case: Case) -> None:
    """Every token of every cell, ties by token, for the dictionaries of both generations."""
    assert len(case.tokens.lengths) == case.cells.n_obs
    for cell in range(case.cells.n_obs):
        kept = case.plain(cell)[: case.flavour.max_genes]
        if case.flavour is GC95M:
            kept = [case.token_of["<cls>"], *kept, case.token_of["<eos>"]]
        assert case.tokens.of_cell(cell).tolist() == kept


def test_length_limits(case: Case) -> None:
    """V2: 4,096 tokens with ``<cls>`` and ``<eos>``; V1: 2,048 without special ones."""
    longest = max(len(case.plain(cell)) for cell in range(case.cells.n_obs))
    limit, n_special = {"gc95M": (4096, 2), "gc30M": (2048, 0)}[case.flavour.vocabulary]
    assert case.tokens.lengths.max() == min(limit, longest + n_special)
    first = case.tokens.ids[case.tokens.starts[:-1]]
    last = case.tokens.ids[case.tokens.starts[1:] - 1]
    special = [token for name, token in case.token_of.items() if name.startswith("<")]
    if n_special:
        assert (first == 2).all() and (last == 3).all()
        assert np.isin(case.tokens.ids, special).sum() == 2 * case.cells.n_obs
    else:
        assert not np.isin(case.tokens.ids, special).any()


def test_cells_reach_the_limits(cells: CellBlock) -> None:
    """Otherwise the test above says little: generated cells and covid's exceed 4,094 genes."""
    n_genes = np.diff(cells.counts.indptr)
    assert n_genes.max() > 4094 or cells.n_obs == 1000
    assert n_genes.min() < 2048


def test_stored_zeros_and_the_order_of_columns_do_not_matter() -> None:
    messy = sp.csr_matrix(
        (np.array([1, 0, 4, 2]), np.array([3, 0, 2, 1]), np.array([0, 4])), shape=(1, 4)
    )
    before = messy.copy()
    found = encode_ranks(messy, np.arange(5, 9), np.array([1.0, 2.0, 4.0, 1.0]), max_genes=9)
    assert found.ids.tolist() == [6, 7, 8]
    assert messy.indices.tolist() == before.indices.tolist() and messy.nnz == 4


def test_batches_hold_every_cell_once_and_are_bounded() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    tokens = RankTokens(np.zeros(lengths.sum(), np.int32), np.append(0, np.cumsum(lengths)))
    batches = list(tokens.batches(max_obs=16, max_tokens=200))
    assert sorted(np.concatenate(batches).tolist()) == list(range(300))
    assert all(len(cells) <= 16 and lengths[cells].max() * len(cells) <= 200 for cells in batches)
    assert max(len(cells) for cells in batches) == 16
    # Cells of a batch are of like length, so that little is padding.
    assert sum(lengths[cells].max() * len(cells) for cells in batches) < 1.1 * lengths.sum()


def test_a_cell_longer_than_a_batch_is_alone() -> None:
    tokens = RankTokens(np.zeros(12, np.int32), np.array([0, 10, 11, 12]))
    found = [cells.tolist() for cells in tokens.batches(max_obs=4, max_tokens=5)]
    assert found == [[0], [1, 2]]


def test_parts_are_joined_in_order() -> None:
    parts = [
        RankTokens(np.array([5, 6]), np.array([0, 2])),
        RankTokens(np.array([7]), np.array([0, 1])),
    ]
    joined = join_tokens(parts)
    assert [joined.of_cell(i).tolist() for i in range(2)] == [[5, 6], [7]]


def load(folder: Path, tokens: dict[str, Any], medians: dict[str, Any], flavour: Flavour) -> Any:
    write_dictionaries(folder, tokens, medians, flavour)
    return load_dictionary(*find_dictionaries(str(folder), flavour), flavour)


def test_tokens_that_are_written_as_floats_are_whole_numbers(tmp_path: Path) -> None:
    """The published gc30M dictionary has 2.0, 3.0, …"""
    tokens, medians = make_dictionaries(["ENSGa", "ENSGb"], GC30M)
    floats = {name: float(token) for name, token in tokens.items()}
    found = load(tmp_path / "a", floats, medians, GC30M)
    assert found.token_ids.tolist() == list(range(2, 9))
    assert found.content_hash == load(tmp_path / "b", tokens, medians, GC30M).content_hash
    with pytest.raises(InputError, match=r"the token of 'ENSGa' is 2\.5"):
        load(tmp_path / "c", {**floats, "ENSGa": 2.5}, medians, GC30M)


@pytest.mark.parametrize(
    ("change_tokens", "change_medians", "message"),
    [
        ({"ENSGa": 3}, {}, r"tokens are not 0 to 10, each once"),
        (
            {"ENSGnew": 11},
            {},
            r"no median for 1 of the 8 genes .*\['ENSGnew'\].*not of one release",
        ),
        ({}, {"ENSGa": 0.0}, r"the median of 'ENSGa' is 0\.0, which is no number above 0"),
        ({}, {"ENSGa": float("nan")}, r"the median of 'ENSGa' is nan"),
        ({}, {"ENSGa": "2"}, r"the median of 'ENSGa' is '2'"),
        ({"ENSGa": None}, {}, r"the token of 'ENSGa' is None"),
        ({"<unk>": 11}, {}, r"special tokens .*'<unk>'\]; that of gc95M has"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change_tokens, change_medians, message) -> None:
    tokens, medians = make_dictionaries(["ENSGa", "ENSGb"], GC95M)
    with pytest.raises(InputError, match=message):
        load(tmp_path, {**tokens, **change_tokens}, {**medians, **change_medians}, GC95M)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not JSON", "is neither JSON nor a pickle"),
        (b"[1, 2]", "holds no dictionary of names"),
        (b"[" * 100_000, "is neither JSON nor a pickle"),
        (b"\x1f\x8bbroken", r"cannot be read \(.*\): fetch it again"),
        (gzip.compress(b"{" + b" " * (65 << 20)), "has more than 67,108,864 bytes"),
    ],
)
def test_files_that_are_no_dictionary_are_refused(tmp_path, content, message) -> None:
    path = tmp_path / "token_dictionary_gc95M.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_dictionary(path, path, GC95M)


def test_published_dictionaries_of_two_generations_do_not_mix(tmp_path) -> None:
    """Each lacks genes of the other; generated ones are made so."""
    pairs = [(GC95M, GC30M), (GC30M, GC95M)]
    for own, other in pairs:
        if REAL_DATA:
            folder = Path(REAL_DATA) / "geneformer"
        else:
            folder = tmp_path
            for flavour in (own, other):
                made = make_dictionaries([f"ENSG{flavour.vocabulary}"], flavour)
                write_dictionaries(folder, *made, flavour)
        tokens = find_dictionaries(str(folder), own)[0]
        medians = find_dictionaries(str(folder), other)[1]
        with pytest.raises(InputError, match="the two are not of one release"):
            load_dictionary(tokens, medians, own)
