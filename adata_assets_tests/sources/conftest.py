"""Content for sources, and no pauses between tries."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.sources import download


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "WAITS_S", (0.0,) * 4)


def cells(n_obs: int, seed: int = 0) -> ad.AnnData:
    """Return a few cells whose stored bytes do not compress, so that cuts hit values."""
    values = np.random.default_rng(seed).integers(0, 2**20, (n_obs, 2000)).astype(np.float32)
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(n_obs)])
    return ad.AnnData(sp.csr_matrix(values), obs=obs)


def write_zarr(path: Path, adata: ad.AnnData, zarr_format: int = 3) -> Path:
    """Write a zarr folder in one of the two formats."""
    with (
        ad.settings.override(zarr_write_format=zarr_format, auto_shard_zarr_v3=False),
        warnings.catch_warnings(),
    ):
        # zarr warns that its own consolidated metadata are no part of format 3 yet.
        warnings.simplefilter("ignore", UserWarning)
        adata.write_zarr(path)
    return path


@pytest.fixture(scope="session")
def contents(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Two h5ad files of the same length with other values."""
    path = tmp_path_factory.mktemp("contents") / "cells.h5ad"
    found = []
    for seed in (1, 2):
        cells(12, seed).write_h5ad(path)
        found.append(path.read_bytes())
    assert len(found[0]) == len(found[1]) and found[0] != found[1]
    return found[0], found[1]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Empty folders ``folder`` and ``scratch``, as ``Source.fetch`` wants them."""
    made = {name: tmp_path / name for name in ("folder", "scratch")}
    for path in made.values():
        path.mkdir()
    return made


def left_in(folders: dict[str, Path]) -> list[str]:
    """Return the names of all files in the folders."""
    found = [path for folder in folders.values() for path in folder.rglob("*")]
    return sorted(path.name for path in found if path.is_file())
