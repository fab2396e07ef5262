"""Looks by schedule: which there are, whether they run, and what the weekly one says."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from adata_assets.hub import place
from adata_assets.resources import StorageResource
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.hub.tiny_release import TinyRelease
from adata_assets_tests.sockets import free_port

PUBLISHED = {"publish": {"repo_id": "lab/cells"}, "license": "cc-by-4.0"}
LINKS = {"refresh_links_cells", "probe_links_cells"}


def make_dataset(folder: Path, **fields: object) -> Dataset:
    return Dataset.make(make_spec("x.h5ad", **{"schedule": "0 6 * * *", **fields}), folder)


def schedules_of(dataset: Dataset) -> dict[str, dg.ScheduleDefinition]:
    repository = dataset.graph.defs.get_repository_def()
    return {schedule.name: schedule for schedule in repository.schedule_defs}


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, {"observe_source_cells"}),
        ({"schedule": None}, set()),
        (PUBLISHED, {"observe_source_cells", "verify_release_cells"}),
    ],
    ids=["plain", "never looked at", "published"],
)
def test_schedules_of_a_dataset(tmp_path, fields, more):
    found = schedules_of(make_dataset(tmp_path, **fields))
    assert set(found) == LINKS | more
    assert all(one.default_status.value == "RUNNING" for one in found.values())


def test_one_switch_stops_them_all(tmp_path):
    dataset = make_dataset(tmp_path, automate=False, **PUBLISHED)
    assert {one.default_status.value for one in schedules_of(dataset).values()} == {"STOPPED"}
    graph = dataset.graph.defs.resolve_asset_graph()
    assert not any(node.automation_condition for node in graph.asset_nodes)


def test_no_look_hangs_for_ever(tmp_path):
    dataset = make_dataset(tmp_path, **PUBLISHED)
    defs = dataset.graph.defs
    # A refresh of links is no look: it uploads what its store has lost.
    for name in schedules_of(dataset).keys() - {"refresh_links_cells"}:
        assert float(defs.resolve_job_def(name).tags[MAX_RUNTIME_SECONDS_TAG]) == 7200, name


def test_crons_are_those_of_the_yaml(tmp_path):
    publish = {**PUBLISHED["publish"], "verify_schedule": "1 2 * * 3"}
    dataset = make_dataset(tmp_path, **{**PUBLISHED, "publish": publish, "schedule": "4 5 * * *"})
    found = schedules_of(dataset)
    assert found["verify_release_cells"].cron_schedule == "1 2 * * 3"
    assert found["observe_source_cells"].cron_schedule == "4 5 * * *"


def test_when_a_release_is_looked_at_changes_nothing_of_it(tmp_path):
    publish = {**PUBLISHED["publish"], "verify_schedule": "1 2 * * 3"}
    versions = {
        make_dataset(tmp_path, **fields).graph.code_version("hf_release")
        for fields in (PUBLISHED, {**PUBLISHED, "publish": publish})
    }
    assert len(versions) == 1


def test_the_look_at_the_source_is_recorded(tmp_path):
    dataset = Dataset.make(make_spec(write_cells(tmp_path)), tmp_path)
    job = dataset.graph.defs.resolve_job_def("observe_source_cells")
    assert job.execute_in_process(instance=dataset.instance).success
    key = dataset.graph.key_of("source")
    [record] = dataset.instance.fetch_observations(key, limit=2).records
    assert record.asset_observation.tags["dagster/data_version"]


def test_nothing_is_verified_before_something_is_published(tmp_path):
    dataset = make_dataset(tmp_path, **PUBLISHED)
    resource = StorageResource(root=str(tmp_path / "storage"), scratch=str(tmp_path))
    schedule = dataset.graph.defs.resolve_schedule_def("verify_release_cells")
    with (
        warnings.catch_warnings(),
        dg.build_schedule_context(dataset.instance, resources={"storage": resource}) as context,
    ):
        ticked = schedule.evaluate_tick(context)
    assert not ticked.run_requests
    assert ticked.skip_message == "nothing of cells is published yet"


def verify(dataset: Dataset, release: Path, patch: pytest.MonkeyPatch):
    """Run the weekly look over a folder that stands for what the Hub holds."""

    @contextmanager
    def stand_in(repo_id: str):
        assert repo_id == "lab/cells"
        yield release

    patch.setattr(place, "open_place", stand_in)
    job = dataset.graph.defs.resolve_job_def("verify_release_cells")
    return job.execute_in_process(instance=dataset.instance, raise_on_error=False)


def n_findings(dataset: Dataset) -> int:
    key = dataset.graph.key_of("hf_release")
    [record] = dataset.instance.fetch_observations(key, limit=2).records
    return record.asset_observation.metadata["n_findings"].value


def test_a_release_that_is_as_promised(demo, tmp_path, monkeypatch):
    dataset = make_dataset(tmp_path, **PUBLISHED)
    assert verify(dataset, demo.published, monkeypatch).success
    assert n_findings(dataset) == 0


def test_a_release_whose_links_are_dead_fails_the_run(tmp_path, monkeypatch):
    nowhere = f"http://127.0.0.1:{free_port()}/cells"

    def lead_nowhere(rows):
        for columns in rows.values():
            for kind in ("share_link", "adata_link"):
                columns[kind] = [f"{nowhere}/{link.rpartition('/')[2]}" for link in columns[kind]]

    release = TinyRelease(tmp_path / "release", rows=lead_nowhere, publish=None).path
    dataset = make_dataset(tmp_path, **PUBLISHED)
    result = verify(dataset, release, monkeypatch)
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    told = failed.step_failure_data.user_failure_data.description
    assert told.startswith("lab/cells is not as it was promised: share_link-sample: ")
    assert "does not answer (ConnectionError)" in told
    assert n_findings(dataset) == 4
