"""Stores of each kind on places of their own: one fixture ``open_<name>_store`` per store.

It opens the store of a dataset. Pauses between tries are left out in all tests of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.share import open_share_store, retry
from adata_assets.share.contract import ShareStore
from adata_assets_tests.servers.nextcloud import running_nextcloud
from adata_assets_tests.servers.nextcloud_state import Cloud

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


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that were asked for, in seconds; nothing waits."""
    asked: list[float] = []
    monkeypatch.setattr(retry, "_sleep", asked.append)
    return asked


@pytest.fixture
def open_local_store(root: Path) -> Callable[[str], ShareStore]:
    """Local stores over one storage root."""

    def open_it(dataset_id: str) -> ShareStore:
        return open_share_store(
            "local", {"base_url": BASE_URL}, root=UPath(root), dataset_id=dataset_id
        )

    return open_it


@pytest.fixture
def local_store(open_local_store: Callable[[str], ShareStore]) -> ShareStore:
    """The local store of the dataset ``demo``."""
    return open_local_store("demo")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A Nextcloud server, with its user and app password in the environment."""
    with running_nextcloud("lab user", "pass:wörd/+&") as running:
        monkeypatch.setenv("ADATA_ASSETS_NEXTCLOUD_USER", running.user)
        monkeypatch.setenv("ADATA_ASSETS_NEXTCLOUD_PASSWORD", running.password)
        yield running


@pytest.fixture
def open_nextcloud_store(cloud: Cloud, root: Path) -> Callable[[str], ShareStore]:
    """Stores on one Nextcloud server."""

    def open_it(dataset_id: str) -> ShareStore:
        return open_share_store(
            "nextcloud", {"url": cloud.url}, root=UPath(root), dataset_id=dataset_id
        )

    return open_it
