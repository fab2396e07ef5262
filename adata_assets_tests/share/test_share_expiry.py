"""Links that end: made anew in time, alone, and told to whoever is to know.

The store is the local one, whose links are given an end; now is moved.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from adata_assets import expiry
from adata_assets.artefact import Artefact
from adata_assets.errors import InputError
from adata_assets.freshness import Node, find_stale
from adata_assets.hub.open_links import require_lasting_links
from adata_assets.promises import find_ending_links, find_expired_links
from adata_assets.share import local
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_spec, write_cells

LIFETIME_S, BEFORE_S = 3600, 600
KEYS = ["0001-of-0003", "0002-of-0003", "0003-of-0003"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time that it is for the pipeline; set its one entry."""
    now = [datetime(2026, 5, 1, 12, tzinfo=UTC)]
    monkeypatch.setattr(expiry, "_now", lambda: now[0])
    make = local.Store._link

    def ending(store: local.Store, entry: object) -> object:
        end = now[0] + timedelta(seconds=LIFETIME_S)
        return dataclasses.replace(make(store, entry), expires_at=end)

    monkeypatch.setattr(local.Store, "_link", ending)
    return now


@pytest.fixture
def dataset(tmp_path, clock) -> Dataset:
    """A dataset whose links end an hour after twelve."""
    return make_dataset(tmp_path)


def make_dataset(folder, **share) -> Dataset:
    share = {"store": "local", "refresh_before_s": BEFORE_S, **share}
    return Dataset.make(
        make_spec(write_cells(folder), embedders=(), format="single", share=share), folder
    )


def links_of(dataset: Dataset, key: str) -> Artefact:
    return dataset.load("share_links", key)


def test_the_end_is_kept_and_told(dataset, clock):
    dataset.succeed()
    end = (clock[0] + timedelta(seconds=LIFETIME_S)).isoformat()
    for key in KEYS:
        stored = links_of(dataset, key)
        assert stored.metadata["expires_at"] == end
        assert set(read_table(stored.local("share_links.parquet"))["expires_at"]) == {end}
    assert dataset.load("hf_splits").metadata["expires_at"] == end
    card = (dataset.published / "README.md").read_text()
    assert "The links work until 2026-05-01 13:00 UTC" in card


def test_links_are_made_anew_before_they_end_and_only_links(dataset, clock):
    """0 files are rebuilt, nothing is stored in the store again, and the splits follow."""
    dataset.succeed()
    shared = {path: path.stat().st_mtime_ns for path in _shared_files(dataset)}
    assert find_stale(dataset.graph, dataset.storage, dataset.instance) == {}
    clock[0] += timedelta(seconds=LIFETIME_S - BEFORE_S)
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert list(stale) == [Node("share_links", key) for key in KEYS]
    assert all("its links end at 2026-05-01T13:00:00+00:00" in why for why in stale.values())
    ran = Counter(
        stage
        for outcome in dataset.materialize()
        for stage in outcome.run.stages
        if not outcome.errors
    )
    assert ran == {"share_links": 3, "hf_splits": 1}
    assert {path: path.stat().st_mtime_ns for path in _shared_files(dataset)} == shared
    end = (clock[0] + timedelta(seconds=LIFETIME_S)).isoformat()
    assert dataset.load("hf_splits").metadata["expires_at"] == end
    assert find_stale(dataset.graph, dataset.storage, dataset.instance) == {}


def _shared_files(dataset: Dataset) -> list:
    root = dataset.published.parents[1] / "share"
    return sorted(path for path in root.rglob("*") if path.is_file())


def test_the_schedule_asks_for_just_the_chunks_that_need_it(dataset, clock):
    dataset.succeed()
    clock[0] += timedelta(seconds=1800)
    dataset.materialize(forced=["share_links"])
    first = dataset.load("share_links", KEYS[0])
    assert tick(dataset) == []
    clock[0] += timedelta(seconds=LIFETIME_S - BEFORE_S)
    requests = tick(dataset)
    assert [request.partition_key for request in requests] == KEYS
    assert requests[0].run_key == f"{KEYS[0]}-{first.metadata['expires_at']}"
    dataset.graph.defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dataset.graph.key_of("share_links")],
        partition_key=KEYS[1],
        instance=dataset.instance,
    )
    assert [request.partition_key for request in tick(dataset)] == [KEYS[0], KEYS[2]]


def tick(dataset: Dataset) -> list[dg.RunRequest]:
    """Evaluate the schedule of the dataset's links."""
    schedule = dataset.graph.defs.resolve_schedule_def("refresh_links_cells")
    with dg.build_schedule_context(
        instance=dataset.instance,
        resources=dataset.graph.defs.resources,
        repository_def=dataset.graph.defs.get_repository_def(),
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


def test_the_check_warns_before_the_end_and_blocks_after_it(dataset, clock):
    dataset.succeed()
    stored = links_of(dataset, KEYS[0])
    assert find_expired_links(stored) == ([], 2)
    assert find_ending_links(stored, BEFORE_S) == []
    clock[0] += timedelta(seconds=LIFETIME_S - BEFORE_S)
    assert find_expired_links(stored) == ([], 2)
    assert len(find_ending_links(stored, BEFORE_S)) == 2
    clock[0] += timedelta(seconds=BEFORE_S)
    breaches, _ = find_expired_links(stored)
    assert breaches == [
        f"{kind} expired at 2026-05-01T13:00:00+00:00; materialize share_links again"
        for kind in ("share_link", "adata_link")
    ]


def test_a_link_that_would_be_made_anew_at_once_is_refused(tmp_path, clock):
    errors = make_dataset(tmp_path, refresh_before_s=LIFETIME_S).fail()
    assert "within the 3600 s of share.refresh_before_s" in errors
    assert "share_links" in errors


def test_links_that_end_are_published_only_when_that_is_accepted():
    require_lasting_links(None, accept_expiring=False)
    require_lasting_links("2026-05-01T13:00:00+00:00", accept_expiring=True)
    with pytest.raises(InputError, match=r"2026-05-01T13:00.*publish\.accept_expiring_links"):
        require_lasting_links("2026-05-01T13:00:00+00:00", accept_expiring=False)


def test_links_without_an_end_are_left_alone(tmp_path):
    dataset = make_dataset(tmp_path).succeed()
    assert dataset.load("hf_splits").metadata["expires_at"] is None
    assert tick(dataset) == []
    assert "The links have no end." in (dataset.published / "README.md").read_text()


def test_the_look_at_published_links_names_dead_ones(tmp_path):
    dataset = make_dataset(tmp_path).succeed()
    check = dg.AssetCheckKey(dataset.graph.key_of("hf_splits"), "links_answer")
    assert latest(dataset, check).success
    shared = _shared_files(dataset)
    next(path for path in shared if path.suffix == ".h5ad").unlink()
    job = dataset.graph.defs.resolve_job_def("probe_links_cells")
    assert job.execute_in_process(instance=dataset.instance).success
    found = latest(dataset, check)
    assert not found.success
    assert "cannot be read back" in found.description
    assert find_stale(dataset.graph, dataset.storage, dataset.instance) == {}, (
        "rows are not at fault"
    )
    assert dataset.materialize(forced=["share_links"])
    assert job.execute_in_process(instance=dataset.instance).success
    assert latest(dataset, check).success


def latest(dataset: Dataset, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation:
    """Return what a check found last."""
    record = dataset.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    evaluation = record.evaluation
    assert evaluation is not None
    return type("Found", (), {"success": evaluation.passed, "description": evaluation.description})
