"""C11, P3: one process or three at once, the published bytes are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from adata_assets.commit import sha256_of
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.promises.published import bytes_of


def make_bytes(folder: Path, spec: DatasetSpec, n_jobs: int) -> dict[str, str]:
    """Materialize with the command; return the sha256 of every published and every shared file."""
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


def test_c11_the_number_of_workers_changes_no_byte(donors: Dataset, tmp_path: Path) -> None:
    """``donors`` was made in this process, one chunk after the other."""
    one = bytes_of(donors)
    three = make_bytes(tmp_path, donors.spec, 3)
    assert one == three
    names = ("README.md", "croissant.json", "manifest.json", ".parquet", ".h5ad", ".zarr.zip")
    assert all(any(found.endswith(name) for found in one) for name in names)
