"""Sentences of a whole split on disk, of which any can be read without the others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

_SCHEMA = pa.schema([("text", pa.string())])


class SentenceSpill:
    """A temporary file of texts in the order in which they were added; a context manager.

    Parameters
    ----------
    scratch
        An existing folder; None: the system's temporary one.
    """

    def __init__(self, scratch: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=scratch, prefix="sentences-")
        self._path = Path(self._folder.name) / "texts.arrow"
        self._writer: pa.RecordBatchFileWriter | None = pa.ipc.new_file(str(self._path), _SCHEMA)
        self._ends: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()
        self._folder.cleanup()

    def add(self, texts: pa.ChunkedArray) -> None:
        """Add the texts of one chunk."""
        if self._writer is None:
            raise ValueError("texts cannot be added after some were taken")
        for part in texts.cast(pa.string()).chunks:
            self._writer.write_batch(pa.record_batch([part], schema=_SCHEMA))
            self._ends.append((self._ends or [0])[-1] + len(part))

    def take(self, places: np.ndarray) -> pa.Array:
        """Return the texts at some places, in the order asked for; int64 `(n,)`."""
        self._close()
        part_of = np.searchsorted(self._ends, places, side="right")
        order = np.argsort(part_of, kind="stable")
        found = []
        with pa.memory_map(str(self._path)) as file:
            reader = pa.ipc.open_file(file)
            for part in np.unique(part_of).tolist():
                inside = places[order[part_of[order] == part]] - ([0, *self._ends])[part]
                found.append(reader.get_batch(part).column(0).take(pa.array(inside)))
            texts = pa.concat_arrays(found) if found else pa.array([], pa.string())
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return texts.take(pa.array(back))

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
