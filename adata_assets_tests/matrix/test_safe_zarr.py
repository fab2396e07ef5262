"""Foreign zarr folders: what is refused, and that what is fine is let through."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from adata_assets.matrix.header import count_obs
from adata_assets.matrix.safe import UnsafeFileError, require_safe_h5ad
from adata_assets_tests.matrix.conftest import CopyZarr
from adata_assets_tests.matrix.files import FORMATS, make_adata, write_zarr


@pytest.fixture(params=[2, 3], ids=["zarr2", "zarr3"])
def folder(request: pytest.FixtureRequest, copy_zarr: CopyZarr) -> Path:
    return copy_zarr(request.param)


def change(folder: Path, array: str, **changes: Any) -> None:
    """Change the metadata of an array, whatever its format."""
    old = folder / array / ".zarray"
    file = old if old.exists() else folder / array / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def is_old(folder: Path) -> bool:
    return (folder / ".zgroup").exists()


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_folder_of_anndata_is_accepted(tmp_path: Path, encoding: str, zarr_format: int) -> None:
    adata = make_adata(encoding=encoding)
    adata.uns["records"] = np.array([("a", 1.0)], [("name", "U5"), ("value", "f4")])
    require_safe_h5ad(write_zarr(adata, tmp_path / "a.zarr", zarr_format=zarr_format))


def test_no_zarr(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no cells")
    with pytest.raises(UnsafeFileError, match="is no zarr group"):
        require_safe_h5ad(tmp_path)


def test_link_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    """A chunk that is a link would publish a file of this machine as counts."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"password")
    (folder / "X/data/c").mkdir(exist_ok=True)
    (folder / "X/data/c/1").symlink_to(secret)
    with pytest.raises(UnsafeFileError, match=r"X/data/c/1 is a link; copy .*cp -rL"):
        require_safe_h5ad(folder)


def test_linked_group_and_special_file(folder: Path, tmp_path: Path) -> None:
    (folder / "uns/other").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UnsafeFileError, match="uns/other is a link"):
        count_obs(folder)
    (folder / "uns/other").unlink()
    os.mkfifo(folder / "uns/pipe")
    with pytest.raises(UnsafeFileError, match="uns/pipe is no plain file"):
        count_obs(folder)


@pytest.mark.parametrize("codec", ["pickle", "json2", "msgpack2", "unheard_of"])
def test_codecs_that_are_no_plain_data(folder: Path, codec: str) -> None:
    if is_old(folder):
        change(folder, "obs/caption", filters=[{"id": codec}])
    else:
        change(folder, "obs/caption", codecs=[{"name": f"numcodecs.{codec}", "configuration": {}}])
    with pytest.raises(UnsafeFileError, match=f"/obs/caption is stored with codec '{codec}'"):
        require_safe_h5ad(folder)


def test_codec_within_a_shard(copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(3)
    inner = {"chunk_shape": [1], "codecs": [{"name": "pickle"}], "index_codecs": ["bytes"]}
    change(folder, "obs/score", codecs=[{"name": "sharding_indexed", "configuration": inner}])
    with pytest.raises(UnsafeFileError, match="/obs/score is stored with codec 'pickle'"):
        require_safe_h5ad(folder)


def test_bomb(folder: Path) -> None:
    """A small folder that declares 160 GB, of which nothing is stored."""
    change(folder, "obs/score", shape=[20_000_000_000])
    with pytest.raises(UnsafeFileError, match=r"declares 16\d{10} bytes up to /obs/score"):
        require_safe_h5ad(folder)
    require_safe_h5ad(folder, max_declared_bytes=1 << 40)


def test_chunk_that_is_a_bomb(folder: Path) -> None:
    """Reading one value decodes its whole chunk."""
    length = 20_000_000_000
    if is_old(folder):
        change(folder, "obs/score", chunks=[length])
    else:
        grid = {"name": "regular", "configuration": {"chunk_shape": [length]}}
        change(folder, "obs/score", chunk_grid=grid)
    with pytest.raises(UnsafeFileError, match="up to one chunk of /obs/score"):
        require_safe_h5ad(folder)


def test_sizes_add_up_over_a_budget(folder: Path) -> None:
    with pytest.raises(UnsafeFileError, match="more than the 1000 allowed"):
        require_safe_h5ad(folder, max_declared_bytes=1000)


@pytest.mark.parametrize("shape", [[-1], "40", None, [4.5], [True]])
def test_shapes_that_are_none(folder: Path, shape: Any) -> None:
    change(folder, "obs/score", shape=shape)
    with pytest.raises(UnsafeFileError, match="/obs/score cannot be understood"):
        require_safe_h5ad(folder)


def test_records_with_objects(copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(2)
    change(folder, "obs/score", dtype=[["name", "|O"]])
    with pytest.raises(UnsafeFileError, match="no plain data"):
        require_safe_h5ad(folder)


def test_long_records_count(copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(3)
    text = {"name": "null_terminated_bytes", "configuration": {"length_bytes": 1 << 40}}
    fields = {"name": "structured", "configuration": {"fields": [["name", text]]}}
    change(folder, "obs/score", data_type=fields)
    with pytest.raises(UnsafeFileError, match="up to /obs/score"):
        require_safe_h5ad(folder)


@pytest.mark.parametrize("content", ["{", "[]", "\xff\xfe", "[" * 100_000])
def test_damaged_metadata(folder: Path, content: str) -> None:
    name = ".zarray" if is_old(folder) else "zarr.json"
    (folder / "obs/score" / name).write_text(content, encoding="latin-1")
    with pytest.raises(UnsafeFileError, match=f"obs/score/{name} (is damaged|holds a list)"):
        require_safe_h5ad(folder)


def test_metadata_without_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adata_assets.matrix.safe_zarr._MAX_METADATA_BYTES", 10)
    with pytest.raises(UnsafeFileError, match="more than the 10 that metadata may take"):
        require_safe_h5ad(folder)


def test_two_formats_at_once(copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(3)
    (folder / "obs/score/.zarray").write_text("{}")
    with pytest.raises(UnsafeFileError, match="/obs/score is stored in zarr formats 2 and 3"):
        require_safe_h5ad(folder)


def test_group_of_an_unknown_format(folder: Path) -> None:
    file = folder / (".zgroup" if is_old(folder) else "zarr.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"zarr_format": 9}))
    with pytest.raises(UnsafeFileError, match="zarr says"):
        require_safe_h5ad(folder)


@pytest.mark.parametrize(
    ("removed", "message"),
    [(["obs"], "no 'obs'"), (["var"], "no 'var'"), (["X", "raw", "layers"], "no matrix")],
)
def test_not_an_anndata(folder: Path, removed: list[str], message: str) -> None:
    group = zarr.open_group(folder, use_consolidated=False)
    for name in removed:
        del group[name]
    with pytest.raises(UnsafeFileError, match=message):
        require_safe_h5ad(folder)
