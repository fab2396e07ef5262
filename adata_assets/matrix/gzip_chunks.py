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

from adata_assets.matrix.blocks import Array
from adata_assets.matrix.vectors import READ_ERRORS, PieceVector

_PIPELINES = (
    (h5py.h5z.FILTER_DEFLATE,),
    (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE),
)
# Two such pieces are kept; HDF5 itself inflates larger ones at every read.
_MAX_CHUNK_BYTES = 32 << 20
_DECODE_ERRORS: tuple[type[Exception], ...] = (*READ_ERRORS, IsalError)


class GzipVector(PieceVector):
    """A one-dimensional data set in gzip chunks; all of them are stored.

    Parameters
    ----------
    dataset
        One for which `is_gzip` holds. It must stay open only where bytes are damaged: HDF5 then
        has the last word on them.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        super().__init__(len(dataset), dataset.dtype, dataset.chunks[0])
        self._dataset = dataset
        filters = _filters_of(dataset)
        # HDF5 leaves out a filter that made a chunk larger, and marks it by its place in line.
        self._inflate_bit = 1 << filters.index(h5py.h5z.FILTER_DEFLATE)
        self._shuffle_bit = 1 if filters[0] == h5py.h5z.FILTER_SHUFFLE else 0
        self._places = _places_of(dataset)
        # A descriptor of its own outlives the file where an iterator does.
        self._descriptor = os.dup(dataset.file.id.get_vfd_handle())
        weakref.finalize(self, os.close, self._descriptor)

    def decode(self, piece: int, out: Array) -> None:
        """Fill `out` with a chunk."""
        try:
            self._inflate(piece, out)
        except _DECODE_ERRORS:
            low = piece * self.piece_items
            high = min(low + self.piece_items, self.n_items)
            self._dataset.read_direct(out[: high - low], np.s_[low:high])

    def _inflate(self, piece: int, out: Array) -> None:
        offset, n_bytes, skipped = self._places[piece].tolist()
        content = os.pread(self._descriptor, n_bytes, offset)
        if not skipped & self._inflate_bit:
            inflater = isal_zlib.decompressobj()
            # One byte more than fits, so that the checksum behind the last one is verified.
            content = inflater.decompress(content, out.nbytes + 1)
            if not inflater.eof:
                raise EOFError(f"chunk {piece} does not end where it should")
        found = np.frombuffer(content, np.uint8)
        if len(found) != out.nbytes:
            raise EOFError(f"chunk {piece} has {len(found)} bytes, not {out.nbytes}")
        if self._shuffle_bit and not skipped & self._shuffle_bit:
            found = found.reshape(self.dtype.itemsize, -1).T
        out.view(np.uint8).reshape(found.shape)[...] = found


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


def _filters_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    stored = dataset.id.get_create_plist()
    return tuple(stored.get_filter(place)[0] for place in range(stored.get_nfilters()))


def _places_of(dataset: h5py.Dataset) -> Array:
    """Return offset, size and skipped filters of every chunk, int64 ``(n_chunks, 3)``."""
    n_items = dataset.chunks[0]
    places = np.zeros((-(-len(dataset) // n_items), 3), np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        place = chunk.chunk_offset[0] // n_items
        places[place] = chunk.byte_offset, chunk.size, chunk.filter_mask

    dataset.id.chunk_iter(note)
    return places
