"""Raw files: found, hashed, guarded while they are read."""

from __future__ import annotations

import os

import pytest

from adata_assets.errors import InputError
from adata_assets.sources import files
from adata_assets.sources.files import (
    SourceChangedError,
    locate_source,
    look_at_source,
    require_sha256,
    unchanged,
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "raw.h5ad"
    path.write_bytes(b"cells")
    return path


def test_a_relative_path_begins_at_the_yaml(source):
    assert locate_source("raw.h5ad", folder=source.parent) == source


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nowhere.h5ad", "no file at"),
        ("ftp://host/a.h5ad", "unknown scheme 'ftp'"),
        ("package://not_there/a.h5ad", "'not_there' is not installed"),
        ("package://scanpy/nothing.h5ad", "no file at"),
    ],
)
def test_a_wrong_source_is_told(given, told):
    with pytest.raises(InputError, match=told):
        locate_source(given)


def test_the_content_is_hashed_only_when_size_or_time_differ(source, monkeypatch):
    first = look_at_source(source)
    monkeypatch.setattr(files, "sha256_of", lambda path: pytest.fail("hashed again"))
    assert look_at_source(source, vars(first)) == first


def test_a_touched_file_is_the_same(source):
    file = look_at_source(source)
    os.utime(source, ns=(1, 1))
    with unchanged(file) as path:
        assert path == source


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_change_is_noticed(source, moment):
    file = look_at_source(source)
    if moment == "before":
        source.write_bytes(b"other")
    with (
        pytest.raises(SourceChangedError, match=f"raw.h5ad: its content changed {moment} it"),
        unchanged(file),
    ):
        source.write_bytes(b"other")


def test_a_file_that_is_gone_is_told(source):
    file = look_at_source(source)
    source.unlink()
    with pytest.raises(SourceChangedError, match="the file is gone"), unchanged(file):
        pytest.fail("must not be read")


def test_another_hash_than_the_stated_one_is_refused(source):
    file = look_at_source(source)
    require_sha256(file, None)
    require_sha256(file, file.sha256)
    with pytest.raises(SourceChangedError, match="the YAML states 0000"):
        require_sha256(file, "0" * 64)
