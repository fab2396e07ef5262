"""C11, P3: one process or three at once, the published bytes are the same; and one is killed."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import dagster as dg
import pytest

from adata_assets.instance import open_instance
from adata_assets.processes import PID
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.promises.published import bytes_in, bytes_of

PARTITION = "dagster/partition"


def test_c11_the_number_of_workers_changes_no_byte(
    donors: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.make(tmp_path, monkeypatch, attributes_of(donors.spec))
    done = project.run("materialize", "cells", "--jobs", "3")
    assert done.exit_code == 0, done.output
    one, three = bytes_of(donors), bytes_in(project.storage, "cells")
    assert one == three
    names = ("README.md", "croissant.json", "manifest.json", ".parquet", ".h5ad", ".zarr.zip")
    assert all(any(found.endswith(name) for found in one) for name in names)


def kill_first_chunk(killed: threading.Event) -> None:
    """Kill the process of the first run of a chunk that begins."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    with open_instance() as instance:
        while not killed.wait(0.02):
            for run in instance.get_runs(started):
                if PARTITION in run.tags and not killed.is_set():
                    os.kill(int(run.tags[PID]), signal.SIGKILL)
                    killed.set()


@pytest.mark.slow
def test_a_killed_worker_fails_what_was_at_work_and_the_rest_goes_on(tmp_path, monkeypatch):
    n_chunks, n_jobs = 3, 2
    spec = make_spec(write_cells(tmp_path), embedders=(), chunks={"count": n_chunks})
    project, killed = Project.make(tmp_path, monkeypatch, attributes_of(spec)), threading.Event()
    killer = threading.Thread(target=kill_first_chunk, args=[killed])
    killer.start()
    try:
        ended = project.run("materialize", "cells", "--jobs", str(n_jobs))
        assert killed.is_set()
    finally:
        killed.set()
        killer.join()
    assert ended.exit_code == 1
    n_cut = ended.output.count("a process was killed")
    assert 1 <= n_cut <= n_jobs, ended.output
    with open_instance() as instance:
        runs = [run for run in instance.get_runs() if PARTITION in run.tags]
    assert all(run.is_finished for run in runs)
    assert [run.is_success for run in runs].count(True) == n_chunks - n_cut
    assert project.run("materialize", "cells").exit_code == 0
