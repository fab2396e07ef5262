"""One reader per encoding of a matrix on disk: compressed rows, compressed columns, dense.

Belongs here: turning what is stored into blocks of rows, in bounded memory. Does not belong here:
which matrix of a file to read (``source.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.matrix.block_kernels import find_outside
from adata_assets.matrix.blocks import Array, build_block, cut_rows, iter_block_edges
from adata_assets.matrix.gzip_chunks import GzipVector, is_gzip
from adata_assets.matrix.spill import RowSpill, spill_folder
from adata_assets.matrix.store import Group, StoredArray
from adata_assets.matrix.vectors import READ_ERRORS, PlainVector, Vector, iter_pending
from adata_assets.matrix.zarr_chunks import ZarrVector, require_chunks

_BAND_BYTES = 64 << 20
_PIECE_VALUES = 1 << 21
_SPILL_BUCKET_BYTES = 64 << 20


class SourceMatrix(ABC):
    """A matrix of an ``.h5ad`` file or a zarr folder, read as blocks of rows.

    Attributes
    ----------
    slot
        Where it is: ``X``, ``raw/X`` or ``layers/<name>``.
    encoding
        ``csr``, ``csc`` or ``dense``: how it is stored.
    n_obs, n_vars
        Its shape.
    dtype
        Of the values, in native byte order; float16 is read as float32, which scipy can hold.
    n_nonzeros
        Number of stored values: not less than the non-zeros. For a dense matrix all of them.
    """

    encoding: str

    def __init__(self, path: Path, slot: str, shape: tuple[int, int], stored: np.dtype) -> None:
        self.path = path
        self.slot = slot
        self.n_obs, self.n_vars = shape
        self.n_nonzeros = 0
        if stored.kind not in "biuf":
            raise InputError(f"{path}, {slot}: values are {stored}, not numbers; choose another")
        self.dtype = np.dtype("f4") if stored.itemsize == 2 and stored.kind == "f" else stored
        self.dtype = self.dtype.newbyteorder("=")

    def iter_blocks(
        self, *, max_nonzeros: int = 1_000_000, max_rows: int = 65_536
    ) -> Iterator[tuple[int, csr_matrix]]:
        """Yield ``(first row, block)`` over all rows in their order.

        Values are as stored; explicit zeros are dropped and columns rise within a row. What is
        stored twice for one place is summed, as scipy reads it. A block has at most `max_rows`
        rows and `max_nonzeros` stored values (one row may have more).

        Raises
        ------
        InputError
            If the matrix contradicts itself or its bytes are damaged: names file, slot and place.
        """
        yield from self._iter_blocks(max_nonzeros, max_rows)

    @abstractmethod
    def _iter_blocks(
        self, max_nonzeros: int, max_rows: int
    ) -> Iterator[tuple[int, csr_matrix]]: ...

    @contextmanager
    def _reading(self, place: str) -> Iterator[None]:
        try:
            yield
        except READ_ERRORS as error:
            raise InputError(
                f"{self.path}, {self.slot}: cannot read {place} ({error}); the file is damaged or "
                "needs a compression filter that is missing: fetch it again, or write it with gzip"
            ) from error


class _CompressedMatrix(SourceMatrix):
    """What compressed rows and compressed columns share; ``major`` is the compressed axis."""

    major: str
    minor: str

    def __init__(self, path: Path, slot: str, group: Group, shape: tuple[int, int]) -> None:
        parts: list[Any] = [group[name] for name in ("data", "indices", "indptr")]
        data, indices, indptr = parts
        super().__init__(path, slot, shape, data.dtype)
        with self._reading("indptr, or where the chunks are"):
            self._data, self._indices = _vector(data), _vector(indices)
            self._indptr = np.asarray(indptr[...]).astype(np.int64)
        self.n_nonzeros = self._data.n_items
        n_major, self._n_minor = shape if self.encoding == "csr" else shape[::-1]
        self._require_indptr(n_major)
        for array in (data, indices):
            if isinstance(array, zarr.Array):
                require_chunks(path, array, self._indptr)

    def _require_indptr(self, n_major: int) -> None:
        where = f"{self.path}, {self.slot}"
        indptr, n_stored = self._indptr, self.n_nonzeros
        if n_stored != self._indices.n_items or self._indices.dtype.kind not in "iu":
            raise InputError(
                f"{where}: {n_stored} values but {self._indices.n_items} indices of type "
                f"{self._indices.dtype}; write the file again"
            )
        if len(indptr) != n_major + 1:
            raise InputError(
                f"{where}: indptr has {len(indptr)} entries, not {n_major + 1} for {n_major} "
                f"{self.major}s; write the file again"
            )
        falling = np.flatnonzero(np.diff(indptr) < 0)
        if len(falling):
            raise InputError(
                f"{where}: indptr falls at {self.major} {falling[0]} (from {indptr[falling[0]]} "
                f"to {indptr[falling[0] + 1]}); write the file again"
            )
        if (indptr[0], indptr[-1]) != (0, n_stored):
            raise InputError(
                f"{where}: indptr goes from {indptr[0]} to {indptr[-1]} over {n_stored} stored "
                f"values: {self.major} {0 if indptr[0] else n_major - 1} is wrong; write it again"
            )

    def _iter_ranges(self, ranges: list[tuple[int, int]]) -> Iterator[tuple[Array, Array]]:
        """Yield values and verified indices of ranges that follow one another."""
        with closing(iter_pending((self._data, self._indices), ranges)) as pending:
            for (low, high), found in zip(ranges, pending, strict=True):
                place = f"stored values {low} to {high}, {self.major} {self._major_of(low)} on"
                with self._reading(place):
                    values, indices = found.wait()
                yield values.astype(self.dtype, copy=False), self._require_indices(low, indices)

    def _require_indices(self, low: int, indices: Array) -> Array:
        # Compiled for two types only; a larger unsigned one turns negative, which is outside too.
        signed = indices.astype("i4" if indices.dtype in ("<i4", ">i4") else "i8", copy=False)
        at = find_outside(signed, self._n_minor)
        if at >= 0:
            raise InputError(
                f"{self.path}, {self.slot}: {self.major} {self._major_of(low + at)} names "
                f"{self.minor} {indices[at]} of {self._n_minor}; write the file again"
            )
        return signed.astype(np.int32, copy=False)

    def _major_of(self, at: int) -> int:
        return int(np.searchsorted(self._indptr, at, side="right")) - 1


class CsrMatrix(_CompressedMatrix):
    """Rows are contiguous: a block is one read."""

    encoding, major, minor = "csr", "row", "column"

    def _iter_blocks(self, max_nonzeros: int, max_rows: int) -> Iterator[tuple[int, csr_matrix]]:
        indptr = self._indptr
        edges = list(iter_block_edges(indptr, max_nonzeros=max_nonzeros, max_rows=max_rows))
        ranges = [(int(indptr[first]), int(indptr[last])) for first, last in edges]
        found = self._iter_ranges(ranges)
        for (first, last), (low, _), (values, columns) in zip(edges, ranges, found, strict=True):
            yield (
                first,
                build_block(values, columns, indptr[first : last + 1] - low, self.n_vars),
            )


class CscMatrix(_CompressedMatrix):
    """Columns are contiguous: their entries are dealt into files of row ranges first."""

    encoding, major, minor = "csc", "column", "row"

    def __init__(
        self, path: Path, slot: str, group: Group, shape: tuple[int, int], scratch: Path
    ) -> None:
        super().__init__(path, slot, group, shape)
        self._scratch = scratch

    def _iter_blocks(self, max_nonzeros: int, max_rows: int) -> Iterator[tuple[int, csr_matrix]]:
        with spill_folder(self._scratch) as folder:
            spill = self._spill(folder)
            for start, bucket in spill.iter_blocks():
                edges = iter_block_edges(
                    bucket.indptr, max_nonzeros=max_nonzeros, max_rows=max_rows
                )
                for first, last in edges:
                    yield start + first, cut_rows(bucket, first, last)

    def _spill(self, folder: Path) -> RowSpill:
        n_bytes = self.n_nonzeros * (8 + self.dtype.itemsize)
        n_buckets = -(-n_bytes // _SPILL_BUCKET_BYTES) or 1
        spill = RowSpill(
            folder,
            n_rows=self.n_obs,
            n_columns=self.n_vars,
            rows_per_bucket=-(-self.n_obs // n_buckets) or 1,
            dtype=self.dtype,
        )
        starts = range(0, self.n_nonzeros, _PIECE_VALUES)
        ranges = [(low, min(low + _PIECE_VALUES, self.n_nonzeros)) for low in starts]
        found = self._iter_ranges(ranges)
        for (low, high), (values, rows) in zip(ranges, found, strict=True):
            spill.append(rows, self._columns(low, high), values)
        return spill

    def _columns(self, low: int, high: int) -> Array:
        first, last = self._major_of(low), self._major_of(high - 1)
        ends = np.clip(self._indptr[first : last + 2], low, high)
        return np.repeat(np.arange(first, last + 1, dtype=np.int32), np.diff(ends))


class DenseMatrix(SourceMatrix):
    """Rows are read in bands as high as the file's own chunks, and made sparse piece by piece."""

    encoding = "dense"

    def __init__(self, path: Path, slot: str, dataset: StoredArray) -> None:
        n_obs, n_vars = dataset.shape
        super().__init__(path, slot, (n_obs, n_vars), dataset.dtype)
        self._dataset = dataset
        self.n_nonzeros = self.n_obs * self.n_vars

    def _iter_blocks(self, max_nonzeros: int, max_rows: int) -> Iterator[tuple[int, csr_matrix]]:
        height = max(1, min(max_nonzeros // max(self.n_vars, 1), max_rows))
        band_height = self._band_height(height)
        for start in range(0, self.n_obs, band_height):
            with self._reading(f"rows {start} on"):
                band = np.asarray(self._dataset[start : start + band_height], self.dtype)
            for first in range(0, len(band), height):
                yield start + first, csr_matrix(band[first : first + height])

    def _band_height(self, height: int) -> int:
        # A band that ends inside a chunk decompresses that chunk twice.
        chunk_height = self._dataset.chunks[0] if self._dataset.chunks else 1
        n_chunks = max(1, height // chunk_height)
        row_bytes = max(1, self.n_vars * self.dtype.itemsize)
        fits = chunk_height * row_bytes <= _BAND_BYTES
        return n_chunks * chunk_height if fits else height


def _vector(array: StoredArray) -> Vector:
    if isinstance(array, zarr.Array):
        return ZarrVector(array)
    return GzipVector(array) if is_gzip(array) else PlainVector(array)
