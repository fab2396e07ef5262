"""Nothing is released while a blocking check is red, or was never run."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from adata_assets.runs import Run, execute
from adata_assets_tests.datasets import Dataset, make_spec, write_cells


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset that could be released."""
    root = tmp_path_factory.mktemp("gate")
    publish = {
        "publish": {"repo_id": "lab/cells"},
        "license": "cc-by-4.0",
        "share": {"store": "local", "base_url": "https://cells.example.org"},
    }
    spec = make_spec(write_cells(root), embedders=(), chunks={"count": 3}, **publish)
    made = Dataset.make(spec, root)
    patch = pytest.MonkeyPatch()
    patch.delenv("HF_TOKEN", raising=False)
    [error] = [e for outcome in made.materialize() for e in outcome.errors]
    patch.undo()
    # All is green, so that the release goes on to what it looks at next.
    assert "HF_TOKEN is not set" in error
    return made


def release(dataset: Dataset) -> str:
    """Run ``hf_release`` alone and return its error."""
    run = Run(dataset.spec.dataset_id, ("hf_release",))
    [error] = execute(dataset.graph.defs, dataset.instance, run).errors
    return error


def record_failure(dataset: Dataset, name: str, partition: str | None = None) -> None:
    """Let the instance know that a check failed."""
    keys = [key for stage in dataset.graph.stages for key in dataset.graph.check_keys(stage)]
    [key] = [key for key in keys if key.name == name]
    dataset.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key.asset_key, check_name=name, passed=False, partition=partition
        )
    )


def test_a_red_check_stops_the_release(dataset: Dataset) -> None:
    """Whoever materializes ``hf_release`` by hand, in a run of its own."""
    record_failure(dataset, "captions_state_facts")
    error = release(dataset)
    assert "1 blocking checks are red: cells/annotated_obs, captions_state_facts:" in error
    assert "nothing is released before they pass" in error
    record_failure(dataset, "links_not_expired", "0001-of-0003")
    assert "links_not_expired [0001-of-0003]" in release(dataset)


def test_a_check_that_never_ran_stops_it_too(dataset: Dataset) -> None:
    elsewhere = Dataset.make(dataset.spec, Path(dataset.storage.root.path).parent)
    assert "(never ran)" in release(elsewhere)
