"""Source files: every encoding and slot gives what anndata itself reads."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy
from scipy.sparse import csr_matrix, vstack

from adata_assets.errors import InputError
from adata_assets.matrix import encodings, spill
from adata_assets.matrix.source import list_matrices, open_source_matrix, read_obs, read_var
from adata_assets_tests.matrix.files import FORMATS, make_adata, write_adata

SHIPPED = Path(scanpy.__file__).parent / "datasets" / "10x_pbmc68k_reduced.h5ad"
SLOTS = ["layers/counts", "raw/X", "X", "layers/another"]


def read_streamed(path: Path, slot: str, **sizes: int) -> csr_matrix:
    scratch = path.parent / "scratch"
    with open_source_matrix(path, slot, scratch=scratch) as matrix:
        starts, blocks = zip(*matrix.iter_blocks(**sizes), strict=True)
    assert list(starts) == list(np.cumsum([0, *(block.shape[0] for block in blocks)])[:-1])
    assert all(block.has_canonical_format and (block.data != 0).all() for block in blocks)
    assert not scratch.exists() or not list(scratch.iterdir())
    return vstack(blocks, format="csr")


def read_whole(path: Path, slot: str) -> csr_matrix:
    adata = ad.read_h5ad(path)
    name = slot.removeprefix("layers/")
    whole = {"X": adata.X, "raw/X": adata.raw.X}.get(slot)
    return csr_matrix(adata.layers[name] if whole is None else whole)


def assert_equal(found: csr_matrix, expected: csr_matrix) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found != expected).nnz == 0


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}], ids=["plain", "gzip"])
def test_reads_what_anndata_reads(
    tmp_path: Path, encoding: str, slot: str, options: dict[str, str]
) -> None:
    path = write_adata(make_adata(encoding=encoding), tmp_path / "a.h5ad", **options)
    expected = read_whole(path, slot)
    for sizes in ({}, {"max_nonzeros": 9}, {"max_rows": 7}, {"max_nonzeros": 1, "max_rows": 1}):
        assert_equal(read_streamed(path, slot, **sizes), expected)


@pytest.mark.parametrize("encoding", FORMATS)
def test_says_what_is_stored(tmp_path: Path, encoding: str) -> None:
    path = write_adata(make_adata(encoding=encoding), tmp_path / "a.h5ad")
    with open_source_matrix(path, "layers/counts", scratch=tmp_path) as matrix:
        assert (matrix.slot, matrix.encoding) == ("layers/counts", encoding)
        assert (matrix.n_obs, matrix.n_vars, matrix.dtype) == (40, 12, np.dtype("i8"))
        stored = 480 if encoding == "dense" else read_whole(path, "layers/counts").nnz
        assert matrix.n_nonzeros == stored


def test_columns_through_many_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P19: a matrix stored by columns is dealt into row ranges, large ones read in parts."""
    path = write_adata(make_adata(400, 12, encoding="csc"), tmp_path / "a.h5ad")
    expected = read_whole(path, "X")
    monkeypatch.setattr(encodings, "_SPILL_BUCKET_BYTES", 2000)
    monkeypatch.setattr(encodings, "_PIECE_VALUES", 57)
    monkeypatch.setattr(spill, "BUCKET_BYTES", 500)
    monkeypatch.setattr(spill, "_PIECE_RECORDS", 11)
    assert_equal(read_streamed(path, "X"), expected)
    assert_equal(read_streamed(path, "X", max_nonzeros=10), expected)


def test_spill_is_removed_after_an_error(tmp_path: Path) -> None:
    path = write_adata(make_adata(encoding="csc"), tmp_path / "a.h5ad")
    with h5py.File(path, "a") as file:
        file["X/indices"][-1] = 99
    with (
        open_source_matrix(path, "X", scratch=tmp_path / "scratch") as matrix,
        pytest.raises(InputError, match="names row 99 of 40"),
    ):
        list(matrix.iter_blocks())
    assert not list((tmp_path / "scratch").iterdir())


def test_slots_in_order_of_preference(tmp_path: Path) -> None:
    adata = make_adata()
    assert list_matrices(write_adata(adata, tmp_path / "all.h5ad")) == SLOTS
    bare = ad.AnnData(obs=adata.obs, var=adata.var, layers={"counts": adata.layers["counts"]})
    assert list_matrices(write_adata(bare, tmp_path / "bare.h5ad")) == ["layers/counts"]


def test_unknown_slot_names_the_known_ones(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad")
    with (
        pytest.raises(InputError, match=r"no matrix 'layers/spliced'; .*'raw/X', 'X'"),
        open_source_matrix(path, "layers/spliced", scratch=tmp_path),
    ):
        pass


def test_frames(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad")
    adata = ad.read_h5ad(path)
    pd.testing.assert_frame_equal(read_obs(path), adata.obs)
    pd.testing.assert_frame_equal(read_var(path, "layers/counts"), adata.var)
    pd.testing.assert_frame_equal(read_var(path, "raw/X"), adata.raw.var)


def test_numeric_names_become_str(tmp_path: Path) -> None:
    adata = ad.AnnData(np.ones((3, 2), "f4"))
    path = write_adata(adata, tmp_path / "a.h5ad")
    assert list(read_obs(path).index) == ["0", "1", "2"]


@pytest.mark.parametrize("slot", ["raw/X", "X"])
def test_file_of_an_old_anndata(tmp_path: Path, slot: str) -> None:
    """The demo's file has compound obs, categories in uns, and raw.X."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = ad.read_h5ad(SHIPPED)
    assert list_matrices(SHIPPED) == ["raw/X", "X"]
    expected = csr_matrix(adata.X if slot == "X" else adata.raw.X)
    with open_source_matrix(SHIPPED, slot, scratch=tmp_path) as matrix:
        blocks = [block for _, block in matrix.iter_blocks(max_nonzeros=50_000)]
    assert_equal(vstack(blocks, format="csr"), expected)
    pd.testing.assert_frame_equal(read_obs(SHIPPED), adata.obs)
    pd.testing.assert_frame_equal(read_var(SHIPPED, "raw/X"), adata.raw.var)


@pytest.mark.parametrize("encoding", ["csr", "csc"])
def test_zeros_unsorted_and_doubled_entries(tmp_path: Path, encoding: str) -> None:
    """What scipy reads as a sum is summed without overflow; explicit zeros go."""
    path = write_adata(make_adata(2, 3), tmp_path / "a.h5ad")
    with h5py.File(path, "a") as file:
        del file["X"]
        group = file.create_group("X")
        group.attrs.update({"encoding-type": f"{encoding}_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = [2, 3]
        group["data"] = np.array([200, 1, 100, 0, 5], "u1")
        group["indices"] = [1, 0, 1, 0, 1] if encoding == "csc" else [2, 0, 2, 0, 1]
        group["indptr"] = [0, 3, 5] if encoding == "csr" else [0, 3, 5, 5]
    expected = [[1, 0, 300], [0, 5, 0]] if encoding == "csr" else [[1, 0, 0], [300, 5, 0]]
    assert read_streamed(path, "X").toarray().tolist() == expected


def test_other_dtypes(tmp_path: Path) -> None:
    path = write_adata(make_adata(4, 3, encoding="dense"), tmp_path / "a.h5ad")
    values = np.array([[0, 1, 0.5], [np.nan, 0, 2], [0, 0, 0], [1, 1, 1]])
    for stored, read in (("f2", "f4"), (">f4", "f4"), (">i4", "i4"), ("?", "?")):
        with h5py.File(path, "a") as file:
            del file["X"]
            file["X"] = (values if "f" in stored else np.nan_to_num(values)).astype(stored)
            expected = file["X"][...].astype(read)
        found = read_streamed(path, "X")
        assert found.dtype == np.dtype(read)
        np.testing.assert_array_equal(found.toarray(), expected)


def damage(path: Path, name: str, at: int, value: int) -> None:
    with h5py.File(path, "a") as file:
        file[name][at] = value


@pytest.mark.parametrize(
    ("name", "at", "value", "message"),
    [
        ("X/indices", -1, 12, r"a\.h5ad, X: row 38 names column 12 of 12"),
        ("X/indices", -1, -1, r"a\.h5ad, X: row 38 names column -1 of 12"),
        ("X/indptr", 5, 10_000, r"a\.h5ad, X: indptr falls at row 5 \(from 10000"),
        ("X/indptr", 0, 1, r"a\.h5ad, X: indptr falls at row 0 \(from 1"),
        ("X/indptr", 0, -1, r"a\.h5ad, X: indptr goes from -1 .*: row 0 is wrong"),
        ("X/indptr", -1, 10_000, r"to 10000 over \d+ stored values: row 39"),
    ],
)
def test_contradictions_name_file_slot_and_row(
    tmp_path: Path, name: str, at: int, value: int, message: str
) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad")
    damage(path, name, at, value)
    with (
        pytest.raises(InputError, match=message),
        open_source_matrix(path, "X", scratch=tmp_path) as matrix,
    ):
        list(matrix.iter_blocks(max_rows=10))


def test_axes_must_fit(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad")
    with h5py.File(path, "a") as file:
        file["X"].attrs["shape"] = [40, 11]
    with (
        pytest.raises(InputError, match=r"X: 11 where var has 12 rows"),
        open_source_matrix(path, "X", scratch=tmp_path),
    ):
        pass


def test_damaged_bytes_name_the_place(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad", compression="gzip")
    with h5py.File(path) as file:
        at = file["X/data"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    with (
        open_source_matrix(path, "X", scratch=tmp_path) as matrix,
        pytest.raises(InputError, match=r"a\.h5ad, X: cannot read stored values 0 .* row"),
    ):
        list(matrix.iter_blocks())
