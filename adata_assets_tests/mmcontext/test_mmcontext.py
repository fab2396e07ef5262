"""The training library mmcontext, unchanged and in an environment of its own, uses the demo.

Once with the links of each share store: local ones, those of a Hub, which redirect to another host,
presigned ones of Ceph's gateway and a public one of Nextcloud; and it trains on it.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adata_assets_tests.promises.published import read_all_rows
from adata_assets_tests.servers.radosgw import find_radosgw

VARIABLE = "ADATA_ASSETS_MMCONTEXT_PYTHON"
SCRIPT = Path(__file__).with_name("consume.py")
# Who has no gateway is told so at the end of the session.
STORES = ("demo", "hf_demo", "nextcloud_demo", *(["s3_demo"] if find_radosgw() else []))


@pytest.fixture(scope="module")
def python():
    """The interpreter of the environment that has the library."""
    found = os.environ.get(VARIABLE)
    if not found:
        pytest.skip(
            f"NOT TESTED: {VARIABLE} names no interpreter; `make test` builds the environment "
            "(constraints-mmcontext.txt) and sets the variable"
        )
    return found


@pytest.fixture(scope="module")
def stores(python, request):
    """The demo with its files in each store; all are served by this process."""
    return {name: request.getfixturevalue(name) for name in STORES}


@pytest.fixture(scope="module")
def told(python, stores, demo, demo_of_texts, tmp_path_factory):
    """What ``consume.py`` saw, over the served links."""
    folder = tmp_path_factory.mktemp("mmcontext")
    published = [str(dataset.published) for dataset in stores.values()]
    options = ["--train", str(demo_of_texts.published), "--ids", str(demo.published)]
    ended = subprocess.run(
        [python, str(SCRIPT), *published, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "hf"), "TMPDIR": str(folder)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.fixture(params=STORES)
def dataset(request, stores):
    """The demo in one store."""
    return stores[request.param]


@pytest.fixture
def summary(told, dataset):
    """What was seen of it."""
    return told[str(dataset.published)]


def test_every_cell_has_its_vector(summary, dataset):
    """C4, C10, C12: ids lead to vectors through the zarr link, equal to those of the h5ad."""
    rows = dataset.load("hf_splits").metadata["n_rows"]
    assert summary["n_rows"] == rows
    assert summary["n_files"] == len(dataset.graph.chunk_keys)
    assert summary["embeddings"] == {"X_hvg": 200, "X_pca": 50}


def test_rows_become_training_and_inference_data(summary):
    """C5, C6: anchors, positives and negatives resolve to what they stand for."""
    assert summary["training"] == ["anchor", "positive", "negative_1", "negative_2"]
    assert summary["inference"] == ["anchor", "sample_idx", "adata_link", "share_link"]


def test_chunks_load_through_their_links(summary, dataset):
    """C10, C13: zip and h5ad hold the same cells and nothing has to be removed from them.

    The reader of chunks knows an h5ad by the end of its link; a presigned one ends in its signature.
    """
    is_signed = "X-Amz-Signature" in read_all_rows(dataset)["share_link"].iloc[0]
    assert summary["links"] == ["adata_link", *([] if is_signed else ["share_link"])]
    n_vars = dataset.load("counts").metadata["n_vars"]
    test_cells = dataset.load("annotated_obs").metadata["split_sizes"]["test"]
    assert summary["chunk_shape"]["test"] == [test_cells, n_vars]


def test_each_store_was_asked(told, stores):
    """The vectors came over HTTP, from servers that are not each other."""
    hosts = [host for made in stores.values() for host in told[str(made.published)]["hosts"]]
    assert len(hosts) == len(set(hosts)) == len(STORES)
    for made in stores.values():
        assert {urlsplit(link).scheme for link in read_all_rows(made)["adata_link"]} == {"http"}


def test_an_epoch_of_its_training(told, demo):
    """Issue 6: its vector store, its data, its losses and the trainer, on vectors and on texts."""
    trained, n_rows = told["trained"], demo.load("hf_splits").metadata["n_rows"]
    both = {"cells", "sentences"}
    assert trained["n_rows"] == dict.fromkeys(both, n_rows["train"])
    columns = ["anchor", "positive", "negative_1", "negative_2"]
    assert trained["columns"] == dict.fromkeys(both, columns)
    assert trained["n_invented"] == dict.fromkeys(both, 0)
    assert trained["n_vectors"] == sum(n_rows.values())
    losses = trained["losses"]
    assert len(losses) == 2 * math.ceil(n_rows["train"] / 64)
    assert all(map(math.isfinite, losses))
    assert statistics.mean(losses[-6:]) < losses[0]
    # Chance is one half.
    assert min(trained["accuracies"].values()) > 0.6
    assert len(trained["accuracies"]) == len(both)


def test_every_parameter_learns(told):
    """The encoder of texts and the heads of both modalities; nothing reads the encoder's pooler."""
    trained = told["trained"]
    assert trained["n_parameters"] > 20
    pooler = "0.auto_model.pooler.dense"
    assert trained["unchanged"] == [f"{pooler}.weight", f"{pooler}.bias"]


def test_ids_of_negatives_are_lost_in_its_bimodal_training(told):
    """Why there is ``negatives.form: text``: the day this fails, ids can be used there as well."""
    assert told["left_as_ids"] == {"cells": [1.0, 1.0], "sentences": [0.0, 0.0]}
