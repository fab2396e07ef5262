"""A zarr folder in a bucket: listed, counted, fetched object by object, never of two versions."""

from __future__ import annotations

import pytest

from adata_assets.assets.retries import is_passing
from adata_assets.errors import InputError
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.sources.contract import SourceChangedError, UnreachableError
from adata_assets.sources.files import sha256_of_source
from adata_assets.sources.opening import open_source
from adata_assets.sources.zarr_header import count_zarr_obs
from adata_assets.spec import SourceSpec
from adata_assets_tests.servers.object_server import running_store
from adata_assets_tests.sources.conftest import cells, left_in, write_zarr
from adata_assets_tests.sources.places import point_to


@pytest.fixture
def original(tmp_path):
    """A zarr folder on this machine."""
    path = tmp_path / "original.zarr"
    write_zarr(path, cells(7))
    return path


@pytest.fixture
def store(original, monkeypatch):
    """A bucket that holds it."""
    with running_store() as found:
        point_to(found, monkeypatch)
        for path in sorted(original.rglob("*")):
            if path.is_file():
                name = path.relative_to(original).as_posix()
                found.add(f"/lab/run/cells.zarr/{name}", path.read_bytes())
        yield found


@pytest.fixture
def source(store):
    """The source."""
    return open_source(SourceSpec(uri="s3://lab/run/cells.zarr/"), None)


def test_all_objects_become_the_folder(source, original, folders):
    path = source.fetch(source.look(), **folders)
    assert path == folders["folder"] / "cells.zarr"
    assert sha256_of_source(path) == sha256_of_source(original)
    require_safe_h5ad(path)
    assert list(folders["scratch"].rglob("*.part*")) == []


def test_cells_are_counted_from_three_objects(source, store):
    assert source.count_obs() == 7
    assert sum("list-type" not in path for path, _ in store.asked) <= 3


def test_any_object_decides_the_version(source, store):
    first = source.look()
    assert source.look() == first
    store.add("/lab/run/cells.zarr/uns/more", b"1")
    assert source.look().version != first.version


def test_a_cut_fetch_goes_on_with_the_other_objects(source, store, original, folders):
    seen = source.look()
    late = max(store.files)
    store.files[late].statuses = [500] * 5
    with pytest.raises(UnreachableError, match="5 times in a row"):
        source.fetch(seen, **folders)
    assert list(folders["folder"].iterdir()) == []
    store.asked.clear()
    assert sha256_of_source(source.fetch(seen, **folders)) == sha256_of_source(original)
    assert {path for path, _ in store.asked} == {late}


def test_an_object_that_changed_is_refused(source, store, folders):
    seen = source.look()
    store.files[max(store.files)].content = b"other"
    with pytest.raises(SourceChangedError, match="changed while it was read"):
        source.fetch(seen, **folders)
    assert list(folders["folder"].iterdir()) == []


def test_another_content_than_stated_leaves_nothing_behind(store, folders):
    source = open_source(SourceSpec(uri="s3://lab/run/cells.zarr", sha256="0" * 64), None)
    with pytest.raises(InputError, match="the YAML states 0000") as caught:
        source.fetch(source.look(), **folders)
    assert left_in(folders) == []
    assert not is_passing(caught.value)


def test_a_name_that_leads_out_of_the_folder_is_refused(source, store):
    store.add("/lab/run/cells.zarr/../../escaped", b"1")
    with pytest.raises(InputError, match="cannot be that of a file"):
        source.look()


def test_an_empty_folder_is_told(store):
    with pytest.raises(InputError, match="nothing is stored below it") as caught:
        open_source(SourceSpec(uri="s3://lab/run/gone.zarr"), None).look()
    assert not is_passing(caught.value)


@pytest.mark.parametrize("uri", ["s3://lab", "s3:///cells.h5ad"])
def test_an_address_without_bucket_or_key_is_told(uri):
    with pytest.raises(InputError, match="give s3://<bucket>/<key>"):
        open_source(SourceSpec(uri=uri), None)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"obs/.zattrs": b'{"_index": "../../x"}'},
        {"obs/.zattrs": b'{"_index": "cell"}'},
        {"obs/zarr.json": b"[]"},
    ],
)
def test_a_folder_that_is_no_anndata_is_told(files):
    with pytest.raises(InputError, match=r"a\.zarr: cannot read the number of cells"):
        count_zarr_obs("a.zarr", files.get)


def test_damaged_metadata_are_told():
    with pytest.raises(InputError, match=r"obs/\.zattrs is damaged"):
        count_zarr_obs("a.zarr", {"obs/.zattrs": b"{"}.get)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_both_formats_are_counted(tmp_path, zarr_format):
    write_zarr(tmp_path / "a.zarr", cells(5), zarr_format)

    def read(name):
        path = tmp_path / "a.zarr" / name
        return path.read_bytes() if path.is_file() else None

    assert count_zarr_obs("a.zarr", read) == 5
