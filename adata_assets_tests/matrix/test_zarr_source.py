"""Zarr folders: every format, encoding and slot gives what the h5ad of the same cells gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.matrix.header import count_largest_nonzeros, count_most_vars, count_obs
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.matrix.source import list_matrices, open_source_matrix, read_obs, read_var
from adata_assets_tests.matrix.conftest import CopyZarr
from adata_assets_tests.matrix.files import FORMATS, make_adata, write_adata, write_zarr
from adata_assets_tests.matrix.test_source import SLOTS, assert_equal, read_streamed

ZARR_FORMATS = [2, 3]


@pytest.fixture(params=ZARR_FORMATS, ids=["zarr2", "zarr3"])
def zarr_format(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.mark.parametrize("encoding", FORMATS)
def test_reads_what_the_h5ad_holds(
    tmp_path: Path, copy_zarr: CopyZarr, encoding: str, zarr_format: int
) -> None:
    folder = copy_zarr(zarr_format, encoding=encoding)
    file = write_adata(make_adata(encoding=encoding), tmp_path / "a.h5ad")
    require_safe_h5ad(folder)
    assert list_matrices(folder) == list_matrices(file) == SLOTS
    for slot in SLOTS:
        expected = read_streamed(file, slot)
        for sizes in ({}, {"max_nonzeros": 9}, {"max_nonzeros": 1, "max_rows": 1}):
            assert_equal(read_streamed(folder, slot, **sizes), expected)
        pd.testing.assert_frame_equal(read_var(folder, slot), read_var(file, slot))
    pd.testing.assert_frame_equal(read_obs(folder), read_obs(file))


@pytest.mark.parametrize("encoding", FORMATS)
def test_header_tells_the_same(
    tmp_path: Path, copy_zarr: CopyZarr, encoding: str, zarr_format: int
) -> None:
    folder = copy_zarr(zarr_format, encoding=encoding)
    file = write_adata(make_adata(encoding=encoding), tmp_path / "a.h5ad")
    for count in (count_obs, count_most_vars, count_largest_nonzeros):
        assert count(folder) == count(file)
    with open_source_matrix(folder, "X", scratch=tmp_path) as matrix:
        assert (matrix.encoding, matrix.n_obs, matrix.n_vars) == (encoding, 40, 12)


@pytest.mark.parametrize("chunks", [1, 7, 10_000])
def test_chunks_of_any_length(
    tmp_path: Path,
    copy_zarr: CopyZarr,
    chunks: int,
    zarr_format: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adata_assets.matrix.vectors.TASK_ITEMS", 5)
    monkeypatch.setattr("adata_assets.matrix.zarr_chunks.TASK_ITEMS", 5)
    adata = make_adata()
    folder = copy_zarr(zarr_format, chunks=chunks)
    for sizes in ({}, {"max_nonzeros": 9}, {"max_rows": 1}):
        assert_equal(read_streamed(folder, "X", **sizes), csr_matrix(adata.X))


def test_shards(tmp_path: Path, copy_zarr: CopyZarr) -> None:
    adata = make_adata()
    folder = copy_zarr(3)
    group = zarr.open_group(folder, use_consolidated=False)["X"]
    for name in ("data", "indices"):
        values = group[name][...]
        del group[name]
        group.create_array(name, data=values, chunks=(10,), shards=(50,))
    require_safe_h5ad(folder)
    assert_equal(read_streamed(folder, "X", max_nonzeros=9), csr_matrix(adata.X))


def test_folder_without_consolidated_metadata(tmp_path: Path, copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(2)
    (folder / ".zmetadata").unlink()
    require_safe_h5ad(folder)
    assert count_obs(folder) == 40


def chunk_file(folder: Path, name: str, chunk: int) -> Path:
    is_old = (folder / ".zgroup").exists()
    return folder / name / (str(chunk) if is_old else f"c/{chunk}")


@pytest.mark.parametrize("name", ["data", "indices"])
def test_a_lost_chunk_is_refused(
    tmp_path: Path, copy_zarr: CopyZarr, name: str, zarr_format: int
) -> None:
    """Zarr itself would read zeros: the counts of these cells would be lost in silence."""
    folder = copy_zarr(zarr_format, chunks=20)
    lost = chunk_file(folder, f"X/{name}", 2)
    lost.unlink()
    assert (zarr.open_group(folder, use_consolidated=False)[f"X/{name}"][40:60] == 0).all()
    with (
        pytest.raises(InputError, match=rf"a\.zarr: {lost.relative_to(folder)} is missing"),
        open_source_matrix(folder, "X", scratch=tmp_path),
    ):
        pass


def test_a_lost_chunk_of_row_pointers_is_refused(
    tmp_path: Path, copy_zarr: CopyZarr, zarr_format: int
) -> None:
    folder = copy_zarr(zarr_format, chunks=20)
    chunk_file(folder, "X/indptr", 1).unlink()
    with (
        pytest.raises(InputError, match="indptr falls at row 19"),
        open_source_matrix(folder, "X", scratch=tmp_path),
    ):
        pass


def test_indices_that_are_all_zero_need_no_chunk(tmp_path: Path, zarr_format: int) -> None:
    """Zarr writes no file for them where only the first gene has counts."""
    adata = make_adata(4, 3)
    counts = np.array([[1, 0, 0], [2, 0, 0], [0, 0, 0], [3, 0, 0]], "f4")
    plain = ad.AnnData(csr_matrix(counts), obs=adata.obs, var=adata.var)
    folder = write_zarr(plain, tmp_path / "a.zarr", zarr_format=zarr_format)
    assert not chunk_file(folder, "X/indices", 0).exists()
    np.testing.assert_array_equal(read_streamed(folder, "X").toarray(), counts)


@pytest.mark.parametrize("encoding", FORMATS)
def test_damaged_bytes_name_the_place(
    tmp_path: Path, copy_zarr: CopyZarr, encoding: str, zarr_format: int
) -> None:
    folder = copy_zarr(zarr_format, encoding=encoding)
    name = "X" if encoding == "dense" else "X/data"
    (file,) = (
        path
        for path in (folder / name).rglob("*")
        if path.is_file() and not path.name.startswith((".z", "zarr"))
    )
    file.write_bytes(b"\xff" * len(file.read_bytes()))
    with (
        open_source_matrix(folder, "X", scratch=tmp_path / "scratch") as matrix,
        pytest.raises(InputError, match=r"a\.zarr, X: cannot read (stored values|rows) 0"),
    ):
        list(matrix.iter_blocks())


def test_a_damaged_frame_is_told(tmp_path: Path, copy_zarr: CopyZarr, zarr_format: int) -> None:
    folder = copy_zarr(zarr_format)
    chunk_file(folder, "obs/score", 0).write_bytes(b"\xff" * 40)
    with pytest.raises(InputError, match=r"a\.zarr, obs cannot be read"):
        read_obs(folder)
    shutil.rmtree(folder / "var")
    with pytest.raises(InputError, match=r"a\.zarr, var cannot be read"):
        read_var(folder, "X")


def test_an_unknown_encoding_of_obs_is_told(tmp_path: Path, copy_zarr: CopyZarr) -> None:
    folder = copy_zarr(3)
    metadata = json.loads((folder / "obs/zarr.json").read_text())
    metadata["attributes"]["encoding-type"] = "from-the-future"
    (folder / "obs/zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(InputError, match="from-the-future"):
        read_obs(folder)


def test_a_folder_without_the_slot(tmp_path: Path, copy_zarr: CopyZarr, zarr_format: int) -> None:
    folder = copy_zarr(zarr_format)
    with (
        pytest.raises(InputError, match=r"no matrix 'layers/spliced'; .*'raw/X', 'X'"),
        open_source_matrix(folder, "layers/spliced", scratch=tmp_path),
    ):
        pass
