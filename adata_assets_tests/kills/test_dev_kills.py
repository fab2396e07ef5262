"""``dagster dev`` with parts of it killed: dead runs are marked in time, one resume ends the work."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import numpy as np
import psutil
import pytest

from adata_assets.processes import PID, is_gone
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.kills.command import start_command
from adata_assets_tests.kills.published import AT_WORK, hashes_of, phase_of
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.sockets import free_port
from adata_assets_tests.ui.browser import Dagster, running_dagster

N_KILLS = int(os.environ.get("ADATA_ASSETS_TEST_DEV_KILLS", "10"))
SEED = 11
MARKED_WITHIN_S = 60
# Long enough for the daemon to start again what was killed, and for the automation to follow.
QUIET_S = 40
ENDS_S = 900
# Less than it takes from the first step to the last on an idle machine.
WORK_S = 20
VICTIMS = ("worker and code server", "worker", "daemon", "code server", "fork server")
_REFRESH = """mutation {launchRun(executionParams: {mode: "default", runConfigData: {}, selector: {
    repositoryLocationName: "adata_assets", repositoryName: "__repository__",
    jobName: "refresh_cells"}}) {__typename}}"""
_BUSY = [*AT_WORK, dg.DagsterRunStatus.QUEUED]


class Development:
    """``dagster dev`` that is started again when it ended, and the seconds that dead runs stayed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.instance: dg.DagsterInstance | None = None
        self.first_seen: dict[str, float] = {}
        self.stayed_s: list[float] = []

    def start(self) -> None:
        """Start it, and what was left of the last one ends."""
        self.stack.close()
        project = Path(os.environ["ADATA_ASSETS_PROJECT"])
        running = running_dagster(self.folder, free_port(), project, retries=True)
        self.dagster: Dagster = self.stack.enter_context(running)
        # The time counts while the sensors run.
        self.first_seen = dict.fromkeys(self.first_seen, time.monotonic())
        if self.instance is None:
            self.instance = dg.DagsterInstance.from_config(str(self.folder / "home"))

    def is_up(self) -> bool:
        return psutil.pid_exists(self.dagster.pid) and (
            psutil.Process(self.dagster.pid).status() != psutil.STATUS_ZOMBIE
        )

    def watch(self) -> bool:
        """Note dead runs that are still at work; return whether anything is."""
        busy = self.instance.get_runs(dg.RunsFilter(statuses=_BUSY))
        dead = {run.run_id for run in busy if is_gone(run.tags, run.run_id)}
        now = time.monotonic()
        for run_id in set(self.first_seen) - dead:
            self.stayed_s.append(now - self.first_seen.pop(run_id))
        for run_id in dead:
            self.first_seen.setdefault(run_id, now)
        return bool(busy)

    def settle(self) -> None:
        """Wait until nothing was at work for a while; start anew what was shut down."""
        end, quiet_since = time.monotonic() + ENDS_S, time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            assert time.monotonic() < end, self.dagster.log.read_text()[-3000:]
            if not self.is_up():
                self.start()
                quiet_since = time.monotonic()
            if self.watch():
                quiet_since = time.monotonic()
            time.sleep(1)

    def victims(self, kind: str) -> Iterator[int]:
        """Yield the processes of a kind; those of workers as their runs tell."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
        alive = [run for run in runs if PID in run.tags and not is_gone(run.tags, run.run_id)]
        workers = {int(run.tags[PID]) for run in alive}
        if "worker" in kind:
            yield from workers
        wanted = [
            ("daemon", " dagster._daemon "),
            ("code server", " api grpc "),
            ("code server", " code-server start "),
            ("fork server", " from multiprocessing.forkserver "),
        ]
        for process in psutil.process_iter(["cmdline"]):
            words = " ".join(process.info["cmdline"] or [])
            own = any(name in kind and part in words for name, part in wanted)
            # A worker is a fork of the fork server and has its words.
            own = own and process.pid not in workers
            if own and os.getsid(process.pid) == self.dagster.pid:
                yield process.pid

    def wait_for(self, kind: str) -> list[int]:
        """Wait until there are processes of a kind, and return them."""
        end = time.monotonic() + ENDS_S
        while not (found := list(self.victims(kind))):
            assert time.monotonic() < end, f"no {kind}"
            time.sleep(0.1)
        return found

    def kill(self, kind: str, after_s: float) -> str:
        """Kill a kind of process so long after work began; return which step was cut."""
        self.wait_for("worker")
        time.sleep(after_s)
        if "worker" in kind:
            self.wait_for("worker")
        phase = phase_of(self.instance)
        for pid in self.wait_for(kind):
            os.kill(pid, signal.SIGKILL)
        return phase


@pytest.mark.slow
def test_10_kills_of_parts_of_dagster_dev(tmp_path, monkeypatch):
    share = {"store": "local", "base_url": "http://127.0.0.1:8765"}
    spec = make_spec(write_cells(tmp_path), share=share, embedders=())
    project, folder = Project.make(tmp_path, monkeypatch, attributes_of(spec)), tmp_path / "dev"
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    monkeypatch.setenv("ADATA_ASSETS_STORAGE", str(folder / "storage"))
    assert project.yaml.exists()
    rng, log = np.random.default_rng(SEED), tmp_path / "command.log"

    def resume() -> dict[str, str]:
        process = start_command("materialize", "cells", log=log)
        process.join()
        assert process.exitcode == 0, log.read_text()[-3000:]
        return hashes_of(folder / "storage")

    with ExitStack() as stack:
        development = Development(folder, stack)
        development.start()
        expected = resume()
        for number in range(N_KILLS):
            kind = VICTIMS[number % len(VICTIMS)]
            development.dagster.ask(_REFRESH)
            n_dead = len(development.stayed_s)
            phase = development.kill(kind, rng.uniform(0, WORK_S))
            development.settle()
            assert len(development.stayed_s) > n_dead or "worker" not in kind, "no run was dead"
            assert not development.first_seen, "a dead run was not marked"
            assert resume() == expected
            told = {"kill": kind, "phase": phase, "stayed_s": development.stayed_s}
            print(json.dumps(told), flush=True)
            assert max(development.stayed_s, default=0) < MARKED_WITHIN_S
