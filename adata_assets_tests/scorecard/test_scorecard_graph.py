"""The scorecard in the graph: measured, shown, published, and blocking where there is no signal."""

from __future__ import annotations

import dagster as dg
import pytest

from adata_assets.embedders import noise
from adata_assets.freshness import Node, find_stale
from adata_assets.schemas.scorecard import ScorecardSchema
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells

EMBEDDERS = (
    {"name": "pca", "method": "pca", "n_dims": 5, "n_genes": 50},
    {"name": "noise", "method": "noise", "n_dims": 8},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scorecard")


@pytest.fixture(scope="module")
def dataset(folder):
    """600 cells of four types, 120 of them in validation and in test each."""
    cells = write_cells(folder, make_cells(600, seed=3))
    spec = make_spec(cells, embedders=EMBEDDERS, keys={"batch": "donor_id"})
    return Dataset.make(spec, folder).succeed()


def test_every_embedding_is_measured_on_every_held_out_split(dataset):
    stored = dataset.load("embedding_scorecard")
    table = ScorecardSchema.validate(read_table(stored.local("scorecard.parquet")))
    assert table["embedder"].tolist() == ["pca", "pca", "noise", "noise"]
    assert table["split"].tolist() == ["validation", "test"] * 2
    assert table["verdict"].tolist() == ["passes", "passes", "exempt", "exempt"]
    assert table["ilisi"].between(0.3, 1).all()
    assert stored.metadata["label_column"] == "cell_type"
    assert sorted(stored.files) == ["figures/noise.png", "figures/pca.png", "scorecard.parquet"]


def test_table_and_pictures_are_seen_in_the_ui(dataset):
    event = dataset.instance.get_latest_materialization_event(
        dg.AssetKey(["cells", "embedding_scorecard"])
    )
    shown = event.asset_materialization.metadata
    assert "| `pca` | validation | passes |" in shown["scorecard"].value
    for name in ("pca", "noise"):
        assert shown[f"picture_{name}"].value.startswith(f"![{name}: held-out cells")
        assert len(shown[f"picture_{name}"].value) < 140_000


def test_the_card_repeats_the_figures_and_shows_the_pictures(dataset):
    """S8, S10: the card and its pictures are published together; no absolute path in it."""
    card = (dataset.published / "README.md").read_text()
    section = card.split("## Embeddings, measured on held-out cells")[1].split("\n## ")[0]
    assert "| `pca` | validation | passes |" in section
    assert "](figures/pca.png)" in section
    assert (dataset.published / "figures" / "pca.png").read_bytes().startswith(b"\x89PNG")
    assert str(dataset.storage.root.path) not in card
    assert "embedding_scorecard" in dataset.load("hf_splits").inputs


def test_labels_that_stay_on_the_machine_are_not_named(dataset, folder):
    spec = make_spec(
        folder / "raw.h5ad", embedders=EMBEDDERS, format="single", drop_obs=["cell_type"]
    )
    private = Dataset.make(spec.model_copy(update={"dataset_id": "private"}), folder).succeed()
    assert private.load("embedding_scorecard").metadata["label_column"] is None
    card = (private.published / "README.md").read_text()
    assert "Cell types are not named here." in card
    assert "monocyte" not in card


def test_an_input_that_is_noise_stops_the_release(folder, tmp_path, monkeypatch):
    """A blocking check: chunks and links are there, rows and card are not made."""
    monkeypatch.setattr(noise.Embedder, "role", "input")
    spec = make_spec(folder / "raw.h5ad", dataset_id="failing", embedders=EMBEDDERS)
    failing = Dataset.make(spec, tmp_path)
    errors = failing.fail()
    assert "inputs_carry_signal" in errors
    told = failing.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(dg.AssetKey(["failing", "embedding_scorecard"]), "inputs_carry_signal")]
    )
    (execution,) = told.values()
    evaluation = execution.event.dagster_event.asset_check_evaluation_data
    assert evaluation.description.startswith("noise, validation: no better than noise: macro-F1")
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert failing.storage.find("failing", "hf_splits") is None
    assert failing.load("share_links", failing.graph.chunk_keys[-1])
    reasons = find_stale(failing.graph, failing.storage, failing.instance)
    assert reasons[Node("embedding_scorecard")] == (
        "failed: check inputs_carry_signal did not pass"
    )
