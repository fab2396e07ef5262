"""The training library mmcontext, unchanged and in an environment of its own, uses the demo.

Once with the links of the local store, and once with those of a Hub, which redirect to another host.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

VARIABLE = "ADATA_ASSETS_MMCONTEXT_PYTHON"
SCRIPT = Path(__file__).with_name("consume.py")


@pytest.fixture(scope="module", params=["demo", "hf_demo"])
def dataset(request):
    """The demo, with its files in one store and in another; both are served by this process."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def summary(dataset, tmp_path_factory):
    """What ``consume.py`` saw, over the served links."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(
            f"NOT TESTED: {VARIABLE} names no interpreter; `make test` builds the environment "
            "(constraints-mmcontext.txt) and sets the variable"
        )
    folder = tmp_path_factory.mktemp("mmcontext")
    ended = subprocess.run(
        [python, str(SCRIPT), str(dataset.published)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "HF_HOME": str(folder / "hf"), "TMPDIR": str(folder)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


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


def test_chunks_load_through_either_link(summary, dataset):
    """C10, C13: zip and h5ad hold the same cells and nothing has to be removed from them."""
    n_vars = dataset.load("counts").metadata["n_vars"]
    test_cells = dataset.load("annotated_obs").metadata["split_sizes"]["test"]
    assert summary["chunk_shape"]["test"] == [test_cells, n_vars]
