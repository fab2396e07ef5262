"""The forms in which raw counts are stored, and the exact way back from each to whole numbers.

Belongs here: one class per form, which turns blocks into int32 counts or refuses them with cell,
value and what they seem to be. Nothing is truncated: values are rounded only where the form says
so, and how much is reported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NoReturn

import numba
import numpy as np
import scipy.sparse as sp

from adata_assets.annotation.counts.kinds import recognise_values
from adata_assets.errors import InputError

SCALE = 1e4
MAX_COUNT = np.iinfo(np.int32).max
# Real files hold integers with float noise of 1e-11.
INTEGER_TOLERANCE = 1e-6
# A float32 has 24 bits: arithmetic leaves an integer within two units of its last place.
FLOAT32_TOLERANCE = 2.0**-22
# Counts of 200,000 and more: noise of a float32 cannot be told from decimals any longer.
MAX_TOLERANCE = 0.05
# Values stored to three decimals are off by at most 5e-4.
LOG_TOLERANCE = 1e-3
NEIGHBOUR_FACTOR = 3.0
MAX_LOG = float(np.log1p(SCALE)) + 1e-6
# Enough cells to see what values are.
_RECOGNISED_NONZEROS = 200_000


class NotCountsError(InputError):
    """The values of a matrix are not counts and cannot be turned back into them."""


class Form(ABC):
    """One way in which counts are stored.

    Parameters
    ----------
    name
        File and slot, as errors name them.

    Attributes
    ----------
    n_nonzeros
        Stored values seen so far.
    n_rounded
        Those that were not whole.
    largest_error
        The largest distance of a stored value from the one that its count stands for.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_nonzeros = self.n_rounded = 0
        self.largest_error = 0.0

    @abstractmethod
    def convert(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        """Return the counts of a block as int32 CSR; the block is left as it is.

        Parameters
        ----------
        start
            Row of the file at which the block begins.
        block
            CSR as stored, explicit zeros dropped.

        Raises
        ------
        NotCountsError
            Naming file, slot, cell and value, and what the values seem to be.
        """

    def finish(self) -> None:  # noqa: B027
        """Judge what only all values together show; most forms have nothing left to judge.

        Raises
        ------
        NotCountsError
            If they are not counts.
        """

    def report(self) -> dict[str, Any]:
        """Return what was seen (JSON)."""
        return {
            "n_nonzeros": self.n_nonzeros,
            "n_rounded": self.n_rounded,
            "largest_error": self.largest_error,
        }

    def warnings(self) -> list[str]:
        """Return what a reader of the log should know."""
        return []

    def refuse(self, start: int, block: sp.csr_matrix, at: int, why: str) -> NoReturn:
        """Raise for the stored value number ``at`` of a block."""
        first = int(np.searchsorted(block.indptr, at, side="right")) - 1
        seeming = recognise_values(_head(block))
        raise NotCountsError(
            f"{self.name}, cell {start + first}: value {float(block.data[at]):.9g} is not a count "
            f"({why}); the matrix seems to hold {seeming.text}"
        )


class WholeNumbers(Form):
    """Counts as integers or as floats, float noise around them included.

    Attributes
    ----------
    largest_count
        Of all cells and genes.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.largest_count = 0

    def convert(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        """Check and convert in one pass over the stored values."""
        stored = block.data.view(np.uint8) if block.data.dtype == bool else block.data
        counts = np.empty(len(stored), np.int32)
        if stored.dtype.kind in "iu":
            n_wrong, n_inexact, n_zero, largest = _take_integers(stored, counts)
        else:
            relative = FLOAT32_TOLERANCE if stored.itemsize < 8 else 0.0
            n_wrong, n_inexact, n_zero, largest = _take_floats(stored, counts, relative)
        if n_wrong:
            at = int(np.flatnonzero(_find_wrong(stored))[0])
            self.refuse(start, block, at, _why_wrong(float(stored[at])))
        if n_inexact:
            self.largest_error = max(self.largest_error, _largest_error(stored, counts))
        self.n_nonzeros += len(stored)
        self.n_rounded += n_inexact
        self.largest_count = max(self.largest_count, largest)
        return _with_counts(block, counts, has_zeros=n_zero > 0)

    def warnings(self) -> list[str]:
        """Warn of presence and absence, and of noise."""
        found = []
        if self.largest_count == 1 and self.n_nonzeros:
            found.append(
                f"{self.name}: every count is 1. If the matrix only says which genes are present, "
                "store the raw counts instead: order and normalisation of genes mean nothing here"
            )
        if self.n_rounded:
            found.append(
                f"{self.name}: {self.n_rounded:,} of {self.n_nonzeros:,} values had float noise "
                f"(at most {self.largest_error:.2g}) and were rounded to the whole number"
            )
        return found


class ExpectedCounts(Form):
    """Expected counts, rounded to the nearest whole number (half to even).

    RSEM (Li and Dewey 2011, doi:10.1186/1471-2105-12-323) and the like share a read out between
    the genes that it fits. Counts of 0.5 and less become zeros.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.n_dropped = 0
        self.total_stored = self.total_rounded = 0.0

    def convert(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        """Round, unless the values seem to be something else."""
        stored = block.data.astype(np.float64)
        if len(odd := np.flatnonzero(~((stored >= 0) & (stored <= MAX_COUNT)))):
            self.refuse(start, block, int(odd[0]), _why_wrong(float(stored[odd[0]])))
        odd = np.flatnonzero(stored != np.rint(stored))
        seeming = recognise_values(_head(block))
        if len(odd) and seeming.kind not in ("expected", "counts"):
            self.refuse(start, block, int(odd[0]), "nor an expected count")
        counts = np.rint(stored).astype(np.int32)
        self.n_nonzeros += len(stored)
        self.n_rounded += len(odd)
        self.n_dropped += int((counts == 0).sum())
        self.total_stored += float(stored.sum())
        self.total_rounded += float(counts.sum(dtype=np.int64))
        errors = np.abs(stored - counts)
        self.largest_error = max(self.largest_error, float(errors.max(initial=0)))
        return _with_counts(block, counts, has_zeros=True)

    def report(self) -> dict[str, Any]:
        """Add what became of the sums."""
        sums = {"total_stored": self.total_stored, "total_rounded": self.total_rounded}
        return {**super().report(), "n_dropped": self.n_dropped, **sums}

    def warnings(self) -> list[str]:
        """Say what was rounded."""
        return [
            f"{self.name}: expected counts, {self.n_rounded:,} of {self.n_nonzeros:,} rounded to "
            f"the nearest whole number ({self.n_dropped:,} of them to 0); their sum went from "
            f"{self.total_stored:,.0f} to {self.total_rounded:,.0f}"
        ]


def _head(block: sp.csr_matrix) -> sp.csr_matrix:
    if block.nnz <= _RECOGNISED_NONZEROS:
        return block
    n_rows = int(np.searchsorted(block.indptr, _RECOGNISED_NONZEROS))
    return block[: max(n_rows, 1)]


def _with_counts(block: sp.csr_matrix, counts: np.ndarray, *, has_zeros: bool) -> sp.csr_matrix:
    if not has_zeros:
        return sp.csr_matrix((counts, block.indices, block.indptr), shape=block.shape)
    # Dropping zeros works in place, and the block is not ours.
    indices, indptr = block.indices.copy(), block.indptr.copy()
    result = sp.csr_matrix((counts, indices, indptr), shape=block.shape)
    result.eliminate_zeros()
    return result


def _find_wrong(stored: np.ndarray) -> np.ndarray:
    if stored.dtype.kind in "iu":
        return (stored < 0) | (stored > MAX_COUNT)
    relative = FLOAT32_TOLERANCE if stored.itemsize < 8 else 0.0
    nearest = np.rint(stored)
    with np.errstate(invalid="ignore"):
        tolerance = np.minimum(INTEGER_TOLERANCE + relative * np.abs(stored), MAX_TOLERANCE)
        is_near = np.abs(stored - nearest) <= tolerance
    return ~(is_near & (nearest >= 0) & (nearest <= MAX_COUNT))


def _why_wrong(value: float) -> str:
    if not np.isfinite(value):
        return "missing or infinite"
    if value < 0:
        return "below 0"
    return f"above {MAX_COUNT:,}" if value > MAX_COUNT else "not a whole number"


@numba.njit(cache=True, nogil=True)
def _take_integers(stored: np.ndarray, counts: np.ndarray) -> tuple[int, int, int, int]:
    n_wrong, n_zero, largest = 0, 0, np.int32(0)
    for k in range(len(stored)):
        value = stored[k]
        n_wrong += (value < 0) | (value > MAX_COUNT)
        counts[k] = value
        n_zero += value == 0
        largest = max(largest, counts[k])
    return n_wrong, 0, n_zero, int(largest)


@numba.njit(cache=True, nogil=True)
def _take_floats(
    stored: np.ndarray, counts: np.ndarray, relative: float
) -> tuple[int, int, int, int]:
    n_wrong, n_inexact, n_zero, largest = 0, 0, 0, np.int32(0)
    for k in range(len(stored)):
        value = stored[k]
        nearest = np.rint(value)
        tolerance = min(INTEGER_TOLERANCE + relative * value, MAX_TOLERANCE)
        # Spelled so that NaN is wrong, and without branches, which would cost more than the sums.
        n_wrong += not (
            (abs(value - nearest) <= tolerance) & (nearest >= 0) & (nearest <= MAX_COUNT)
        )
        n_inexact += value != nearest
        counts[k] = np.int32(nearest)
        n_zero += counts[k] == 0
        largest = max(largest, counts[k])
    return n_wrong, n_inexact, n_zero, int(largest)


@numba.njit(cache=True, nogil=True)
def _largest_error(stored: np.ndarray, counts: np.ndarray) -> float:
    largest = 0.0
    for k in range(len(stored)):
        largest = max(largest, abs(stored[k] - counts[k]))
    return largest
