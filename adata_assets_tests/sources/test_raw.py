"""Raw files that are pinned: guarded while they are read, kept when their source is unchanged."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.sources.contract import SourceChangedError
from adata_assets.sources.opening import open_sources
from adata_assets.sources.pinning import (
    content_version,
    find_change,
    look_at_sources,
    pin_sources,
    seen_version,
)
from adata_assets.sources.raw import RawFile, read_raw_files, unchanged
from adata_assets.spec import DatasetSpec
from adata_assets.storage import Storage
from adata_assets_tests.sources.places import PLACES


class Pinboard:
    """Pins the sources of a spec into a storage, as the asset does."""

    def __init__(self, folder: Path, *sources: object) -> None:
        given = {"source": sources, "title": "Cells", "chunks": {"count": 3}}
        self.spec = DatasetSpec(dataset_id="cells", **given)
        self.sources = open_sources(self.spec, folder)
        self.storage = Storage(UPath(folder / "storage"), folder / "scratch")
        self.storage.scratch.mkdir(exist_ok=True)

    def look(self):
        """Return what the sources are now."""
        return look_at_sources(self.sources, self.stored)

    @property
    def stored(self):
        """The stored artefact, if there is one."""
        return self.storage.find("cells", "raw_h5ad")

    def pin(self) -> tuple[RawFile, ...]:
        """Pin what there is now and return it as later stages see it."""
        earlier, seen = self.stored, self.look()
        with self.storage.draft("cells", "raw_h5ad", code_version="1") as draft:
            files = pin_sources(
                self.sources,
                seen,
                earlier=earlier,
                folder=draft.folder,
                scratch=self.storage.scratch,
            )
            draft.metadata |= {"files": [vars(file) for file in files]}
            draft.data_version = content_version(files)
        return read_raw_files(draft.committed)


@pytest.fixture
def place(tmp_path, monkeypatch, contents):
    """A file on a web server."""
    with PLACES["http"](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


@pytest.fixture
def pinned(tmp_path, contents):
    """A file that is used in place."""
    (tmp_path / "raw.h5ad").write_bytes(contents[0])
    return Pinboard(tmp_path, "raw.h5ad").pin()


def test_a_local_file_is_used_in_place(pinned, tmp_path, contents):
    (file,) = pinned
    assert (file.name, file.path, file.file) == ("raw", str(tmp_path / "raw.h5ad"), None)
    assert file.version == file.sha256 and file.n_bytes == len(contents[0])


def test_a_fetched_file_lies_in_the_artefact(place, tmp_path, contents):
    (file,) = Pinboard(tmp_path, place.uri).pin()
    assert file.file == "cells.h5ad" and Path(file.path).read_bytes() == contents[0]
    assert Path(file.path).is_relative_to(tmp_path / "storage")


def test_a_fetched_file_moves_with_the_storage_root(place, tmp_path, contents):
    Pinboard(tmp_path, place.uri).pin()
    (tmp_path / "storage").rename(tmp_path / "elsewhere")
    moved = Storage(UPath(tmp_path / "elsewhere"), tmp_path).load("cells", "raw_h5ad")
    with unchanged(read_raw_files(moved)) as (file,):
        assert Path(file.path).read_bytes() == contents[0]


def test_an_unchanged_source_is_not_fetched_again(place, tmp_path):
    board = Pinboard(tmp_path, place.uri)
    first = board.pin()
    place.server.asked.clear()
    second = board.pin()
    assert place.ranges == ["bytes=0-7"]
    assert second[0].sha256 == first[0].sha256 and Path(second[0].path).samefile(first[0].path)
    assert find_change(board.look(), board.stored) is None


def test_a_changed_source_is_fetched_again(place, tmp_path, contents):
    board = Pinboard(tmp_path, place.uri)
    first = board.pin()
    place.put(contents[1])
    assert "cells: " in find_change(board.look(), board.stored)
    second = board.pin()
    assert Path(second[0].path).read_bytes() == contents[1]
    assert Path(first[0].path).read_bytes() == contents[0]
    assert find_change(board.look(), board.stored) is None


def test_the_same_content_under_another_etag_is_the_same_data(place, tmp_path):
    board = Pinboard(tmp_path, place.uri)
    first = content_version(board.pin())
    place.served.etag = '"renamed"'
    assert find_change(board.look(), board.stored) is not None
    assert content_version(board.pin()) == first


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_stored_file_that_was_damaged_is_fetched_again(place, tmp_path, contents, damage):
    board = Pinboard(tmp_path, place.uri)
    (file,) = board.pin()
    path = Path(file.path)
    path.unlink() if damage == "remove" else path.write_bytes(contents[1])
    with pytest.raises(SourceChangedError, match="--force raw_h5ad"), unchanged([file]):
        pytest.fail("must not be read")
    (mended,) = board.pin()
    assert Path(mended.path).read_bytes() == contents[0]


def test_several_sources_have_one_version(place, tmp_path, contents):
    (tmp_path / "raw.h5ad").write_bytes(contents[1])
    board = Pinboard(tmp_path, {"uri": place.uri, "name": "web"}, "raw.h5ad")
    files = board.pin()
    assert [file.name for file in files] == ["web", "raw"]
    first = seen_version(board.look()), content_version(files)
    place.put(contents[1])
    assert seen_version(board.look()) != first[0]
    assert content_version(board.pin()) != first[1]


def test_a_source_that_moved_is_told(tmp_path, contents):
    (tmp_path / "raw.h5ad").write_bytes(contents[0])
    Pinboard(tmp_path, {"uri": "raw.h5ad", "name": "a"}).pin()
    shutil.copy(tmp_path / "raw.h5ad", tmp_path / "copy.h5ad")
    moved = Pinboard(tmp_path, {"uri": "copy.h5ad", "name": "a"})
    assert "moved to" in find_change(moved.look(), moved.stored)
    added = Pinboard(tmp_path, {"uri": "raw.h5ad", "name": "a"}, "copy.h5ad")
    assert find_change(added.look(), added.stored) == "a, copy instead of a"


def test_a_disk_that_is_too_small_is_told_before(place, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(InputError, match=r"0\.0 MB free, .* are to be fetched"):
        Pinboard(tmp_path, place.uri).pin()
    assert place.ranges == ["bytes=0-7"]


def test_a_touched_file_is_the_same(pinned):
    os.utime(pinned[0].path, ns=(1, 1))
    with unchanged(pinned) as files:
        assert files == pinned


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_change_of_any_file_is_noticed(pinned, tmp_path, moment):
    other = tmp_path / "other.h5ad"
    shutil.copy(pinned[0].path, other)
    both = (*pinned, dataclasses.replace(pinned[0], name="other", path=str(other)))
    if moment == "before":
        other.write_bytes(b"changed")
    with (
        pytest.raises(SourceChangedError, match=f"other.h5ad: its content changed {moment} it"),
        unchanged(both),
    ):
        other.write_bytes(b"changed")


def test_a_file_that_is_gone_is_told(pinned):
    Path(pinned[0].path).unlink()
    with (
        pytest.raises(SourceChangedError, match="the file is gone; put it back"),
        unchanged(pinned),
    ):
        pytest.fail("must not be read")
