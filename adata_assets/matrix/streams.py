"""The three arrays of ``counts`` as zarr, written front to back in whole shards, and their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from scipy.sparse import csr_matrix
from zarr.codecs import Crc32cCodec, ZstdCodec

from adata_assets.matrix.blocks import Array

SHARD_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_ZSTD_LEVEL = 3


class ShardedArray:
    """A 1-D zarr array that grows at its end; only whole shards are written.

    Parameters
    ----------
    group, name
        Where it is made.
    dtype
        Of its items.
    """

    def __init__(self, group: zarr.Group, name: str, dtype: str) -> None:
        self._group, self._name = group, name
        n_items = SHARD_BYTES // np.dtype(dtype).itemsize
        self._buffer: Array = np.empty(n_items, dtype)
        self._n_buffered = 0
        self._array: zarr.Array[Any] | None = None

    def append(self, items: Array) -> None:
        """Add items at the end."""
        while len(items):
            taken = items[: len(self._buffer) - self._n_buffered]
            self._buffer[self._n_buffered : self._n_buffered + len(taken)] = taken
            self._n_buffered += len(taken)
            items = items[len(taken) :]
            if self._n_buffered == len(self._buffer):
                self._flush()

    def close(self) -> None:
        """Write what is left; nothing can be added afterwards."""
        if self._n_buffered or self._array is None:
            self._flush()
        self._buffer = self._buffer[:0]

    def _flush(self) -> None:
        items = self._buffer[: self._n_buffered]
        if self._array is None:
            self._array = self._create()
        n_before = self._array.shape[0]
        self._array.resize((n_before + len(items),))
        if len(items):
            self._array[n_before:] = items
        self._n_buffered = 0

    def _create(self) -> zarr.Array[Any]:
        # Zarr fills a whole shard in memory, so one short array gets a short shard.
        n_chunk = min(_CHUNK_BYTES // self._buffer.itemsize, max(self._n_buffered, 1))
        n_shard = -(-max(self._n_buffered, 1) // n_chunk) * n_chunk
        return self._group.create_array(
            self._name,
            shape=(0,),
            dtype=self._buffer.dtype,
            chunks=(n_chunk,),
            shards=(n_shard,),
            compressors=[ZstdCodec(level=_ZSTD_LEVEL), Crc32cCodec()],
            filters=None,
            fill_value=0,
        )


class CountsStream:
    """Rows of counts, one after the other, into a zarr group; counts and hashes them as they pass.

    Attributes
    ----------
    n_obs, n_nonzeros, total_counts
        What has passed so far.
    """

    def __init__(self, path: Path, n_vars: int) -> None:
        self._group = zarr.open_group(path, mode="w-", zarr_format=3)
        self._n_vars = n_vars
        self._data = ShardedArray(self._group, "data", "<i4")
        self._indices = ShardedArray(self._group, "indices", "<i4")
        self._indptr = ShardedArray(self._group, "indptr", "<i8")
        self._indptr.append(np.zeros(1, "<i8"))
        self._hashes = [hashlib.sha256() for _ in range(3)]
        self.n_obs = self.n_nonzeros = self.total_counts = 0

    def append(self, block: csr_matrix) -> None:
        """Add rows in canonical form, int32."""
        lengths = np.diff(block.indptr).astype("<i8")
        indices, data = block.indices.astype("<i4"), block.data.astype("<i4", copy=False)
        for digest, stream in zip(self._hashes, (lengths, indices, data), strict=True):
            digest.update(np.ascontiguousarray(stream).data)
        self._indptr.append(self.n_nonzeros + np.cumsum(lengths))
        self._indices.append(indices)
        self._data.append(data)
        self.n_obs += block.shape[0]
        self.n_nonzeros += len(data)
        self.total_counts += int(data.sum(dtype=np.int64))

    def close(self) -> str:
        """Write what is left and return the content hash.

        Returns
        -------
        str
            sha256 (hex) over n_obs, n_vars, n_nonzeros (little-endian int64) and the sha256 of
            three streams in row order: row lengths (int64), gene indices and values (int32).
        """
        for array in (self._data, self._indices, self._indptr):
            array.close()
        content = hashlib.sha256(
            np.array([self.n_obs, self._n_vars, self.n_nonzeros], "<i8").tobytes()
        )
        for digest in self._hashes:
            content.update(digest.digest())
        # Written last: a group without them was cut short.
        self._group.attrs.update(
            {"n_obs": self.n_obs, "n_vars": self._n_vars, "n_nonzeros": self.n_nonzeros}
        )
        return content.hexdigest()
