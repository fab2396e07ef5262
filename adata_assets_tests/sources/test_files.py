"""Raw files on this machine: found, hashed, and hashed again only when there is a reason."""

from __future__ import annotations

import os
import shutil

import pytest

from adata_assets.errors import InputError
from adata_assets.sources import files
from adata_assets.sources.files import locate_source, look_at_file, sha256_of_source
from adata_assets.sources.opening import open_source
from adata_assets.spec import SourceSpec
from adata_assets_tests.sources.conftest import cells, write_zarr


@pytest.fixture(params=["file", "folder"])
def source(request, tmp_path):
    """An h5ad file, or the same cells as a zarr folder."""
    if request.param == "file":
        path = tmp_path / "raw.h5ad"
        cells(3).write_h5ad(path)
    else:
        path = tmp_path / "raw.zarr"
        write_zarr(path, cells(3))
    return path


def a_part_of(source):
    """Return a file that holds some of the content."""
    if not source.is_dir():
        return source
    return next(path for path in sorted(source.rglob("0")) if path.stat().st_size)


def test_a_relative_path_begins_at_the_yaml(source):
    assert locate_source(source.name, folder=source.parent) == source
    assert locate_source(f"file://{source}") == source


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nowhere.h5ad", "no file at"),
        ("package://not_there/a.h5ad", "'not_there' is not installed"),
        ("package://scanpy/nothing.h5ad", "no file at"),
        ("package://scanpy", "is a folder; give an .h5ad file"),
        ("s3://bucket/a.h5ad", "s3:// is not on this machine"),
    ],
)
def test_a_wrong_source_is_told(given, told):
    with pytest.raises(InputError, match=told):
        locate_source(given)


def test_the_content_is_hashed_only_when_size_or_time_differ(source, monkeypatch):
    first = look_at_file(source)
    monkeypatch.setattr(files, "sha256_of", lambda path: pytest.fail("hashed again"))
    assert look_at_file(source, vars(first)) == first


def test_a_changed_part_is_another_content(source):
    first = look_at_file(source)
    part = a_part_of(source)
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    os.utime(part, ns=(first.mtime_ns + 1, first.mtime_ns + 1))
    assert look_at_file(source, vars(first)).sha256 != first.sha256


def test_a_copy_is_the_same_content(source):
    copy = source.with_name(f"copy{source.suffix}")
    (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    assert sha256_of_source(copy) == sha256_of_source(source)


def test_names_inside_a_folder_are_content(tmp_path):
    folder = tmp_path / "raw.zarr"
    write_zarr(folder, cells(3))
    first = look_at_file(folder)
    (folder / "layers").rename(folder / "other")
    now = look_at_file(folder, vars(first))
    assert now.n_bytes == first.n_bytes and now.sha256 != first.sha256


def test_cells_of_a_folder_are_counted(tmp_path):
    write_zarr(tmp_path / "raw.zarr", cells(7))
    assert open_source(SourceSpec(uri="raw.zarr"), tmp_path).count_obs() == 7


def test_an_unknown_scheme_answers_with_the_right_ones():
    with pytest.raises(InputError, match="unknown scheme 'ftp'.*http://.*s3://"):
        open_source(SourceSpec(uri="ftp://host/a.h5ad"), None)
