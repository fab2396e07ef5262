"""Killed processes: their runs are marked as failed, those of others are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from adata_assets.dead_runs import build_dead_runs_sensor, end_dead_runs
from adata_assets.instance import prepare_home
from adata_assets.processes import HOST, PID, RUN, START, describe_process, is_gone
from adata_assets.resources import StorageResource
from adata_assets.runs import Run, execute
from adata_assets_tests.datasets import Dataset, make_spec, write_cells

POOL = "memory_heavy"


@dg.asset(key=["cells", "counts"], pool=POOL)
def counts() -> None:
    """Stands for a heavy step."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance with the settings that ship."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def killed() -> Iterator[subprocess.Popen[str]]:
    """A process that says that it is there and waits to be killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def tags_of(process: subprocess.Popen[str], run_id: str) -> dict[str, str]:
    """What the process would have written itself."""
    import psutil

    start = psutil.Process(process.pid).create_time() - psutil.boot_time()
    return {
        **describe_process(run_id),
        PID: str(process.pid),
        START: f"{start:.2f} s after boot",
    }


def start(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> dg.DagsterRun:
    """A run that began."""
    job = dg.Definitions(assets=[counts]).resolve_implicit_global_asset_job_def()
    return instance.create_run_for_job(job, status=status)


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    return instance.get_run_by_id(run.run_id).status.value


def test_a_process_is_known_while_it_lives_and_as_a_zombie_no_more(killed):
    tags = tags_of(killed, "one")
    assert not is_gone(tags, "one")
    killed.send_signal(signal.SIGKILL)
    # Not waited for: it is a zombie until this process looks.
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(tags, "one")
    killed.wait()
    assert is_gone(tags, "one")


def test_a_pid_that_another_process_has_by_now():
    tags = describe_process("one")
    assert not is_gone(tags, "one")
    assert is_gone({**tags, START: "1.00 s after boot"}, "one")


@pytest.mark.parametrize("changed", [{HOST: "elsewhere"}, {RUN: "its parent"}, {RUN: ""}])
def test_of_other_hosts_and_of_a_retry_that_has_not_begun_nothing_is_known(changed):
    tags = {**describe_process("one"), START: "1.00 s after boot", **changed}
    assert not is_gone(tags, "one")


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ],
)
def test_a_killed_run_is_failed_and_its_slot_is_free(instance, killed, status):
    run, alive, unknown = start(instance, status), start(instance), start(instance)
    instance.add_run_tags(run.run_id, tags_of(killed, run.run_id))
    instance.add_run_tags(alive.run_id, describe_process(alive.run_id))
    events = instance.event_log_storage
    events.initialize_concurrency_limit_to_default(POOL)
    assert events.claim_concurrency_slot(POOL, run.run_id, "cells__counts").is_claimed
    assert end_dead_runs(instance) == []
    killed.kill()
    killed.wait()
    ended = build_dead_runs_sensor().evaluate_tick(dg.build_sensor_context(instance))
    assert ended.skip_message == f"marked as failed: {run.run_id}"
    assert [status_of(instance, one) for one in (run, alive, unknown)] == [
        "FAILURE",
        "STARTED",
        "STARTED",
    ]
    assert events.claim_concurrency_slot(POOL, alive.run_id, "cells__counts").is_claimed
    [told] = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
    assert f"Process {killed.pid} of " in told.dagster_event.message
    assert "materialize what failed again" in told.dagster_event.message
    has_not_begun = status is dg.DagsterRunStatus.STARTING
    assert ("log of the daemon" in told.dagster_event.message) is has_not_begun
    # The daemon starts it again, once.
    assert instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "true"


def test_a_run_that_was_being_canceled_is_canceled(instance, killed):
    run = start(instance, dg.DagsterRunStatus.CANCELING)
    instance.add_run_tags(run.run_id, tags_of(killed, run.run_id))
    killed.kill()
    killed.wait()
    assert end_dead_runs(instance) == [run.run_id]
    assert status_of(instance, run) == "CANCELED"
    assert end_dead_runs(instance) == []


def test_a_run_of_the_command_says_so_before_its_first_step(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("killed here")

    monkeypatch.setattr(StorageResource, "setup_for_execution", fail)
    dataset = Dataset.make(make_spec(write_cells(tmp_path)), tmp_path)
    assert execute(dataset.graph.defs, dataset.instance, Run("cells", ("raw_h5ad",))).errors
    [run] = dataset.instance.get_runs()
    assert describe_process(run.run_id).items() <= run.tags.items()


def test_every_run_says_which_process_it_is(tmp_path):
    dataset = Dataset.make(make_spec(write_cells(tmp_path)), tmp_path)
    job = dataset.graph.defs.resolve_job_def("observe_source_cells")
    result = job.execute_in_process(instance=dataset.instance)
    found = dataset.instance.get_run_by_id(result.run_id)
    assert describe_process(result.run_id).items() <= found.tags.items()
