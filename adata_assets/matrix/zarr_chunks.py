"""One-dimensional arrays of a zarr folder, and whether all of their chunks are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from adata_assets.errors import InputError
from adata_assets.matrix.blocks import Array
from adata_assets.matrix.vectors import TASK_ITEMS, PieceVector


class ZarrVector(PieceVector):
    """A zarr array of format 2 or 3, sharded or not, with any codec."""

    def __init__(self, array: zarr.Array) -> None:
        n_chunk = max(array.chunks[0], 1)
        super().__init__(array.shape[0], array.dtype, -(-TASK_ITEMS // n_chunk) * n_chunk)
        self._array = array

    def decode(self, piece: int, out: Array) -> None:
        """Fill `out` with some chunks."""
        low = piece * self.piece_items
        high = min(low + self.piece_items, self.n_items)
        out[: high - low] = self._array[low:high]


def require_chunks(folder: Path, array: zarr.Array, indptr: Array) -> None:
    """Refuse ``data`` or ``indices`` of a matrix of which chunks have no file.

    Zarr writes no file for a chunk of zeros, and reads a lost one as zeros: without this, a folder
    that was copied in part would lose counts in silence.

    Parameters
    ----------
    folder
        Where the zarr is.
    array
        ``data`` or ``indices``.
    indptr
        int64, of the same matrix. A chunk of indices can be all zeros where no row (or column)
        has two values in it; a chunk of values never is, since zeros are not stored.

    Raises
    ------
    InputError
        Names the first chunk that is missing.
    """
    is_values = array.name.endswith("/data")
    n_items = (array.shards or array.chunks)[0]
    for chunk in range(-(-array.shape[0] // max(n_items, 1))):
        file = folder / array.path / array.metadata.encode_chunk_key((chunk,))
        if file.exists():
            continue
        within = np.clip(indptr, chunk * n_items, (chunk + 1) * n_items)
        if is_values or np.diff(within).max(initial=0) > 1:
            raise InputError(
                f"{folder}: {file.relative_to(folder)} is missing, so that values would be read "
                "as zeros; copy the whole folder again, or write it again"
            )
