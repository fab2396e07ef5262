"""C6: hard negatives in the graph: near and valid, counted in the manifest, told in the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adata_assets.freshness import Node, find_stale
from adata_assets.hub.lint import PublishedFolder, lint_folder
from adata_assets.hub.manifest import read_manifest
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.independent.prove import prove
from adata_assets_tests.promises.families import HARD_SHARE, copy_of
from adata_assets_tests.promises.published import read_card, read_files, read_rows

SLOTS = ["negative_1_idx", "negative_2_idx"]
BASE_URL = "http://127.0.0.1:8765"


def find_nearest(dataset: Dataset, split: str) -> np.ndarray:
    """For each cell of a split its nearest cells of another type, from the shared files alone."""
    files = list(read_files(dataset).values())
    ids = np.concatenate([adata.obs_names for adata in files])
    place = {name: i for i, name in enumerate(ids)}
    own = [place[name] for name in read_rows(dataset)[split]["sample_idx"]]
    vectors = np.concatenate([adata.obsm["X_pca"] for adata in files])[own].astype(np.float64)
    types = np.concatenate([adata.obs["cell_type"].astype(str) for adata in files])[own]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = np.where(types[:, None] != types[None, :], vectors @ vectors.T, -2)
    return ids[own][np.argsort(-cosine, axis=1)[:, : len(SLOTS)]]


def test_hard_negatives_are_the_nearest_cells_that_contradict(donors: Dataset) -> None:
    """Splits of this size are looked at whole; slots that are not hard seldom hold the nearest."""
    counts = read_manifest(donors.published)["negatives"]["counts"]
    for split, rows in read_rows(donors).items():
        found = rows[SLOTS].to_numpy()
        is_nearest = (found[:, :, None] == find_nearest(donors, split)[:, None, :]).any(axis=2)
        n_hard = counts[f"data/{split}"]["hard"]
        assert n_hard <= is_nearest.sum() <= n_hard + 0.2 * found.size
        assert sum(counts[f"data/{split}"].values()) == found.size


def test_the_share_is_that_of_the_settings(donors: Dataset) -> None:
    told = read_manifest(donors.published)["negatives"]["counts"]
    total = {kind: sum(own[kind] for own in told.values()) for kind in next(iter(told.values()))}
    assert total["same_batch"] == 0
    assert total["hard"] / sum(total.values()) == pytest.approx(HARD_SHARE, abs=0.08)


def test_manifest_and_card_name_the_space(donors: Dataset) -> None:
    told = read_manifest(donors.published)["negatives"]
    assert told["hard_by"] == {
        "embedder": "pca",
        "measure": "cosine",
        "method": "pca",
        "model_hash": donors.load("models/pca").data_version,
        "n_looked_at": 512,
    }
    card = " ".join(read_card(donors).split())
    assert "A share of 0.3 of the negatives is hard" in card
    assert f"model hash `{told['hard_by']['model_hash']}`" in card
    train = told["counts"]["data/train"]
    assert f"| `train` | {train['hard']} | {train['uniform']} |" in card


def test_the_proof_and_the_lint_hold(donors: Dataset) -> None:
    share = Path(donors.storage.root.path) / "share"
    assert prove(donors.published, {BASE_URL: share}, [], 20) == []
    assert lint_folder(PublishedFolder(donors.published)) == []


def test_rows_are_made_of_the_embedding(donors: Dataset, tmp_path: Path) -> None:
    """Another embedder makes the rows stale; without hard negatives it is no input."""
    chunks = donors.graph.chunk_keys
    inputs = donors.load("hf_splits").inputs
    for key in chunks:
        name = f"embeddings/pca@{key}"
        assert inputs[name] == donors.load("embeddings/pca", key).data_version
    assert not [name for name in inputs if name.startswith("embeddings/hvg")]
    node = Node("hf_splits")
    assert Node("embeddings/pca", chunks[0]) in donors.graph.inputs_of(node)
    plain = copy_of(donors, tmp_path, negatives={})
    assert Node("embeddings/pca", chunks[0]) not in plain.graph.inputs_of(node)
    assert list(find_stale(plain.graph, plain.storage, plain.instance)) == [node]
    plain.succeed()
    told = read_manifest(plain.published)["negatives"]
    assert told["hard_by"] is None
    assert {own["hard"] for own in told["counts"].values()} == {0}
    assert "is hard" not in read_card(plain)
    ours, theirs = read_rows(plain)["train"], read_rows(donors)["train"]
    is_same = (ours[SLOTS] == theirs[SLOTS]).to_numpy().mean()
    assert 0.5 < is_same < 0.85
