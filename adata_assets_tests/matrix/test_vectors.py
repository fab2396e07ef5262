"""Arrays read ahead by threads: every layout of HDF5, every length of chunks, damaged bytes."""

from __future__ import annotations

import gzip
import threading
import zlib
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from adata_assets.errors import InputError
from adata_assets.matrix import vectors
from adata_assets.matrix.gzip_chunks import GzipVector, is_gzip
from adata_assets.matrix.source import open_source_matrix
from adata_assets.matrix.vectors import READ_ERRORS, PlainVector, iter_pending
from adata_assets.matrix.zarr_chunks import ZarrVector
from adata_assets_tests.matrix.files import make_adata, write_adata

N_ITEMS = 1003
VALUES = np.random.default_rng(0).integers(0, 5, N_ITEMS)
GZIP = [{"compression": "gzip"}, {"compression": "gzip", "shuffle": True}]
OTHERS = [
    {},
    {"chunks": (100,)},
    {"compression": "lzf"},
    {"compression": "lzf", "shuffle": True},
    {"compression": "gzip", "fletcher32": True},
    {"shuffle": True},
    {"compression": "gzip", "scaleoffset": 0},
]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "TASK_ITEMS", 64)


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def read_all(vector: vectors.Vector, length: int) -> np.ndarray:
    ranges = [(low, min(low + length, N_ITEMS)) for low in range(0, N_ITEMS, length)]
    with closing(iter_pending((vector, vector), ranges)) as pending:
        pairs = [found.wait() for found in pending]
    first, second = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    np.testing.assert_array_equal(first, second)
    return first


@pytest.mark.parametrize("options", GZIP, ids=["gzip", "shuffled"])
@pytest.mark.parametrize("n_chunk", [1, 10, 64, 100, 1003])
@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<i8", ">f8", "u1", ">i2"])
def test_gzip_chunks(tmp_path: Path, options: dict[str, object], n_chunk: int, dtype: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        values = VALUES.astype(dtype)
        dataset = file.create_dataset("x", data=values, chunks=(n_chunk,), **options)
        assert is_gzip(dataset)
        for length in (1, 64, 250, 1003):
            if n_chunk * length > 9:
                np.testing.assert_array_equal(read_all(GzipVector(dataset), length), values)


@pytest.mark.parametrize("n_chunk", [10, 1003])
@pytest.mark.parametrize("maxshape", [(N_ITEMS,), (None,)], ids=["fixed", "growing"])
def test_chunk_indices_of_newer_hdf5(tmp_path: Path, n_chunk: int, maxshape: object) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        dataset = file.create_dataset(
            "x", data=VALUES, chunks=(n_chunk,), maxshape=maxshape, compression="gzip"
        )
        assert is_gzip(dataset)
        np.testing.assert_array_equal(read_all(GzipVector(dataset), 64), VALUES)


@pytest.mark.parametrize("options", OTHERS, ids=str)
def test_what_hdf5_reads_itself(tmp_path: Path, options: dict[str, object]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=VALUES.astype("i4"), **options)
        assert not is_gzip(dataset)
        for length in (7, 250, 1003):
            np.testing.assert_array_equal(read_all(PlainVector(dataset), length), VALUES)


def test_types_and_places_that_are_left_to_hdf5(tmp_path: Path) -> None:
    def has_gzip(file: h5py.File, dtype: object) -> bool:
        return is_gzip(file.create_dataset("x", (N_ITEMS,), dtype, chunks=(9,), compression="gzip"))

    with h5py.File(tmp_path / "bool.h5", "w") as file:
        assert not has_gzip(file, bool)
    with h5py.File(tmp_path / "block.h5", "w", userblock_size=512) as file:
        assert not has_gzip(file, "f4")
    with h5py.File(tmp_path / "memory.h5", "w", driver="core") as file:
        assert not has_gzip(file, "f4")
    with h5py.File(tmp_path / "unwritten.h5", "w") as file:
        assert not has_gzip(file, "f4")


def test_a_filter_that_was_left_out(tmp_path: Path) -> None:
    """HDF5 stores a chunk as it is where gzip would make it larger, and marks it."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", (N_ITEMS,), "<i4", chunks=(500,), compression="gzip")
        whole = np.zeros(1500, "<i4")
        whole[:N_ITEMS] = VALUES
        dataset.id.write_direct_chunk((0,), whole[:500].tobytes(), filter_mask=1)
        dataset.id.write_direct_chunk((500,), zlib.compress(whole[500:1000].tobytes()))
        dataset.id.write_direct_chunk((1000,), zlib.compress(whole[1000:].tobytes()))
        np.testing.assert_array_equal(dataset[...], VALUES)
        assert is_gzip(dataset)
        np.testing.assert_array_equal(read_all(GzipVector(dataset), 90), VALUES)


def write_with_chunk(path: Path, content: bytes) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", (100,), "<i4", chunks=(100,), compression="gzip")
        dataset.id.write_direct_chunk((0,), content)


def test_damaged_chunks_are_refused(tmp_path: Path) -> None:
    """Each byte of a chunk changed, cut short, and what is shorter or no zlib at all.

    HDF5 itself reads a chunk that is too short, with whatever was in memory behind its end.
    """
    good = zlib.compress(VALUES[:100].astype("<i4").tobytes())
    contents = [good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :] for at in range(len(good))]
    contents += [good[:-1], good[:5], b"\0", gzip.compress(b"no"), zlib.compress(b"short")]
    for content in contents:
        write_with_chunk(tmp_path / "a.h5", content)
        with h5py.File(tmp_path / "a.h5") as file, pytest.raises(READ_ERRORS, match="chunk 0"):
            GzipVector(file["x"]).read(0, np.empty(100, "<i4"))


def test_a_chunk_that_is_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    """What inflates to more than the chunk is never held in memory."""
    write_with_chunk(tmp_path / "a.h5", zlib.compress(b"\0" * 1_000_000))
    with (
        h5py.File(tmp_path / "a.h5") as file,
        pytest.raises(EOFError, match="chunk 0 does not end after 400 bytes"),
    ):
        GzipVector(file["x"]).read(0, np.empty(100, "<i4"))


@pytest.mark.parametrize("encoding", ["csr", "csc"])
@pytest.mark.parametrize("name", ["data", "indices"])
def test_damaged_chunk_of_a_matrix(tmp_path: Path, encoding: str, name: str) -> None:
    """Blocks before the damage are given; the error names file, slot and row."""
    path = tmp_path / "a.h5ad"
    adata = make_adata(200, 12, encoding=encoding)
    with h5py.File(write_adata(adata, path), "a") as file:
        for part in ("data", "indices"):
            values = file[f"X/{part}"][...]
            del file[f"X/{part}"]
            file["X"].create_dataset(part, data=values, chunks=(64,), compression="gzip")
        at = file[f"X/{name}"].id.get_chunk_info(5).byte_offset
    content = bytearray(path.read_bytes())
    content[at + 2 : at + 8] = b"\xff" * 6
    path.write_bytes(content)
    message = r"a\.h5ad, X: cannot read stored values \d+ to \d+, (row|column) \d+ on .*damaged"
    n_values = 0
    with (
        open_source_matrix(path, "X", scratch=tmp_path) as matrix,
        pytest.raises(InputError, match=message),
    ):
        for _, block in matrix.iter_blocks(max_nonzeros=64):
            n_values += block.nnz
    assert 200 < n_values <= 320 if encoding == "csr" else n_values == 0


def test_zarr_chunks(tmp_path: Path) -> None:
    for zarr_format in (2, 3):
        for n_chunk in (90, 5000):
            path = tmp_path / f"{zarr_format}-{n_chunk}"
            array = zarr.create_array(path, data=VALUES, chunks=(n_chunk,), zarr_format=zarr_format)
            for length in (64, 1003):
                np.testing.assert_array_equal(read_all(ZarrVector(array), length), VALUES)


def test_who_stops_early_leaves_no_threads(tmp_path: Path) -> None:
    path = write_adata(make_adata(200), tmp_path / "a.h5ad", compression="gzip")
    with open_source_matrix(path, "X", scratch=tmp_path) as matrix:
        blocks = matrix.iter_blocks(max_nonzeros=50)
        next(blocks)
        assert readers()
        blocks.close()
        assert not readers()


def test_blocks_outlive_the_file(tmp_path: Path) -> None:
    path = write_adata(make_adata(200), tmp_path / "a.h5ad", compression="gzip")
    with open_source_matrix(path, "X", scratch=tmp_path) as matrix:
        blocks = matrix.iter_blocks(max_nonzeros=50)
        first = next(blocks)
        n_nonzeros = matrix.n_nonzeros
    assert sum(block.nnz for _, block in [first, *blocks]) == n_nonzeros


def test_a_file_that_was_replaced_while_it_was_opened(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad", compression="gzip")
    with h5py.File(path) as file:
        path.unlink()
        path.write_bytes(b"another")
        with pytest.raises(InputError, match="replaced"):
            GzipVector(file["X/data"])


def test_a_file_can_be_written_after_it_was_read(tmp_path: Path) -> None:
    path = write_adata(make_adata(), tmp_path / "a.h5ad", compression="gzip")
    with open_source_matrix(path, "X", scratch=tmp_path) as matrix:
        next(matrix.iter_blocks())
    with h5py.File(path, "a") as file:
        file["more"] = 1
    assert matrix.n_obs == 40
