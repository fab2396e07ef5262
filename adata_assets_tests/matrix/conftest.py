"""Zarr folders that are written once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adata_assets_tests.matrix.files import make_adata, write_zarr

CopyZarr = Callable[..., Path]


@pytest.fixture(scope="session")
def zarr_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zarr-templates")


@pytest.fixture
def copy_zarr(zarr_templates: Path, tmp_path: Path) -> CopyZarr:
    """Return a function that makes `make_adata` a zarr folder ``a.zarr`` of the test's own."""

    def copy(zarr_format: int, *, encoding: str = "csr", chunks: int = 0) -> Path:
        template = zarr_templates / f"{encoding}-{zarr_format}-{chunks}"
        if not template.exists():
            adata = make_adata(encoding=encoding)
            write_zarr(adata, template, zarr_format=zarr_format, chunks=chunks)
        return Path(shutil.copytree(template, tmp_path / "a.zarr"))

    return copy
