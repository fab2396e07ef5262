"""The instance in PostgreSQL, set up as the documentation says: stories, and many runs at once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from adata_assets_tests.automation import test_settled
from adata_assets_tests.automation.at_once import N_RUNS, STAGE
from adata_assets_tests.automation.bodies import SECOND, imitate_dataset
from adata_assets_tests.automation.story import Story
from adata_assets_tests.repository.source_code import ROOT
from adata_assets_tests.repository.test_docs import blocks_of
from adata_assets_tests.servers.postgres import Postgres

# Stories run in threads of one process, and what that prints is not of one run.
NO_LOGS = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
PAGE = ROOT / "docs" / "more_than_one_machine.md"


@pytest.fixture
def instance(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """A fresh instance: the shipped settings with those that the page adds."""
    (added,) = blocks_of(PAGE, "yaml dagster.yaml")
    shipped = (ROOT / "adata_assets" / "dagster.yaml").read_text(encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text(shipped + added + NO_LOGS)
    for name, value in {**postgres.environment, "DAGSTER_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (statements,) = blocks_of(PAGE, "sql")
    postgres.begin(statements)
    with dg.DagsterInstance.get() as fresh:
        yield fresh


def test_a_refresh_runs_everything_once_and_waits_for_a_failed_chunk(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """A graph without models: every query is a connection of its own."""
    bodies, defs = imitate_dataset(tmp_path, embedders=())
    story = Story(defs, instance, "cells")
    assert story.tick() == [], "a fresh instance waits to be asked"
    bodies.hooks[f"cell_texts@{SECOND}"] = _fail
    test_settled.refresh(story, bodies)
    assert bodies.released == []
    del bodies.hooks[f"cell_texts@{SECOND}"]
    story.start(["cell_texts"], SECOND, test_settled.BY_HAND)
    story.settle()
    assert bodies.released == [{1}]
    assert story.ran() == test_settled.everything(bodies, 1)
    story.observe("v1")
    assert story.tick() == [], "the source is unchanged"


def _fail() -> None:
    raise ValueError("no room")


def test_sixteen_runs_at_once(instance: dg.DagsterInstance, postgres: Postgres) -> None:
    """All of them succeed, every event is there, and nobody met a lock."""
    n_bytes_before = postgres.log.stat().st_size
    ran = subprocess.run(
        [sys.executable, "-m", "adata_assets_tests.automation.at_once"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    runs = instance.get_runs()
    assert Counter(run.status for run in runs) == {dg.DagsterRunStatus.SUCCESS: N_RUNS}
    key = dg.AssetKey(["cells", STAGE])
    made = instance.fetch_materializations(key, limit=10 * N_RUNS).records
    assert len({record.partition_key for record in made}) == len(made) == N_RUNS
    ((n_ended,),) = postgres.ask(
        "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'PIPELINE_SUCCESS'"
    )
    assert n_ended == N_RUNS
    told = postgres.log.read_text()[n_bytes_before:] + ran.stderr
    assert not [line for line in told.splitlines() if "lock" in line or "ERROR" in line]
