"""Stores of each kind on places of their own: one fixture ``open_<name>_store`` per store.

It opens the store of a dataset. Pauses between tries are left out in all tests of this folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.base import retry
from adata_assets.share.contract import ShareStore
from adata_assets_tests.hub.local_hub import WRITER, LocalHub, running_hub
from adata_assets_tests.servers.hf import client_of
from adata_assets_tests.servers.nextcloud import running_nextcloud
from adata_assets_tests.servers.nextcloud_state import Cloud
from adata_assets_tests.servers.radosgw import BUCKET, PUBLIC_BUCKET, Radosgw

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
def s3_keys(radosgw: Radosgw, monkeypatch: pytest.MonkeyPatch) -> Radosgw:
    """The gateway with empty buckets; its user's keys are all that AWS's chain finds."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_environment(radosgw).items():
        monkeypatch.setenv(name, value)
    for bucket in (BUCKET, PUBLIC_BUCKET):
        radosgw.empty(bucket)
    return radosgw


def aws_environment(gateway: Radosgw) -> dict[str, str]:
    """Return the variables with which the gateway's user signs, and nobody else."""
    return {
        "AWS_ACCESS_KEY_ID": gateway.key_id,
        "AWS_SECRET_ACCESS_KEY": gateway.secret,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def open_s3(endpoint_url: str, dataset_id: str = "demo", **settings: object) -> ShareStore:
    """Return an s3 store with presigned links, or with others that the settings say."""
    chosen = {"bucket": BUCKET, "links": "presigned", "endpoint_url": endpoint_url, **settings}
    return open_share_store("s3", chosen, root=UPath("memory://"), dataset_id=dataset_id)


@pytest.fixture
def open_s3_store(s3_keys: Radosgw) -> Callable[[str], ShareStore]:
    """S3 stores with presigned links."""
    return lambda dataset_id: open_s3(s3_keys.url, dataset_id)


@pytest.fixture
def open_s3_public_store(s3_keys: Radosgw) -> Callable[[str], ShareStore]:
    """S3 stores with public links, below a prefix."""
    settings = {"bucket": PUBLIC_BUCKET, "links": "public", "prefix": "shared/cells"}
    settings["base_url"] = f"{s3_keys.url}/{PUBLIC_BUCKET}"
    return lambda dataset_id: open_s3(s3_keys.url, dataset_id, **settings)


@pytest.fixture(scope="session")
def session_hub() -> Iterator[LocalHub]:
    """A Hub that all tests of the hf store share."""
    with running_hub() as running:
        yield running


@pytest.fixture
def hub(session_hub: LocalHub) -> Iterator[LocalHub]:
    """The Hub with no repository; a token with write access is in the environment."""
    session_hub.forget()
    with client_of(session_hub.url, WRITER):
        yield session_hub


@pytest.fixture
def open_hf_store(hub: LocalHub, root: Path) -> Callable[[str], ShareStore]:
    """Stores on the Hub, each dataset in a repository of its own."""

    def open_it(dataset_id: str) -> ShareStore:
        settings = {"repo_id": f"lab/{dataset_id}-files"}
        return open_share_store("hf", settings, root=UPath(root), dataset_id=dataset_id)

    return open_it


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
