"""Every method of the folder through the whole graph: in both files, in the scorecard, in the card.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with the three files below, they are tried as well;
their Geneformer has random weights and the published dictionaries.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from adata_assets.chunk.files import H5AD
from adata_assets.commit import sha256_of
from adata_assets.embedders.contract import embedder_names
from adata_assets.embedders.rank_tokens.flavour import GC30M, GC95M
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells
from adata_assets_tests.embedders.tiny_geneformer import (
    make_dictionaries,
    write_bert,
    write_dictionaries,
)

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
BY_CELL = {"train": 0.8, "validation": 0.1, "test": 0.1, "split_by": "cell"}
COVID = {"train": 0.9, "validation": 0.1, "test": 0}
PBMC_PANEL = ("CD3D", "MS4A1", "NKG7", "CD14", "LYZ", "FCGR3A", "PPBP", "CD8A", "IL7R", "GNLY")
# One needs a published checkpoint, which its own tests make.
ELSEWHERE = {"scvi_hub"}


def test_every_method_is_here_or_needs_published_weights():
    methods = {spec["method"] for spec in _small_embedders(Path("unused"), Path("unused"), "")}
    assert methods | ELSEWHERE == set(embedder_names())


def _geneformer(method: str, model: Path, dictionaries: Path) -> dict[str, Any]:
    return {
        "name": method,
        "method": method,
        "model": str(model),
        "dictionaries": str(dictionaries),
        "device": "cpu",
        "random_weights": True,
    }


def _small_embedders(folder: Path, pca: Path, sha256: str) -> list[dict[str, Any]]:
    return [
        {"name": "pca", "method": "pca", "n_dims": 5, "n_genes": 50},
        {"name": "hvg", "method": "hvg", "n_genes": 20},
        {"name": "noise", "method": "noise", "n_dims": 8},
        {"name": "scvi", "method": "scvi", "n_dims": 3, "n_hidden": 8, "max_epochs": 2},
        {"name": "panel", "method": "gene_set", "genes": ["GENE3", "GENE4", "GENE9", "NONE1"]},
        {"name": "their_pca", "method": "pca_given", "model": str(pca), "sha256": sha256},
        {"name": "given", "method": "precomputed", "obsm": "X_given"},
        _geneformer("geneformer", folder / "gc95M", folder / "dictionaries"),
        _geneformer("geneformer_v1", folder / "gc30M", folder / "dictionaries"),
    ]


def _write_pca(path: Path, genes: list[str]) -> Path:
    rng = np.random.default_rng(0)
    np.savez(
        path,
        genes=np.array(genes, dtype=str),
        means=rng.random(len(genes)),
        scales=np.ones(len(genes)),
        components=np.linalg.qr(rng.normal(size=(len(genes), 4)))[0].T,
    )
    return path


def _small(folder: Path) -> Dataset:
    adata = make_cells(200, 80, seed=5)
    adata.obsm["X_given"] = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)
    genes = adata.var["gene_ids"].tolist()
    for flavour in (GC95M, GC30M):
        tokens, medians = make_dictionaries(genes, flavour)
        write_dictionaries(folder / "dictionaries", tokens, medians, flavour)
        write_bert(folder / flavour.vocabulary, len(tokens), flavour)
    pca = _write_pca(folder / "pca.npz", genes[:40])
    embedders = _small_embedders(folder, pca, sha256_of(pca))
    spec = make_spec(write_cells(folder, adata), embedders=tuple(embedders), splits=BY_CELL)
    return Dataset.make(spec, folder).succeed()


def _real(folder: Path, file: str, embedders: list[dict[str, Any]], **fields: Any) -> Dataset:
    source = Path(str(REAL_DATA)) / file
    dictionaries = Path(str(REAL_DATA)) / "geneformer"
    model = write_bert(folder / "bert", 20_275, GC95M)
    spec = make_spec(
        source,
        qc={},
        n_top_genes=2000,
        sentences={"length": 100},
        embedders=(
            {"name": "pca", "method": "pca"},
            {"name": "hvg", "method": "hvg", "n_genes": 200},
            {"name": "noise", "method": "noise", "n_dims": 50},
            *embedders,
            _geneformer("geneformer", model, dictionaries),
        ),
        **fields,
    )
    return Dataset.make(spec, folder).succeed()


def _pbmc3k(folder: Path) -> Dataset:
    methods = [
        {"name": "scvi", "method": "scvi", "max_epochs": 40},
        {"name": "panel", "method": "gene_set", "genes": PBMC_PANEL},
    ]
    return _real(folder, "pbmc3k_raw.h5ad", methods, splits=BY_CELL)


def _covid(folder: Path) -> Dataset:
    methods = [
        {"name": "scvi", "method": "scvi", "max_epochs": 40},
        {"name": "panel", "method": "gene_set", "genes": PBMC_PANEL},
    ]
    return _real(folder, "covid_balf_liao2020.h5ad", methods, splits=COVID)


def _heart(folder: Path) -> Dataset:
    vectors = str(Path(str(REAL_DATA)) / "heart_san_transcriptformer_emb.npz")
    methods = [{"name": "transcriptformer", "method": "precomputed", "path": vectors}]
    return _real(folder, "heart_san_cellxgene.h5ad", methods, splits=BY_CELL)


CASES = {"generated": _small}
if REAL_DATA:
    CASES |= {"pbmc3k": _pbmc3k, "covid": _covid, "heart": _heart}


@pytest.fixture(scope="module", params=CASES)
def dataset(request, tmp_path_factory) -> Dataset:
    """One dataset with all its embeddings."""
    return CASES[request.param](tmp_path_factory.mktemp(request.param))


def test_c12_both_files_hold_every_embedding(dataset):
    """C12: dense float32, finite, one width in all chunks."""
    widths: dict[str, set[int]] = {}
    for key in dataset.graph.chunk_keys:
        adata = ad.read_h5ad(dataset.load("chunk_files", key).local(H5AD))
        for embedder in dataset.spec.embedders:
            vectors = adata.obsm[f"X_{embedder.name}"]
            assert vectors.dtype == np.float32
            assert np.isfinite(vectors).all()
            widths.setdefault(embedder.name, set()).add(vectors.shape[1])
    assert {name: len(found) for name, found in widths.items()} == dict.fromkeys(widths, 1)
    assert set(widths) == {embedder.name for embedder in dataset.spec.embedders}


def test_every_embedding_is_in_the_scorecard_and_the_card(dataset):
    table = read_table(dataset.load("embedding_scorecard").local("scorecard.parquet"))
    print(table.to_string())
    assert set(table["embedder"]) == {embedder.name for embedder in dataset.spec.embedders}
    verdicts = table.groupby("embedder")["verdict"].agg(set)
    assert verdicts["noise"] == {"exempt"}
    assert verdicts["geneformer"] == {"exempt"}
    card = (dataset.published / "README.md").read_text()
    assert all(f"| `{embedder.name}` |" in card for embedder in dataset.spec.embedders)
