"""Counts that are stored as log1p of counts per 10,000, turned back exactly or refused."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.sparse as sp

from adata_assets.annotation.counts.forms import (
    LOG_TOLERANCE,
    MAX_COUNT,
    MAX_LOG,
    NEIGHBOUR_FACTOR,
    SCALE,
    Form,
    NotCountsError,
)

_NO_COUNT, _AMBIGUOUS = 1, 2
# So far a cell's values are safely told apart as multiples of its smallest one.
_SAFE_RATIO = 20.5
_N_LOGS = 64
# A cell of equal values is a cell of ones whatever was done to it: only multiples are evidence.
_MIN_MULTIPLES = 20
# Cells that sum to the same but for this have all genes, whatever they were scaled to.
_CONSTANT_SPREAD = 0.01


class LogCounts(Form):
    """``log1p(count / total * 1e4)``: the count is the whole number that gives the stored value.

    Accepted if every stored value is within 1e-3 of the one that its count gives, and both counts
    beside it miss it by three times the largest such error or more. A cell's total is stated, or
    follows from its smallest value, which is then taken to be one count. (Counts that were logged
    without normalising, or normalised to another sum, come back in the same way where the numbers
    happen to allow it: what is called the total is then only the divisor.)

    Parameters
    ----------
    totals
        Stated total counts per cell, shape ``(n_obs,)``, or None.

    Attributes
    ----------
    nearest_neighbour
        The smallest distance of a stored value from one that a count beside its own would give.
    n_subset_cells
        Cells whose total, found from their smallest value, is above the sum of their counts,
        although the cells do not all sum to one constant: genes are lacking.
    """

    def __init__(self, name: str, totals: np.ndarray | None) -> None:
        super().__init__(name)
        self.totals = totals
        self.nearest_neighbour = np.inf
        self._n_below_total = 0
        self._lowest_sum, self._highest_sum = np.inf, 0.0
        self._nearest_cell = self._n_multiples = 0

    def convert(self, start: int, block: sp.csr_matrix) -> sp.csr_matrix:
        """Find the count behind every stored value."""
        stored = block.data.astype(np.float64)
        if len(wrong := np.flatnonzero(~((stored > 0) & (stored <= MAX_LOG)))):
            self.refuse(start, block, int(wrong[0]), "nor log1p of counts per 10,000")
        rates = np.expm1(stored)
        if self.totals is None:
            totals = _find_totals(block.indptr, rates)
        else:
            totals = self.totals[start : start + block.shape[0]].astype(np.float64)
        counts = np.empty(len(stored), np.int32)
        errors = np.array([self.largest_error, self.nearest_neighbour])
        at, problem, nearest = _undo_log(block.indptr, stored, rates, totals, counts, errors)
        if problem:
            self.refuse(start, block, at, self._why(problem))
        if nearest >= 0:
            self._nearest_cell = start + nearest
        self.largest_error, self.nearest_neighbour = (float(error) for error in errors)
        self.n_nonzeros += len(stored)
        self._n_multiples += int((counts > 1).sum())
        result = sp.csr_matrix((counts, block.indices, block.indptr), shape=block.shape)
        if self.totals is None:
            self._compare_sums(result, rates, totals)
        return result

    def _compare_sums(self, counts: sp.csr_matrix, rates: np.ndarray, totals: np.ndarray) -> None:
        starts = counts.indptr[:-1][np.diff(counts.indptr) > 0]
        if not len(starts):
            return
        sum_rates = np.add.reduceat(rates, starts)
        self._lowest_sum = min(self._lowest_sum, float(sum_rates.min()))
        self._highest_sum = max(self._highest_sum, float(sum_rates.max()))
        sums = np.asarray(counts.sum(axis=1, dtype=np.int64)).ravel()
        # Of counts that were logged as they are, every total is the scale itself.
        self._n_below_total += int(((totals > sums) & (sums > 0) & (totals != SCALE)).sum())

    @property
    def n_subset_cells(self) -> int:
        """Cells whose counts sum to less than they were normalised with."""
        is_constant = self._highest_sum <= self._lowest_sum * (1 + _CONSTANT_SPREAD)
        return 0 if is_constant else self._n_below_total

    def finish(self) -> None:
        """Judge early values by the largest error, which may have come after them."""
        if self.totals is None and self._n_multiples < _MIN_MULTIPLES:
            raise NotCountsError(
                f"{self.name}: only {self._n_multiples} values are multiples of the smallest value "
                "of their cell, too few to know that they are log1p of counts per 10,000; give "
                "keys.totals, the obs column of each cell's total counts"
            )
        if self.nearest_neighbour < NEIGHBOUR_FACTOR * self.largest_error:
            raise NotCountsError(
                f"{self.name}, cell {self._nearest_cell}: more than one count fits a value as "
                f"log1p of counts per 10,000: another count is {self.nearest_neighbour:.2g} away, "
                f"and values are off by up to {self.largest_error:.2g}"
            )

    def report(self) -> dict[str, Any]:
        """Add the evidence that the way back was exact."""
        nearest = self.nearest_neighbour if np.isfinite(self.nearest_neighbour) else None
        found = {"nearest_neighbour": nearest, "n_subset_cells": self.n_subset_cells}
        return {**super().report(), **found}

    def warnings(self) -> list[str]:
        """Say that counts were recovered, and from what."""
        origin = "the stated totals" if self.totals is not None else "each cell's smallest value"
        found = [
            f"{self.name}: log1p of counts per 10,000 turned back into {self.n_nonzeros:,} counts "
            f"with {origin}, off by at most {self.largest_error:.2g} where the next count would be "
            f"off by {self.nearest_neighbour:.2g} or more"
        ]
        if self.n_subset_cells:
            found.append(
                f"{self.name}: in {self.n_subset_cells:,} cells the counts sum to less than the "
                "total that they were normalised with, so genes are lacking; give keys.totals, "
                "the obs column of total counts"
            )
        return found

    def _why(self, problem: int) -> str:
        given = "the total of keys.totals" if self.totals is not None else "its smallest value as 1"
        if problem == _NO_COUNT:
            return f"and no count gives it as log1p of counts per 10,000 with {given}"
        return f"and more than one count fits it as log1p of counts per 10,000 with {given}"


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _find_totals(indptr: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the total of each cell, its smallest rate taken for one count.

    First from its small rates, whose multiples are certain, then from all of them; the sum of the
    counts where that agrees, which it does when no gene is lacking.
    """
    totals = np.ones(len(indptr) - 1)
    for row in range(len(indptr) - 1):
        of_cell = rates[indptr[row] : indptr[row + 1]]
        if not len(of_cell):
            continue
        one = of_cell.min()
        n_counts, sum_rates = 0.0, 0.0
        for rate in of_cell:
            if rate <= _SAFE_RATIO * one:
                n_counts += np.rint(rate / one)
                sum_rates += rate
        estimate = SCALE * n_counts / sum_rates
        n_counts, sum_rates = 0.0, 0.0
        for rate in of_cell:
            n_counts += np.rint(rate * estimate / SCALE)
            sum_rates += rate
        estimate = SCALE * n_counts / sum_rates
        agrees = abs(estimate - n_counts) <= 0.5 + 1e-4 * n_counts
        totals[row] = n_counts if agrees else np.rint(estimate)
    return totals


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _undo_log(
    indptr: np.ndarray,
    stored: np.ndarray,
    rates: np.ndarray,
    totals: np.ndarray,
    counts: np.ndarray,
    errors: np.ndarray,
) -> tuple[int, int, int]:
    """Fill ``counts``; ``errors`` holds the largest error and the nearest neighbour, updated.

    Returns the first offending place, what is wrong with it (0: nothing), and the row of the
    nearest neighbour (-1: an earlier block has it).
    """
    largest, nearest, nearest_row = errors[0], errors[1], -1
    # Most counts are small: their logarithms are taken once per cell.
    logs = np.empty(_N_LOGS)
    for row in range(len(indptr) - 1):
        unit = SCALE / totals[row]
        for small in range(_N_LOGS):
            logs[small] = np.log1p(small * unit)
        for k in range(indptr[row], indptr[row + 1]):
            value, count = stored[k], np.rint(rates[k] / unit)
            if not ((count >= 1) & (count <= MAX_COUNT)):
                return k, _NO_COUNT, nearest_row
            if count < _N_LOGS - 1:
                i = np.int64(count)
                below, same, above = logs[i - 1], logs[i], logs[i + 1]
            else:
                below, same = np.log1p((count - 1) * unit), np.log1p(count * unit)
                above = np.log1p((count + 1) * unit)
            error, miss = abs(same - value), min(abs(value - below), abs(above - value))
            if not error <= LOG_TOLERANCE:
                return k, _NO_COUNT, nearest_row
            largest = max(largest, error)
            if miss < nearest:
                nearest, nearest_row = miss, row
            if miss < NEIGHBOUR_FACTOR * largest:
                return k, _AMBIGUOUS, nearest_row
            counts[k] = np.int32(count)
    errors[0], errors[1] = largest, nearest
    return 0, 0, nearest_row
