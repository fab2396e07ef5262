"""Chunks of HDF5 that were stored with gzip, inflated without HDF5: faster, and by several threads.

Belongs here: gzip, alone or after the shuffle filter, as h5py, anndata and scanpy write it. All
else is left to HDF5 (`adata_assets.matrix.vectors.PlainVector`).
"""

from __future__ import annotations

import os
import weakref

import h5py
import numpy as np
from isal import isal_zlib
from isal.igzip_lib import IsalError

from adata_assets.errors import InputError
from adata_assets.matrix.blocks import Array
from adata_assets.matrix.vectors import PieceVector

_PIPELINES = (
    (h5py.h5z.FILTER_DEFLATE,),
    (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE),
)
# Two such pieces are kept; HDF5 itself inflates larger ones at every read.
_MAX_CHUNK_BYTES = 32 << 20


class GzipVector(PieceVector):
    """A one-dimensional data set in gzip chunks; all of them are stored.

    Parameters
    ----------
    dataset
        One for which `is_gzip` holds.

    Raises
    ------
    InputError
        If another file has taken the place of the one that is open.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        super().__init__(len(dataset), dataset.dtype, dataset.chunks[0])
        filters = _filters_of(dataset)
        # HDF5 leaves out a filter that made a chunk larger, and marks it by its place in line.
        self._inflate_bit = 1 << filters.index(h5py.h5z.FILTER_DEFLATE)
        self._shuffle_bit = 1 if filters[0] == h5py.h5z.FILTER_SHUFFLE else 0
        self._places = _places_of(dataset)
        self._descriptor = _open_again(dataset.file)
        weakref.finalize(self, os.close, self._descriptor)

    def decode(self, piece: int, out: Array) -> None:
        """Fill `out` with a chunk."""
        offset, n_bytes, skipped = self._places[piece].tolist()
        content = os.pread(self._descriptor, n_bytes, offset)
        if not skipped & self._inflate_bit:
            content = _inflate(content, piece, out.nbytes)
        # HDF5 fills what is missing with whatever was in memory.
        if len(content) != out.nbytes:
            raise EOFError(f"chunk {piece} has {len(content)} bytes, not {out.nbytes}")
        found = np.frombuffer(content, np.uint8)
        if self._shuffle_bit and not skipped & self._shuffle_bit:
            found = found.reshape(self.dtype.itemsize, -1).T
        out.view(np.uint8).reshape(found.shape)[...] = found


def _inflate(content: bytes, piece: int, n_bytes: int) -> bytes:
    inflater = isal_zlib.decompressobj()
    try:
        # One byte more than fits, so that the checksum behind the last one is verified.
        inflated = inflater.decompress(content, n_bytes + 1)
    except IsalError as error:  # type: ignore[misc]  # declared as if it were an instance
        raise OSError(f"chunk {piece} cannot be inflated: {error}") from error
    if not inflater.eof:
        raise EOFError(f"chunk {piece} does not end after {n_bytes} bytes")
    return inflated


def is_gzip(dataset: h5py.Dataset) -> bool:
    """Return whether all chunks of a data set can be read as gzip from the file's own bytes."""
    if not dataset.chunks or dataset.ndim != 1 or _filters_of(dataset) not in _PIPELINES:
        return False
    file = dataset.file
    is_plain_file = file.driver == "sec2" and file.userblock_size == 0
    # Types of other widths or with padding are converted by HDF5.
    is_plain_type = dataset.dtype.kind in "iuf" and dataset.id.get_type().equal(
        h5py.h5t.py_create(dataset.dtype)
    )
    n_bytes = dataset.chunks[0] * dataset.dtype.itemsize
    n_chunks = -(-len(dataset) // dataset.chunks[0])
    is_whole = dataset.id.get_num_chunks() == n_chunks
    return bool(is_plain_file and is_plain_type and is_whole and n_bytes <= _MAX_CHUNK_BYTES)


def _open_again(file: h5py.File) -> int:
    # A copy of HDF5's own descriptor would hold its lock on the file, and none would end with it.
    descriptor = os.open(file.filename, os.O_RDONLY)
    if not os.path.samestat(os.fstat(descriptor), os.fstat(file.id.get_vfd_handle())):
        os.close(descriptor)
        raise InputError(f"{file.filename} was replaced while it was opened; read it again")
    return descriptor


def _filters_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    stored = dataset.id.get_create_plist()
    return tuple(stored.get_filter(place)[0] for place in range(stored.get_nfilters()))


def _places_of(dataset: h5py.Dataset) -> Array:
    """Return offset, size and skipped filters of every chunk, int64 ``(n_chunks, 3)``."""
    n_items = dataset.chunks[0]
    places = np.zeros((-(-len(dataset) // n_items), 3), np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        place = chunk.chunk_offset[0] // n_items
        if place < len(places):
            places[place] = chunk.byte_offset, chunk.size, chunk.filter_mask

    dataset.id.chunk_iter(note)
    return places
