"""``raw_h5ad`` and ``source`` in the graph: fetched once, fetched again only when the source changed."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from adata_assets.assets.source import DATA_VERSION_TAG
from adata_assets.errors import InputError
from adata_assets.forecast import forecast
from adata_assets.freshness import Node, find_stale
from adata_assets.runs import Run, execute
from adata_assets.sources.raw import read_raw_files
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.sources.places import PLACES

RAW = Node("raw_h5ad")
SECRET = "s3cr3t"


@pytest.fixture
def place(tmp_path, monkeypatch, contents):
    """A file on a web server."""
    with PLACES["http"](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


def run_raw(dataset):
    """Run raw_h5ad alone and return its errors."""
    return execute(dataset.graph.defs, dataset.instance, Run("cells", ("raw_h5ad",), None)).errors


def source_asset(dataset):
    """Return the definition of the observable source."""
    return next(asset for asset in dataset.graph.defs.assets if asset.key.path[-1] == "source")


def observe(dataset):
    """Look at the source as the schedule does and return the version that was seen."""
    run = Run("cells", ("source",), None)
    assert not execute(dataset.graph.defs, dataset.instance, run).errors
    return last_seen(dataset)


def last_seen(dataset):
    """Return the version of the last observation, whoever made it."""
    key = dg.AssetKey(["cells", "source"])
    record = dataset.instance.fetch_observations(key, limit=1).records[0]
    return record.asset_observation.tags[DATA_VERSION_TAG]


def test_an_unchanged_source_is_neither_fetched_nor_stale(place, tmp_path, contents):
    dataset = Dataset.make(make_spec(place.uri), tmp_path)
    assert not run_raw(dataset)
    raw = dataset.load("raw_h5ad")
    (file,) = read_raw_files(raw)
    assert Path(file.path).read_bytes() == contents[0]
    seen, generation = last_seen(dataset), raw.data_version
    place.server.asked.clear()
    assert RAW not in find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert observe(dataset) == seen
    assert not run_raw(dataset)
    assert set(place.ranges) == {"bytes=0-7"}
    assert dataset.load("raw_h5ad").data_version == generation


def test_a_changed_source_makes_it_stale(place, tmp_path, contents):
    dataset = Dataset.make(make_spec(place.uri), tmp_path)
    assert not run_raw(dataset)
    first = dataset.load("raw_h5ad").data_version
    place.put(contents[1])
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert stale[RAW].startswith("stale: the source changed (cells: ")
    assert not run_raw(dataset)
    assert RAW not in find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert dataset.load("raw_h5ad").data_version != first


def test_what_the_run_saw_is_what_the_schedule_sees(place, tmp_path, contents):
    (tmp_path / "raw.h5ad").write_bytes(contents[1])
    sources = (place.uri, {"uri": str(tmp_path / "raw.h5ad"), "name": "beside"})
    fields = {**make_spec(place.uri).model_dump(), "source": sources}
    dataset = Dataset.make(DatasetSpec.model_validate(fields), tmp_path)
    assert not run_raw(dataset)
    assert last_seen(dataset) == observe(dataset)
    assert [file.name for file in read_raw_files(dataset.load("raw_h5ad"))] == ["cells", "beside"]


def test_a_source_that_cannot_be_reached_is_told_in_one_sentence(place, tmp_path):
    dataset = Dataset.make(make_spec(place.uri), tmp_path)
    assert not run_raw(dataset)
    place.served.statuses = [503] * 20
    with pytest.raises(InputError, match=r"cells\.h5ad cannot be reached \(status 503") as caught:
        find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert "\n" not in str(caught.value)
    assert "cannot be reached" in run_raw(dataset)[0]


def test_a_file_that_is_no_h5ad_is_not_kept(place, tmp_path):
    place.put(b"\x89HDF\r\n\x1a\n" + bytes(5000))
    dataset = Dataset.make(make_spec(place.uri), tmp_path)
    assert run_raw(dataset)
    assert dataset.storage.find("cells", "raw_h5ad") is None
    assert [path for path in tmp_path.rglob("*.h5ad") if path.is_file()] == []


def test_secrets_stay_out_of_everything_that_is_stored(place, tmp_path, monkeypatch):
    """P17: neither the definitions, nor events, nor the manifest hold what opens the door."""
    monkeypatch.setenv("HOST_TOKEN", SECRET)
    dataset = Dataset.make(make_spec(f"{place.uri}?token=${{HOST_TOKEN}}"), tmp_path)
    assert not run_raw(dataset)
    assert f"token={SECRET}" in place.server.asked[0][0]
    events = dataset.instance.all_logs(dataset.instance.get_runs()[0].run_id)
    asset = source_asset(dataset)
    shown = [str(events), str(asset.metadata_by_key), str(asset.descriptions_by_key)]
    shown.append(json.dumps(dict(dataset.load("raw_h5ad").metadata)))
    assert SECRET not in "".join(shown)


def test_an_address_with_a_secret_makes_no_definitions(place, tmp_path):
    with pytest.raises(InputError, match="looks like a secret") as caught:
        Dataset.make(make_spec(f"{place.uri}?token={SECRET}"), tmp_path)
    assert SECRET not in str(caught.value)


def test_the_forecast_counts_what_is_to_be_fetched(place, tmp_path, contents):
    dataset = Dataset.make(make_spec(place.uri), tmp_path)
    before = forecast(dataset.graph, dataset.storage)
    assert before.n_bytes_scratch >= len(contents[0])
    assert not run_raw(dataset)
    after = forecast(dataset.graph, dataset.storage)
    assert after.n_obs == before.n_obs and after.n_bytes_disk < before.n_bytes_disk


def test_nothing_runs_when_the_source_is_unchanged(place, tmp_path):
    """The whole graph: a second command fetches nothing and runs nothing."""
    place.put(write_cells(tmp_path).read_bytes())
    dataset = Dataset.make(make_spec(place.uri), tmp_path).succeed()
    assert place.ranges.count(None) == 1
    place.server.asked.clear()
    assert dataset.materialize() == []
    assert set(place.ranges) == {"bytes=0-7"}
