"""C11, P3: one process or three at once, the published bytes are the same; and one is killed."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import dagster as dg
import pytest

from adata_assets.commit import sha256_of
from adata_assets.instance import open_instance
from adata_assets.processes import PID
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.promises.families import MIXED, donor_cells, donor_spec

PARTITION = "dagster/partition"


def make_bytes(folder: Path, source: Path, n_jobs: int) -> dict[str, str]:
    """Materialize with the command; return the sha256 of every published and every shared file."""
    folder.mkdir()
    spec = donor_spec(source, chunks={"count": 3}, negatives=MIXED)
    with pytest.MonkeyPatch.context() as patch:
        project = Project.make(folder, patch, attributes_of(spec))
        done = project.run("materialize", "cells", "--jobs", str(n_jobs))
    assert done.exit_code == 0, done.output
    roots = (project.storage / "cells" / "hf_splits", project.storage / "share" / "cells")
    return {
        f"{root.name}/{path.relative_to(root)}": sha256_of(path)
        for root in roots
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_c11_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    source = write_cells(tmp_path, donor_cells())
    one = make_bytes(tmp_path / "one", source, 1)
    three = make_bytes(tmp_path / "three", source, 3)
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
