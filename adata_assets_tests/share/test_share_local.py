"""The local store: links and copies, interrupted work, damaged files, unpacked zarr folders."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share.base.manifest import manifest_path
from adata_assets.share.contract import ShareError, remote_name, sha256_of
from adata_assets.share.local import Settings, Store

NAME = "0001-of-0002-0123456789abcdef.h5ad"
ZIP_NAME = "0001-of-0002-0123456789abcdef.zarr.zip"


def _zarr_store(root: Path) -> Store:
    return Store(Settings(local_zarr=True), root=UPath(root), dataset_id="demo")


def _zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_a_file_is_linked_not_copied(local_store: Store, chunk_file: Path, root: Path) -> None:
    local_store.put(chunk_file, NAME)
    assert (root / "share" / "demo" / NAME).samefile(chunk_file)
    assert sorted(p.name for p in (root / "share" / "demo").iterdir()) == [NAME, "manifest"]


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_a_file_is_copied_where_no_link_can_be_made(
    local_store: Store, chunk_file: Path, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    local_store.probe(local_store.put(chunk_file, NAME))
    shared = root / "share" / "demo" / NAME
    assert not shared.samefile(chunk_file)
    written = shared.stat().st_mtime_ns
    local_store.put(chunk_file, NAME)
    assert shared.stat().st_mtime_ns == written


def test_another_error_of_the_disk_is_not_hidden(
    local_store: Store, chunk_file: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="no space"):
        local_store.put(chunk_file, NAME)
    assert local_store.list() == []
    assert list((root / "share" / "demo").iterdir()) == []


def test_p14_a_file_without_its_entry_is_not_shared(
    local_store: Store, chunk_file: Path, root: Path
) -> None:
    """P14: killed between file and entry, or with half a file: absent until it is put again."""
    shared = root / "share" / "demo" / NAME
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"half")
    assert local_store.list() == []
    link = local_store.put(chunk_file, NAME)
    local_store.probe(link)
    assert local_store.list() == [NAME]


def test_a_damaged_file_is_found_by_the_probe_and_mended_by_put(
    local_store: Store, chunk_file: Path, root: Path
) -> None:
    link = local_store.put(chunk_file, NAME)
    shared = root / "share" / "demo" / NAME
    shared.unlink()
    with pytest.raises(ShareError, match="status 404"):
        local_store.probe(link)
    shared.write_bytes(bytes(link.n_bytes))
    with pytest.raises(ShareError, match="sha256"):
        local_store.probe(link)
    assert local_store.put(chunk_file, NAME) == link
    local_store.probe(link)


@pytest.mark.parametrize(
    "text", ["{", '{"name": "x"}', '{"name": "y", "sha256": "", "n_bytes": 1}']
)
def test_a_damaged_entry_is_named(
    local_store: Store, chunk_file: Path, root: Path, text: str
) -> None:
    local_store.put(chunk_file, NAME)
    manifest_path(root / "share" / "demo", NAME).write_text(text)
    with pytest.raises(ShareError, match=rf"manifest/{NAME}\.json.*delete it"):
        local_store.put(chunk_file, NAME)


def test_datasets_do_not_see_each_other(chunk_file: Path, root: Path) -> None:
    """P16: chunk 0 of two sources never shares an address."""
    links = []
    for dataset_id in ("one", "two"):
        store = Store(Settings(), root=UPath(root), dataset_id=dataset_id)
        links.append(store.put(chunk_file, NAME))
        store.probe(links[-1])
    assert links[0].url != links[1].url


def test_c10_the_zarr_folder_is_the_unpacked_zip(root: Path, tmp_path: Path) -> None:
    """C10: with local_zarr a reader gets the path of a directory whose root is the zarr root."""
    file = _zip(tmp_path / "a.zarr.zip", {"zarr.json": "{}", "obs/c/0": "x"})
    store = _zarr_store(root)
    folder = Path(store.zarr_folder(file, ZIP_NAME))
    assert folder == root / "share" / "demo" / ZIP_NAME.removesuffix(".zip")
    assert (folder / "obs" / "c" / "0").read_text() == "x"
    assert store.zarr_folder(file, ZIP_NAME) == str(folder)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_c11_a_zarr_folder_is_never_overwritten(root: Path, tmp_path: Path) -> None:
    store = _zarr_store(root)
    folder = Path(store.zarr_folder(_zip(tmp_path / "a.zip", {"zarr.json": "{}"}), ZIP_NAME))
    with pytest.raises(ShareError, match="delete the folder"):
        store.zarr_folder(_zip(tmp_path / "b.zip", {"zarr.json": "{ }"}), ZIP_NAME)
    assert (folder / "zarr.json").read_text() == "{}"


@pytest.mark.parametrize("member", ["../out", "/etc/out", "a/../../out", "C:/out"])
def test_a_zip_cannot_write_outside_its_folder(root: Path, tmp_path: Path, member: str) -> None:
    file = _zip(tmp_path / "a.zip", {"zarr.json": "{}", member: "x"})
    with pytest.raises(ShareError, match="outside its root"):
        _zarr_store(root).zarr_folder(file, ZIP_NAME)
    assert not (root / "share").exists()


def test_zarr_folder_needs_its_setting_and_its_suffix(
    local_store: Store, root: Path, tmp_path: Path
) -> None:
    file = _zip(tmp_path / "a.zip", {"zarr.json": "{}"})
    with pytest.raises(InputError, match="local_zarr"):
        local_store.zarr_folder(file, ZIP_NAME)
    with pytest.raises(InputError, match=r"\.zarr\.zip"):
        _zarr_store(root).zarr_folder(file, NAME)


def test_links_follow_the_source_through_a_symbolic_link(
    local_store: Store, chunk_file: Path, tmp_path: Path, root: Path
) -> None:
    """A published folder may be reached through a symbolic link; the bytes are shared, not it."""
    alias = tmp_path / "alias.h5ad"
    alias.symlink_to(chunk_file)
    name = remote_name("0001-of-0002", sha256_of(alias), ".h5ad")
    local_store.probe(local_store.put(alias, name))
    assert not (root / "share" / "demo" / name).is_symlink()
