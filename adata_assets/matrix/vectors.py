"""One-dimensional arrays on disk, read front to back by threads that run ahead of the reader.

Belongs here: which range is read when, and what HDF5 reads by itself. Chunks that are decoded
without HDF5 are in ``gzip_chunks`` and ``zarr_chunks``.
"""

from __future__ import annotations

import itertools
import os
import threading
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import h5py
import numpy as np

from adata_assets.matrix.blocks import Array

# What reading raises on damaged bytes: HDF5, zarr and the codecs have no error in common.
READ_ERRORS = (OSError, RuntimeError, ValueError, EOFError, zlib.error)
# Smaller tasks cost more than they spread.
TASK_ITEMS = 1 << 18
# Two threads that inflate keep up with the one that computes.
_MAX_THREADS = 2
_N_KEPT = 2


class Vector(ABC):
    """A one-dimensional array on disk.

    Attributes
    ----------
    n_items, dtype
        As stored.
    step
        Number of items; ranges that begin and end at its multiples decode nothing twice.
    """

    def __init__(self, n_items: int, dtype: np.dtype, piece_items: int) -> None:
        self.n_items, self.dtype = n_items, dtype
        self.step = -(-TASK_ITEMS // piece_items) * piece_items

    @abstractmethod
    def read(self, low: int, out: Array) -> None:
        """Fill `out` with the items from `low` on; any thread may call it.

        Raises one of `READ_ERRORS` where the bytes are damaged.
        """


class PlainVector(Vector):
    """Any HDF5 data set, read by HDF5 itself."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        super().__init__(len(dataset), dataset.dtype, dataset.chunks[0] if dataset.chunks else 1)
        self._dataset = dataset

    def read(self, low: int, out: Array) -> None:
        """Fill `out`; HDF5 lets in one thread at a time."""
        self._dataset.read_direct(out, np.s_[low : low + len(out)])


class PieceVector(Vector):
    """An array that is decoded in pieces of equal length.

    Pieces that were needed in part are kept for the range that follows, however long they are.
    """

    def __init__(self, n_items: int, dtype: np.dtype, piece_items: int) -> None:
        super().__init__(n_items, dtype, piece_items)
        self.piece_items = piece_items
        self._kept: dict[int, Array] = {}
        self._lock = threading.Lock()

    @abstractmethod
    def decode(self, piece: int, out: Array) -> None:
        """Fill `out` with a whole piece; behind the end of the array anything may stand."""

    def read(self, low: int, out: Array) -> None:
        """Fill `out` piece by piece."""
        high = low + len(out)
        for piece in range(low // self.piece_items, -(-high // self.piece_items)):
            start = piece * self.piece_items
            first, last = max(start, low), min(start + self.piece_items, high)
            target = out[first - low : last - low]
            if len(target) == self.piece_items:
                self.decode(piece, target)
            else:
                target[:] = self._whole(piece)[first - start : last - start]

    def _whole(self, piece: int) -> Array:
        with self._lock:
            found = self._kept.get(piece)
        if found is None:
            found = np.empty(self.piece_items, self.dtype)
            self.decode(piece, found)
            with self._lock:
                self._kept[piece] = found
                while len(self._kept) > _N_KEPT:
                    del self._kept[next(iter(self._kept))]
        return found


@dataclass(frozen=True)
class PendingRange:
    """One range of several vectors that threads are filling."""

    arrays: list[Array]
    tasks: list[Future[None]]

    def wait(self) -> list[Array]:
        """Return the arrays, one per vector; raises what reading raised."""
        for task in self.tasks:
            task.result()
        return self.arrays


def iter_pending(
    vectors: Sequence[Vector], ranges: Sequence[tuple[int, int]]
) -> Generator[PendingRange]:
    """Yield every ``(low, high)`` in order, while threads already read the one after it.

    Not more than three ranges are in memory: the one that was yielded last, the one being read,
    and what the caller kept.
    """
    n_threads = min(_MAX_THREADS, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="read-ahead")
    pending: deque[PendingRange] = deque()
    try:
        for low, high in ranges:
            pending.append(_submit(pool, vectors, low, high))
            if len(pending) > 1:
                yield pending.popleft()
        yield from pending
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: ThreadPoolExecutor, vectors: Sequence[Vector], low: int, high: int
) -> PendingRange:
    arrays: list[Array] = [np.empty(high - low, vector.dtype) for vector in vectors]
    tasks = []
    for vector, array in zip(vectors, arrays, strict=True):
        inner = range((low // vector.step + 1) * vector.step, high, vector.step)
        edges = [low, *inner, high] if high > low else []
        for first, last in itertools.pairwise(edges):
            tasks.append(pool.submit(vector.read, first, array[first - low : last - low]))
    return PendingRange(arrays, tasks)
