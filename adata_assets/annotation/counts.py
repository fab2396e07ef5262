"""Find the raw counts of a file and verify them on every stored non-zero.

Belongs here: what is a count, what can be turned back into one, what is refused. Nothing is ever
truncated: a value is a count, or the file is refused with the place where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.sparse as sp

from adata_assets.errors import InputError
from adata_assets.matrix.source import list_matrices, open_source_matrix

SCALE = 1e4
# Real files hold integers with float noise of 1e-11; a float32 keeps integers exact to 1.7e7.
INTEGER_TOLERANCE = 1e-6
# Values stored to three decimals are off by at most 5e-4.
LOG_TOLERANCE = 1e-3
NEIGHBOUR_FACTOR = 3.0
_PROBE_NONZEROS = 200_000


class NotCountsError(InputError):
    """The values of a matrix are not counts and cannot be turned back into them."""


@dataclass(frozen=True)
class CountsPlace:
    """Where the counts of a file are, and in which form.

    Attributes
    ----------
    slot
        ``X``, ``raw/X`` or ``layers/<name>``.
    form
        ``counts``, or ``log1p`` of counts per 10,000.
    """

    slot: str
    form: Literal["counts", "log1p"]


def find_counts(path: Path, *, totals: np.ndarray | None, scratch: Path) -> CountsPlace:
    """Return where the counts are, judged on the first block of every matrix of the file.

    Parameters
    ----------
    path
        An h5ad file.
    totals
        Known total counts per cell, shape ``(n_obs,)``, or None.
    scratch
        Folder for temporary files.

    Raises
    ------
    NotCountsError
        If no matrix holds counts: says for each one what it holds instead.
    """
    reasons = []
    for form in ("counts", "log1p"):
        for slot in list_matrices(path):
            with open_source_matrix(path, slot, scratch=scratch) as matrix:
                start, block = next(matrix.iter_blocks(max_nonzeros=_PROBE_NONZEROS), (0, None))
            if block is None:
                reasons.append(f"{slot}: no cells")
                continue
            try:
                CountsReading(path, CountsPlace(slot, form), totals).convert(start, block)
            except NotCountsError as error:
                reasons.append(str(error))
            else:
                return CountsPlace(slot, form)
    raise NotCountsError(
        f"{path.name} holds no raw counts. Looked at:\n  " + "\n  ".join(reasons) + "\n"
        "Store the raw counts in layers['counts'], or give keys.totals if X is log1p of counts "
        "per 10,000."
    )


@dataclass
class CountsReading:
    """Turns stored blocks into verified integer blocks; remembers the worst errors it saw."""

    path: Path
    place: CountsPlace
    totals: np.ndarray | None
    largest_error: float = 0.0
    nearest_neighbour: float = field(default=np.inf)

    def convert(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        """Return the block as int32 counts.

        Parameters
        ----------
        start
            Row of the file at which the block begins.
        block
            CSR as stored, explicit zeros dropped.

        Raises
        ------
        NotCountsError
            Naming file, slot, cell and value.
        """
        if self.place.form == "counts":
            values = self._require_integers(start, block)
        else:
            values = self._undo_log(start, block)
        return sp.csr_matrix((values, block.indices, block.indptr), shape=block.shape)

    def _require_integers(self, start: int, block: sp.csr_matrix) -> np.ndarray:
        stored = block.data
        if stored.dtype.kind in "iu":
            rounded, wrong = stored, stored < 0
        else:
            rounded = np.rint(stored)
            wrong = ~(np.abs(stored - rounded) <= INTEGER_TOLERANCE) | (stored < 0)
        self._refuse(wrong | (rounded > np.iinfo(np.int32).max), start, block, "not a count")
        return rounded.astype(np.int32)

    def _undo_log(self, start: int, block: sp.csr_matrix) -> np.ndarray:
        stored = block.data.astype(np.float64)
        self._refuse(~(stored > 0) | (stored > np.log1p(SCALE) + 1e-6), start, block, "not a log1p")
        lengths = np.diff(block.indptr)
        totals = np.repeat(self._totals_of(start, block), lengths)
        counts = np.rint(np.expm1(stored) * totals / SCALE)
        error = np.abs(np.log1p(counts * SCALE / totals) - stored)
        neighbour = np.minimum(
            np.abs(np.log1p((counts + 1) * SCALE / totals) - stored),
            np.abs(np.log1p((counts - 1) * SCALE / totals) - stored),
        )
        self._refuse((error > LOG_TOLERANCE) | (counts < 1), start, block, "no count gives it")
        if stored.size:
            self.largest_error = max(self.largest_error, float(error.max()))
            self.nearest_neighbour = min(self.nearest_neighbour, float(neighbour.min()))
        ambiguous = neighbour < NEIGHBOUR_FACTOR * self.largest_error
        self._refuse(ambiguous, start, block, "more than one count fits it")
        return counts.astype(np.int32)

    def _totals_of(self, start: int, block: sp.csr_matrix) -> np.ndarray:
        if self.totals is not None:
            return self.totals[start : start + block.shape[0]]
        # Without totals a cell's smallest value is taken to be one count.
        lengths = np.diff(block.indptr)
        smallest = np.full(block.shape[0], np.log1p(SCALE))
        filled = lengths > 0
        if filled.any():
            smallest[filled] = np.minimum.reduceat(block.data, block.indptr[:-1][filled])
        return np.rint(SCALE / np.expm1(smallest))

    def _refuse(self, wrong: np.ndarray, start: int, block: sp.csr_matrix, why: str) -> None:
        if wrong.any():
            where = int(np.flatnonzero(wrong)[0])
            row = start + int(np.searchsorted(block.indptr, where, side="right")) - 1
            raise NotCountsError(
                f"{self.path.name}, {self.place.slot}, cell {row}: value "
                f"{block.data[where]:g} as {self.place.form}: {why}"
            )


@contextmanager
def open_counts_reading(
    path: Path, place: CountsPlace, *, totals: np.ndarray | None, scratch: Path
) -> Iterator[Iterator[tuple[int, sp.csr_matrix]]]:
    """Stream the file's verified counts: ``(first row, int32 CSR block)`` over all rows in order.

    Raises
    ------
    NotCountsError
        While streaming, at the first value that is not a count.
    """
    reading = CountsReading(path, place, totals)
    with open_source_matrix(path, place.slot, scratch=scratch) as matrix:
        yield ((start, reading.convert(start, block)) for start, block in matrix.iter_blocks())
