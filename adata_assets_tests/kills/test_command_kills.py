"""The command killed 100 times at random moments: one more command ends it, to the same bytes."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from adata_assets.dead_runs import build_dead_runs_sensor
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.kills.command import start_command
from adata_assets_tests.kills.published import AT_WORK, hashes_of, phase_of
from adata_assets_tests.projects import Project, attributes_of

N_KILLS = int(os.environ.get("ADATA_ASSETS_TEST_KILLS", "100"))
# Kills of one dataset; then it is ended, looked at, and another one begins.
N_PER_ROUND = 5
SEED = 7
COMMAND = ("materialize", "cells")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    share = {"store": "local", "base_url": "http://127.0.0.1:8765"}
    # An embedding would bring the scorecard, which takes longer than all the rest.
    spec = make_spec(write_cells(tmp_path), share=share, embedders=())
    return Project.make(tmp_path, monkeypatch, attributes_of(spec))


def begin(project: Project, number: int, patch: pytest.MonkeyPatch) -> Path:
    """Point the environment at a home and a storage where nothing is; return the storage."""
    home = project.folder.parent / f"home-{number}"
    home.mkdir()
    storage = project.folder.parent / f"storage-{number}"
    patch.setenv("DAGSTER_HOME", str(home))
    patch.setenv("ADATA_ASSETS_STORAGE", str(storage))
    return storage


def finish(log: Path, *command: str) -> float:
    """Run a command to its end, by default the one that is killed; return its seconds."""
    started = time.monotonic()
    process = start_command(*(command or COMMAND), log=log)
    process.join()
    assert process.exitcode == 0, log.read_text()[-3000:]
    return time.monotonic() - started


def kill_once(log: Path, after_s: float) -> bool:
    """Start the command and kill it after a while; whether it was still at work then."""
    process = start_command(*COMMAND, log=log)
    process.join(after_s)
    was_at_work = process.exitcode is None
    process.kill()
    process.join()
    return was_at_work


def require_no_dead_runs() -> str:
    """Tick the sensor once; afterwards nothing may be at work. Return where the kill hit."""
    with dg.DagsterInstance.get() as instance:
        phase = phase_of(instance)
        build_dead_runs_sensor().evaluate_tick(dg.build_sensor_context(instance))
        assert not instance.get_runs(dg.RunsFilter(statuses=AT_WORK)), phase
    return phase


@pytest.mark.slow
def test_100_kills_of_the_command(project, tmp_path, monkeypatch):
    log, rng, phases = tmp_path / "command.log", np.random.default_rng(SEED), Counter()
    # The first one waits for the server of processes, which imports everything.
    undisturbed = begin(project, 0, monkeypatch)
    finish(log)
    number, n_ended_before = 1, 0
    again = begin(project, number, monkeypatch)
    seconds = finish(log)
    expected = hashes_of(undisturbed)
    assert hashes_of(again) == expected
    assert any(name.endswith(".h5ad") for name in expected)
    while phases.total() < N_KILLS:
        number += 1
        storage = begin(project, number, monkeypatch)
        for _ in range(N_PER_ROUND):
            if kill_once(log, rng.uniform(0, seconds)):
                phases[require_no_dead_runs()] += 1
            else:
                n_ended_before += 1
                break
        finish(log)
        assert hashes_of(storage) == expected
        print(json.dumps({"kills": phases.total(), "phases": phases}), flush=True)
    print(f"{seconds:.1f} s undisturbed, {number + 1} datasets, {n_ended_before} ended before")
