"""C11, P3: one process or three at once, the published bytes are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from adata_assets.commit import sha256_of
from adata_assets_tests.datasets import write_cells
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.promises.families import MIXED, donor_cells, donor_spec


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
