"""A store of each kind, opened on temporary folders: one fixture ``<name>_store`` per store."""

from __future__ import annotations

from pathlib import Path

import pytest
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.contract import ShareStore

BASE_URL = "http://127.0.0.1:8765"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty storage root."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def chunk_file(tmp_path: Path) -> Path:
    """A file that begins like an h5ad."""
    path = tmp_path / "0001-of-0002.h5ad"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40)
    return path


@pytest.fixture
def local_store(root: Path) -> ShareStore:
    """The local store of the dataset ``demo``."""
    return open_share_store("local", {"base_url": BASE_URL}, root=UPath(root), dataset_id="demo")
