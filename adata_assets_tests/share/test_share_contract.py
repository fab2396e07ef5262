"""The promises of a share store. Every store inherits them: the names come from the folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from adata_assets.errors import InputError
from adata_assets.share import share_store_names
from adata_assets.share.base.readback import without_query
from adata_assets.share.contract import (
    DamagedError,
    MissingError,
    ShareError,
    ShareStore,
    remote_name,
    sha256_of,
)

# Stores that keep the same promises in more than one way.
VARIANTS = ("s3_public",)


@pytest.fixture(params=[*share_store_names(), *VARIANTS])
def open_store(request: pytest.FixtureRequest) -> Callable[[str], ShareStore]:
    """Each store in turn, by dataset; a store without a fixture ``open_<name>_store`` is an error."""
    found = request.getfixturevalue(f"open_{request.param}_store")
    return cast("Callable[[str], ShareStore]", found)


@pytest.fixture
def store(open_store: Callable[[str], ShareStore]) -> ShareStore:
    """The store of the dataset ``demo``."""
    return open_store("demo")


def _name(file: Path) -> str:
    return remote_name("0001-of-0002", sha256_of(file), ".h5ad")


def test_put_then_probe_reads_the_bytes_back(store: ShareStore, chunk_file: Path) -> None:
    """S14: what was put is served whole, without login."""
    link = store.put(chunk_file, _name(chunk_file))
    store.probe(link)
    assert (link.sha256, link.n_bytes) == (sha256_of(chunk_file), chunk_file.stat().st_size)
    assert (link.store, link.remote_name) == (store.name, _name(chunk_file))
    assert urlsplit(link.url).path.endswith(".h5ad")
    assert store.list() == [_name(chunk_file)]


def test_putting_the_same_bytes_again_changes_nothing(store: ShareStore, chunk_file: Path) -> None:
    first = store.put(chunk_file, _name(chunk_file))
    again = store.put(chunk_file, _name(chunk_file))
    # A link that ends is made anew, under the same address.
    assert without_query(again.url) == without_query(first.url)
    if first.expires_at is not None:
        again = dataclasses.replace(again, url=first.url, expires_at=first.expires_at)
    assert again == first
    assert store.list() == [_name(chunk_file)]


def test_c11_a_name_never_gets_other_bytes(
    store: ShareStore, chunk_file: Path, tmp_path: Path
) -> None:
    """C11: the second file is refused, the first is still served."""
    link = store.put(chunk_file, _name(chunk_file))
    other = tmp_path / "other.h5ad"
    other.write_bytes(b"\x89HDF\r\n\x1a\nother")
    with pytest.raises(ShareError, match=r"other\.h5ad.*never overwritten"):
        store.put(other, link.remote_name)
    store.probe(link)


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"n_bytes": 7}, {"n_bytes": 10**9}])
def test_probe_refuses_a_link_that_serves_other_bytes(
    store: ShareStore, chunk_file: Path, change: dict[str, Any]
) -> None:
    link = dataclasses.replace(store.put(chunk_file, _name(chunk_file)), **change)
    with pytest.raises(DamagedError, match="cannot be read back"):
        store.probe(link)


def test_a_look_reads_the_size_and_not_the_bytes(store: ShareStore, chunk_file: Path) -> None:
    link = store.put(chunk_file, _name(chunk_file))
    store.probe(dataclasses.replace(link, sha256="0" * 64), whole=False)
    with pytest.raises(ShareError, match="cannot be read back"):
        store.probe(dataclasses.replace(link, n_bytes=link.n_bytes + 1), whole=False)


def test_putting_reports_all_bytes(store: ShareStore, chunk_file: Path) -> None:
    told: list[tuple[int, int]] = []
    link = store.put(chunk_file, _name(chunk_file), report=lambda *sent: told.append(sent))
    assert told == sorted(told)
    assert told[-1] == (link.n_bytes, link.n_bytes)


def test_refresh_makes_the_link_anew_without_the_file(store: ShareStore, chunk_file: Path) -> None:
    link = store.put(chunk_file, _name(chunk_file))
    chunk_file.unlink()
    fresh = store.refresh(link)
    store.probe(fresh)
    assert fresh.url.partition("?")[0] == link.url.partition("?")[0]
    assert (fresh.expires_at is None) == (link.expires_at is None)
    assert fresh.expires_at is None or fresh.expires_at >= link.expires_at
    assert store.list() == [link.remote_name]


def test_refresh_refuses_what_the_store_does_not_hold(store: ShareStore, chunk_file: Path) -> None:
    link = store.put(chunk_file, _name(chunk_file))
    with pytest.raises(MissingError, match=link.remote_name):
        store.refresh(dataclasses.replace(link, sha256="0" * 64))
    store.revoke(link.remote_name)
    with pytest.raises(MissingError, match=link.remote_name):
        store.refresh(link)


def test_what_is_revoked_is_gone_and_can_be_put_again(store: ShareStore, chunk_file: Path) -> None:
    link = store.put(chunk_file, _name(chunk_file))
    store.revoke(link.remote_name)
    assert store.list() == []
    with pytest.raises(ShareError, match="cannot be read back"):
        store.probe(link)
    store.revoke(link.remote_name)
    again = store.put(chunk_file, _name(chunk_file))
    store.probe(again)
    assert store.list() == [link.remote_name]


def test_nothing_is_left_unfinished(store: ShareStore, chunk_file: Path) -> None:
    store.probe(store.put(chunk_file, _name(chunk_file)))
    assert list(store.list_unfinished()) == []
    store.discard_unfinished("0001-of-0002")
    assert store.list() == [_name(chunk_file)]


def test_two_datasets_do_not_see_each_other(
    open_store: Callable[[str], ShareStore], chunk_file: Path
) -> None:
    """The same bytes under the same name are two files, one per dataset."""
    one, other = open_store("demo"), open_store("other")
    link = one.put(chunk_file, _name(chunk_file))
    assert other.list() == []
    other.revoke(link.remote_name)
    one.probe(link)


def test_probe_refuses_a_link_of_another_place(store: ShareStore, chunk_file: Path) -> None:
    link = store.put(chunk_file, _name(chunk_file))
    with pytest.raises(ShareError, match="not a link of this store") as caught:
        store.probe(dataclasses.replace(link, url="https://other.org/x.h5ad?token=secret"))
    assert "secret" not in str(caught.value)


def test_put_refuses_empty_and_missing_files(store: ShareStore, tmp_path: Path) -> None:
    (tmp_path / "empty.h5ad").touch()
    for name in ("empty.h5ad", "missing.h5ad"):
        with pytest.raises(InputError, match=name):
            store.put(tmp_path / name, "0001-of-0002-0123456789abcdef.h5ad")
    assert store.list() == []


@pytest.mark.parametrize("name", ["../x.h5ad", "a/b.h5ad", ".x.h5ad", "x.txt", "", "x.h5ad\n"])
def test_put_refuses_names_that_could_leave_the_folder(
    store: ShareStore, chunk_file: Path, name: str
) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        store.put(chunk_file, name)


def test_remote_name_changes_with_the_bytes_and_is_checked() -> None:
    """C11."""
    name = remote_name("0001-of-0002", "a" * 64, ".zarr.zip")
    assert name == "0001-of-0002-aaaaaaaaaaaaaaaa.zarr.zip"
    assert name != remote_name("0001-of-0002", "b" * 64, ".zarr.zip")
    with pytest.raises(InputError, match=r"\.csv"):
        remote_name("0001-of-0002", "a" * 64, ".csv")
    with pytest.raises(InputError, match="64"):
        remote_name("0001-of-0002", "A" * 64, ".h5ad")
