"""The Nextcloud store: what its settings allow, what the server's refusals mean, links that end."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share import load_share_settings, open_share_store
from adata_assets.share.contract import DamagedError, ShareError, ShareStore, remote_name, sha256_of
from adata_assets.share.webdav.links import choose_address
from adata_assets_tests.servers.nextcloud_state import Cloud

FOLDER = "adata_assets/demo"


def open_store(cloud: Cloud, **settings: Any) -> ShareStore:
    """Return the store of the dataset ``demo``."""
    given = {"url": cloud.url, **settings}
    return open_share_store("nextcloud", given, root=UPath("."), dataset_id="demo")


@pytest.fixture
def name(chunk_file: Path) -> str:
    """The remote name of the file."""
    return remote_name("0001-of-0002", sha256_of(chunk_file), ".h5ad")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "url: Field required"),
        ({"url": "http://cloud.example.org"}, "url: .*http only for loopback"),
        ({"url": "https://me:key@cloud.example.org"}, "url: .*without user"),
        ({"url": "https://cloud.example.org?token=key"}, "url: .*without user"),
        ({"url": "cloud.example.org"}, "url: "),
        ({"url": "https://c.org", "folder": "../x"}, "folder: .*names of folders"),
        ({"url": "https://c.org", "folder": ""}, "folder: .*names of folders"),
        ({"url": "https://c.org", "expires_in_days": 0}, "expires_in_days: .*greater"),
        ({"url": "https://c.org", "password": "key"}, "no setting 'password'.*url"),
    ],
)
def test_a_wrong_setting_names_the_field(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        load_share_settings("nextcloud", settings)
    assert "key" not in str(caught.value)


def test_settings_are_made_plain() -> None:
    given = {"url": "https://cloud.example.org/nextcloud/index.php", "folder": "/lab/cells/"}
    loaded = load_share_settings("nextcloud", given).model_dump()
    assert loaded == {
        "url": "https://cloud.example.org/nextcloud",
        "folder": "lab/cells",
        "expires_in_days": None,
    }


@pytest.mark.parametrize("variable", ["USER", "PASSWORD"])
def test_a_missing_login_is_told_before_any_work(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(f"ADATA_ASSETS_NEXTCLOUD_{variable}")
    with pytest.raises(InputError, match=f"needs ADATA_ASSETS_NEXTCLOUD_{variable} in"):
        open_store(cloud)
    assert cloud.asked == []


def test_opening_asks_nothing_of_the_network(cloud: Cloud) -> None:
    open_store(cloud)
    assert cloud.asked == []


def test_folders_are_made_and_the_file_is_one_public_read_only_link(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    link = open_store(cloud, folder="lab/shared cells").put(chunk_file, name)
    assert cloud.files[f"lab/shared cells/demo/{name}"] == chunk_file.read_bytes()
    (share,) = cloud.shares
    assert (share.path, share.permissions, share.password) == ("lab/shared cells/demo", 1, None)
    assert link.url == f"{cloud.url}/public.php/dav/files/{share.token}/{name}"
    assert link.expires_at is None


def test_many_files_have_one_share_and_a_link_each(
    cloud: Cloud, chunk_file: Path, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other.h5ad"
    other.write_bytes(b"\x89HDF\r\n\x1a\nother")
    store = open_store(cloud)
    links = [
        store.put(chunk_file, name),
        store.put(other, remote_name("0002-of-0002", sha256_of(other), ".h5ad")),
    ]
    assert cloud.n_shares_made == 1
    assert len({link.url for link in links}) == 2
    for link in links:
        store.probe(link)


def test_two_processes_that_share_at_once_agree_on_the_first_link(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    """While one asks for a link, another makes one: the older stays, for both."""
    first = open_store(cloud)

    def make_another(method: str, path: str, body: bytes) -> None:
        if method == "POST":
            cloud.before = lambda *asked: None
            cloud.make_share({"path": FOLDER, "shareType": "3"})

    cloud.before = make_another
    link = first.put(chunk_file, name)
    assert cloud.n_shares_made == 2
    (share,) = cloud.shares
    assert share.number == 1
    assert share.token in link.url


def test_links_of_people_are_not_touched(cloud: Cloud, chunk_file: Path, name: str) -> None:
    """One with a password, one that can be written through: neither is used nor removed."""
    for folder in ("adata_assets", FOLDER):
        cloud.make_folder(folder)
    cloud.make_share({"path": FOLDER, "shareType": "3", "password": "long enough"})
    cloud.make_share({"path": FOLDER, "shareType": "3", "permissions": "15"})
    link = open_store(cloud).put(chunk_file, name)
    assert [share.number for share in cloud.shares] == [1, 2, 3]
    assert cloud.shares[2].token in link.url


def test_older_servers_serve_another_address_that_ends_in_the_name(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    cloud.has_public_dav = False
    link = open_store(cloud).put(chunk_file, name)
    assert f"/download/{name}?path=%2F&files={name}" in link.url
    open_store(cloud).probe(link)
    assert open_store(cloud).refresh(link) == link


def test_a_page_with_status_200_is_no_file(cloud: Cloud, chunk_file: Path, name: str) -> None:
    """P16: links that want a password, by order of the administrator, end in a page."""
    link = open_store(cloud).put(chunk_file, name)
    for share in cloud.shares:
        share.password = "set by somebody"
    assert requests.get(link.url, timeout=10).status_code == 200
    with pytest.raises(DamagedError, match="an HTML page"):
        open_store(cloud).probe(link)
    with pytest.raises(ShareError, match="status 200 with an HTML page"):
        choose_address([link.url], b"\x89HDF", link.n_bytes)
    cloud.wants_passwords = True
    with pytest.raises(ShareError, match="without a password.*administrator"):
        open_store(cloud).put(chunk_file, name)


def test_a_zip_of_the_folder_is_not_the_zip(cloud: Cloud, tmp_path: Path) -> None:
    """A folder's download begins like a zarr zip; its size tells them apart."""
    file = tmp_path / "chunk.zarr.zip"
    file.write_bytes(b"PK\x03\x04" + b"cells" * 99)
    name = remote_name("0001-of-0002", sha256_of(file), ".zarr.zip")
    link = open_store(cloud).put(file, name)
    download = f"{cloud.url}/s/{cloud.shares[0].token}/download"
    assert requests.get(download, timeout=10).content[:4] == b"PK\x03\x04"
    assert choose_address([download, link.url], b"PK\x03\x04", link.n_bytes) == link.url


def test_damage_of_another_size_is_mended_by_put_and_of_the_same_size_seen_by_probe(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    store, path = open_store(cloud), f"{FOLDER}/{name}"
    link = store.put(chunk_file, name)
    cloud.files[path] = b"short"
    store.probe(store.put(chunk_file, name))
    assert cloud.files[path] == chunk_file.read_bytes()
    cloud.changed[path] = chunk_file.read_bytes()[:-1] + b"!"
    with pytest.raises(DamagedError, match="has sha256"):
        store.probe(link)
    store.revoke(name)
    assert store.put(chunk_file, name) == link
    store.probe(link)


def test_a_link_ends_when_its_date_begins_anywhere_and_is_prolonged(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    store = open_store(cloud, expires_in_days=7)
    link = store.put(chunk_file, name)
    assert link.expires_at is not None
    left = link.expires_at - datetime.now(UTC)
    assert timedelta(days=7) <= left <= timedelta(days=8, minutes=1)
    cloud.shares[0].ends = date.today() + timedelta(days=2)
    n_received = cloud.n_bytes_received
    fresh = store.refresh(link)
    assert (fresh.url, fresh.expires_at) == (link.url, link.expires_at)
    assert (cloud.n_bytes_received, cloud.n_shares_made) == (n_received, 1)


def test_an_expired_link_is_told_so_and_made_anew_without_the_file(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    store = open_store(cloud, expires_in_days=7)
    link = store.put(chunk_file, name)
    chunk_file.unlink()
    cloud.expire()
    with pytest.raises(ShareError, match="status 503.*expired or was revoked"):
        store.probe(link)
    page = link.url.replace("public.php/dav/files", "s").rpartition("/")[0]
    assert requests.get(page, timeout=10).status_code == 404
    n_received = cloud.n_bytes_received
    fresh = store.refresh(link)
    assert fresh.url != link.url
    store.probe(fresh)
    assert dataclasses.replace(fresh, url=link.url) == link
    assert (cloud.n_bytes_received, cloud.n_shares_made) == (n_received, 2)


def test_a_revoked_share_is_made_anew(cloud: Cloud, chunk_file: Path, name: str) -> None:
    store = open_store(cloud)
    link = store.put(chunk_file, name)
    cloud.delete_share("1")
    with pytest.raises(ShareError, match="expired or was revoked"):
        store.probe(link)
    store.probe(store.refresh(link))


def test_an_administrator_may_let_links_end_sooner(
    cloud: Cloud, chunk_file: Path, name: str
) -> None:
    """A longer time than is allowed is refused; an end that was set stays and is told."""
    link = open_store(cloud).put(chunk_file, name)
    cloud.longest_share_days = 30
    with pytest.raises(ShareError, match="more than 30 days"):
        open_store(cloud, expires_in_days=60).put(chunk_file, name)
    cloud.shares[0].ends = date.today() + timedelta(days=9)
    kept = open_store(cloud).put(chunk_file, name)
    assert kept.url == link.url
    assert kept.expires_at is not None
    cloud.longest_share_days = None
    assert open_store(cloud).put(chunk_file, name) == link
