"""Matrix entries in any order in, whole rows in row order out, through files on scratch."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from adata_assets.errors import InputError
from adata_assets.matrix.blocks import Array, iter_block_edges, widen

# A bucket is read back at once up to this size; assembling takes about three times as much.
BUCKET_BYTES = 32 << 20
_PIECE_RECORDS = 1 << 20


class RowSpill:
    """Entries of a matrix, kept in one file per range of rows.

    Parameters
    ----------
    folder
        An empty folder for the files.
    n_rows, n_columns
        Shape of the matrix; fewer than 2**31 each.
    rows_per_bucket
        Rows whose entries share a file. A file that grows beyond `BUCKET_BYTES` is read in parts.
    dtype
        Of the values.
    """

    def __init__(
        self, folder: Path, *, n_rows: int, n_columns: int, rows_per_bucket: int, dtype: np.dtype
    ) -> None:
        self._folder = folder
        self._shape = (n_rows, n_columns)
        self._rows_per_bucket = rows_per_bucket
        self._record = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", dtype)])

    @property
    def record_bytes(self) -> int:
        """Bytes that one entry takes on scratch."""
        return self._record.itemsize

    def append(self, rows: Array, columns: Array, values: Array) -> None:
        """Add entries; the three arrays have equal lengths.

        Raises
        ------
        InputError
            If the disk is full.
        """
        for low in range(0, len(rows), _PIECE_RECORDS):
            piece = slice(low, low + _PIECE_RECORDS)
            self._deal(rows[piece], columns[piece], values[piece])

    def iter_blocks(self) -> Iterator[tuple[int, csr_matrix]]:
        """Yield ``(first row, block)`` over all rows, in canonical form."""
        for first in range(0, self._shape[0], self._rows_per_bucket):
            last = min(first + self._rows_per_bucket, self._shape[0])
            path = self._path(first // self._rows_per_bucket)
            for low, high in self._parts(path, first, last):
                yield low, self._assemble(path, low, high)

    def _deal(self, rows: Array, columns: Array, values: Array) -> None:
        buckets = rows // self._rows_per_bucket
        order = _stable_order(buckets)
        records = np.empty(len(rows), self._record)
        records["row"], records["column"], records["value"] = (
            entries if order is None else entries[order] for entries in (rows, columns, values)
        )
        buckets = buckets if order is None else buckets[order]
        starts = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
            self._append_to_file(int(buckets[start]), records[start:stop])

    def _path(self, bucket: int) -> Path:
        return self._folder / f"{bucket:06d}"

    def _append_to_file(self, bucket: int, records: Array) -> None:
        try:
            with open(self._path(bucket), "ab") as handle:
                records.tofile(handle)
        except OSError as error:
            # numpy reports a short write without an errno.
            if error.errno not in (None, errno.ENOSPC, errno.EDQUOT):
                raise
            n_free = os.statvfs(self._folder).f_bavail * os.statvfs(self._folder).f_frsize
            raise InputError(
                f"scratch folder {self._folder.parent} is full ({n_free} bytes free, "
                f"{records.nbytes} wanted); set ADATA_ASSETS_SCRATCH to a larger disk"
            ) from error

    def _parts(self, path: Path, first: int, last: int) -> Iterator[tuple[int, int]]:
        if not path.exists() or path.stat().st_size <= BUCKET_BYTES:
            yield first, last
            return
        lengths = np.zeros(last - first, np.int64)
        for piece in self._iter_pieces(path):
            lengths += np.bincount(piece["row"] - first, minlength=last - first)
        edges = iter_block_edges(
            np.r_[0, np.cumsum(lengths)], max_nonzeros=BUCKET_BYTES // self.record_bytes
        )
        for low, high in edges:
            yield first + low, first + high

    def _iter_pieces(self, path: Path) -> Iterator[Array]:
        with open(path, "rb") as handle:
            while len(piece := np.fromfile(handle, self._record, _PIECE_RECORDS)):
                yield piece

    def _assemble(self, path: Path, low: int, high: int) -> csr_matrix:
        shape = (high - low, self._shape[1])
        if not path.exists():
            return csr_matrix(shape, dtype=self._record["value"])
        pieces = [_within(piece, low, high) for piece in self._iter_pieces(path)]
        records = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        del pieces
        place = (records["row"] - np.int32(low), records["column"])
        block = coo_matrix((records["value"], place), shape=shape).tocsr()
        if block.nnz < len(records):
            block = coo_matrix((widen(records["value"]), place), shape=shape).tocsr()
        block.eliminate_zeros()
        return block


@contextmanager
def spill_folder(scratch: Path) -> Iterator[Path]:
    """Offer an empty folder on scratch and remove it afterwards, also after an error."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="spill-") as folder:
        yield Path(folder)


def _stable_order(buckets: Array) -> Array | None:
    if (buckets[0] == buckets).all():
        return None
    # numpy sorts 16-bit integers in linear time.
    small = buckets.astype(np.uint16) if buckets.max() <= np.iinfo(np.uint16).max else buckets
    return np.argsort(small, kind="stable")


def _within(records: Array, low: int, high: int) -> Array:
    inside = (records["row"] >= low) & (records["row"] < high)
    return records if inside.all() else records[inside]
