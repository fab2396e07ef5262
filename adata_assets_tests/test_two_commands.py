"""Two commands at the same time on one dataset: one works, the other waits and finds it done."""

from __future__ import annotations

import os
import subprocess
import sys

from adata_assets.storage import Storage
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of


def test_two_commands_make_everything_once(tmp_path, monkeypatch):
    spec = make_spec(write_cells(tmp_path), embedders=(), chunks={"count": 3})
    Project.make(tmp_path, monkeypatch, attributes_of(spec))
    command = [sys.executable, "-m", "adata_assets.cli", "materialize", "cells"]
    running = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ),
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert sum("another command is at work" in text for text in told) == 1
    assert sum("nothing to do" in text for text in told) == 1
    storage = Storage.from_environment()
    for stage in ("annotated_obs", "counts", "hf_splits"):
        folder = storage.folder_of("cells", stage)
        assert len([p for p in folder.iterdir() if p.is_dir()]) == 1
