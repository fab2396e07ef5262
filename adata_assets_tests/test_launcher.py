"""Runs begin as forks of a process that has its libraries loaded, and can be stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.storage.tags import GRPC_INFO_TAG, MAX_RUNTIME_SECONDS_TAG
from dagster._daemon.monitoring.run_monitoring import check_run_timeout

from adata_assets import launcher
from adata_assets.launcher import ForkingRunLauncher
from adata_assets.processes import PID, describe_process, is_gone
from adata_assets_tests.sockets import free_port
from adata_assets_tests.ui.browser import REPOSITORY

LOCATION = """
import json, os, sys, time
from pathlib import Path

import dagster as dg

SEEN = sorted(sys.modules)


@dg.op
def wait():
    seen = {"pid": os.getpid(), "parent": os.getppid(), "modules": SEEN, "folder": os.getcwd()}
    part = Path(os.environ["DAGSTER_HOME"], "seen.part")
    part.write_text(json.dumps(seen))
    part.rename(part.with_suffix(".json"))
    while True:
        time.sleep(0.05)


@dg.job(executor_def=dg.in_process_executor)
def waiting():
    wait()
"""
# Above what it takes on a busy machine.
ENDS_S = 120


class Launched:
    """A home with our launcher, and runs that Dagster's own command launches in it."""

    def __init__(self, home: Path, workspace: Path) -> None:
        shipped = yaml.safe_load((REPOSITORY / "adata_assets" / "dagster.yaml").read_text())
        chosen = {name: shipped[name] for name in ("run_launcher", "telemetry")}
        # No daemon, no queue: the command launches by itself.
        chosen["run_coordinator"] = {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        }
        (home / "dagster.yaml").write_text(yaml.safe_dump(chosen))
        self.home, self.workspace = home, workspace
        self.instance = dg.DagsterInstance.from_config(str(home))

    @contextmanager
    def run(self) -> Iterator[dg.DagsterRun]:
        """Launch the job; yield its run when its step is at work, which it is for ever."""
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "dagster",
            "job",
            "launch",
            "-j",
            "waiting",
        ]
        environment = {**os.environ, "DAGSTER_HOME": str(self.home)}
        with subprocess.Popen(
            [*command, "-w", str(self.workspace)], env=environment, cwd=self.home
        ) as process:
            try:
                self.wait(lambda: (self.home / "seen.json").exists() or process.poll())
                [run] = self.instance.get_runs()
                # Who launched it does not wait for its end, whose run goes on.
                self.wait(lambda: process.poll() is not None)
                assert process.returncode == 0
                yield run
            finally:
                for run in self.instance.get_runs():
                    if PID in run.tags and not is_gone(run.tags, run.run_id):
                        os.kill(int(run.tags[PID]), signal.SIGKILL)

    def seen(self) -> dict[str, object]:
        return json.loads((self.home / "seen.json").read_text())

    def status(self, run: dg.DagsterRun) -> str:
        return self.instance.get_run_by_id(run.run_id).status.value

    def wait(self, is_so: Callable[[], object]) -> None:
        end = time.monotonic() + ENDS_S
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.fixture
def launched(tmp_path: Path) -> Launched:
    """A workspace of one file, served by whoever asks for it."""
    file, workspace = tmp_path / "location.py", tmp_path / "workspace.yaml"
    file.write_text(LOCATION)
    workspace.write_text(yaml.safe_dump({"load_from": [{"python_file": str(file)}]}))
    return Launched(tmp_path, workspace)


def test_a_run_is_a_fork_with_libraries_loaded_and_ends_when_told(launched):
    with launched.run() as run:
        seen = launched.seen()
        assert run.tags.items() >= describe_process(run.run_id, seen["pid"]).items()
        assert "multiprocessing.forkserver" in " ".join(psutil.Process(seen["pid"]).cmdline())
        assert {"anndata", "matplotlib.figure", "numba.np.arrayobj", "zarr"} <= {*seen["modules"]}
        own = {name for name in seen["modules"] if name.startswith("adata_assets.")}
        assert own == {"adata_assets.preloaded", "adata_assets.launcher", "adata_assets.processes"}
        assert seen["folder"] == str(launched.home)
        ours = launched.instance.run_launcher
        assert isinstance(ours, ForkingRunLauncher)
        assert ours.terminate(run.run_id)
        launched.wait(lambda: is_gone(run.tags, run.run_id))
        assert launched.status(run) == "CANCELED"
        assert not ours.terminate(run.run_id)


def test_a_run_that_takes_too_long_is_ended(launched):
    """As the daemon's monitoring does it twice a minute, with ``max_runtime`` of the run."""
    with launched.run() as run:
        launched.instance.add_run_tags(run.run_id, {MAX_RUNTIME_SECONDS_TAG: "0.01"})

        record = launched.instance.get_run_record_by_id(run.run_id)
        check_run_timeout(launched.instance, record, logging.getLogger(), 86_400)
        launched.wait(lambda: is_gone(run.tags, run.run_id))
        # The daemon says failed and the process canceled, in this order or the other.
        assert launched.status(run) in {"FAILURE", "CANCELED"}
        kind = dg.DagsterEventType.RUN_FAILURE
        [told] = launched.instance.all_logs(run.run_id, of_type=kind)
        assert "Exceeded maximum runtime" in told.dagster_event.message


class _Dead:
    """What the launcher gets of a process that ended before anybody could look."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        with subprocess.Popen(["true"]) as process:
            self.pid = process.pid

    def start(self) -> None:
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, EOFError("unexpected EOF"), ConnectionRefusedError()])
def test_a_run_whose_process_did_not_begin_says_where_to_look(monkeypatch, error):
    dead = _Dead(error)
    monkeypatch.setattr(launcher._FORKS, "Process", lambda **given: dead)
    words = type(error).__name__ if error else f"process {dead.pid} ended before it began"
    with pytest.raises(DagsterLaunchFailedError, match=rf"{words}.*log of the daemon"):
        launcher._fork("one", "")


def test_a_run_of_a_code_server_of_its_own_is_left_to_it(launched):
    port = free_port()
    serve = [sys.executable, "-W", "ignore", "-m", "dagster", "api", "grpc", "-p", str(port)]
    file = launched.home / "location.py"
    server = {"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": "elsewhere"}}
    launched.workspace.write_text(yaml.safe_dump({"load_from": [server]}))
    environment = {**os.environ, "DAGSTER_HOME": str(launched.home)}
    with subprocess.Popen([*serve, "-f", str(file)], env=environment) as process:
        try:
            launched.wait(lambda: _is_bound(process.pid, port))
            with launched.run() as run:
                seen = launched.seen()
                assert GRPC_INFO_TAG in run.tags
                assert seen["parent"] == process.pid
                assert "numba" not in seen["modules"]
                assert launched.instance.run_launcher.terminate(run.run_id)
                launched.wait(lambda: launched.status(run) == "CANCELED")
        finally:
            process.terminate()


def _is_bound(pid: int, port: int) -> bool:
    found = psutil.Process(pid).net_connections("tcp")
    return any(one.status == "LISTEN" and one.laddr.port == port for one in found)


@pytest.mark.parametrize("named", [True, False])
def test_a_run_that_was_not_launched_is_not_stopped(launched, named):
    job = dg.Definitions(assets=[dg.AssetSpec("counts")]).resolve_implicit_global_asset_job_def()
    run = launched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    if named:
        launched.instance.add_run_tags(run.run_id, describe_process(run.run_id))
    assert not launched.instance.run_launcher.terminate(run.run_id)
    assert launched.status(run) == "STARTED"
    kind = dg.DagsterEventType.ENGINE_EVENT
    [told] = launched.instance.all_logs(run.run_id, of_type=kind)
    host = f", on {socket.gethostname()}" if named else ""
    assert f"Ctrl-C there{host};" in told.dagster_event.message
