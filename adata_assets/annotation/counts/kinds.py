"""What the values of a matrix seem to be, when they are no raw counts.

Belongs here: telling normalised, logged, scaled and expected values apart, in words for the person
who made the file. Nothing is accepted here; ``count_forms`` decides on every value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

Kind = Literal[
    "counts", "rounded_rates", "not_finite", "negative", "rates", "log_rates", "size_factors",
    "logged", "expected",
]  # fmt: skip

# Natural logarithms of rates end here: log1p(1e6) is 13.8.
_MAX_LOG = 14.0
# Of the totals per cell that are taken for one constant: values stored to three decimals do not
# sum to more precision.
_CONSTANT_SPREAD = 0.01
_MIN_CELLS_OF_CONSTANT = 3
# Rounded rates must not be confused with cells that were sequenced alike.
_MIN_CELLS_OF_ROUNDED, _MIN_TOTAL_OF_ROUNDED = 20, 1000
_USUAL_SUMS = (1.0, 100.0, 1e4, 1e5, 1e6)
# Normalised and logged values are hardly ever whole; of expected counts half or more are.
_MIN_WHOLE_SHARE = 0.2
_MIN_RATIOS = 20


@dataclass(frozen=True)
class Seeming:
    """What values seem to be.

    Attributes
    ----------
    kind
        One word for programs.
    text
        What follows "it seems to hold" for people.
    level
        What the cells sum to before any logarithm, where they all sum to the same.
    """

    kind: Kind
    text: str
    level: float | None = None


def recognise_values(block: sp.csr_matrix) -> Seeming:
    """Say what the stored values of some cells seem to be.

    Parameters
    ----------
    block
        Some hundred cells are enough, shape ``(n_obs, n_vars)``; any number type.

    Examples
    --------
    >>> rates = sp.csr_matrix([[2500.0, 7500.0], [1250.0, 8750.0], [333.25, 9666.75]])
    >>> recognise_values(rates).text
    'normalised values: those of each cell sum to 10,000'
    """
    values = block.data.astype(np.float64)
    lengths = np.diff(block.indptr)
    starts = block.indptr[:-1][lengths > 0]
    if not values.size:
        return Seeming("counts", "only zeros")
    if n_wrong := int((~np.isfinite(values)).sum()):
        return Seeming("not_finite", f"missing (NaN) or infinite values, {n_wrong:,} of them")
    if n_wrong := int((values < 0).sum()):
        share = 100 * n_wrong / values.size
        return Seeming(
            "negative",
            f"scaled (z-scored) or batch-corrected values: {share:.3g} % of them are negative",
        )
    whole_share = float((values == np.rint(values)).mean())
    sums = np.add.reduceat(values, starts)
    if whole_share == 1:
        return _recognise_whole(sums)
    if level := _constant(sums):
        text = f"normalised values: those of each cell sum to {_say(level)}"
        return Seeming("rates", text, level)
    if found := _recognise_logs(values, starts):
        return found
    if found := _recognise_multiples(values, starts, is_whole=whole_share >= _MIN_WHOLE_SHARE):
        return found
    if whole_share < _MIN_WHOLE_SHARE and values.max() <= _MAX_LOG:
        return Seeming(
            "logged",
            f"logarithms or other transformed values: the largest is {values.max():.4g} and only "
            f"{100 * whole_share:.2g} % are whole numbers",
        )
    return Seeming(
        "expected",
        "expected counts (RSEM, kallisto, alevin), counts corrected for ambient RNA, or FPKM: "
        f"{100 * whole_share:.2g} % are whole numbers, and cells sum to {np.median(sums):,.0f} "
        "in the median",
    )


def _recognise_whole(sums: np.ndarray) -> Seeming:
    level = np.median(sums)
    spread = np.ptp(sums)
    is_large = len(sums) >= _MIN_CELLS_OF_ROUNDED and level >= _MIN_TOTAL_OF_ROUNDED
    # Cells that were downsampled to one total have exactly that total, and are counts.
    if is_large and 0 < spread <= _CONSTANT_SPREAD * level:
        return Seeming(
            "rounded_rates",
            f"normalised values that were rounded: every cell sums to about {_say(level)}",
        )
    return Seeming("counts", "counts")


def _recognise_logs(values: np.ndarray, starts: np.ndarray) -> Seeming | None:
    largest = values.max()
    for base, name in ((np.e, "log1p"), (2.0, "log2(x + 1)"), (10.0, "log10(x + 1)")):
        if largest * np.log(base) > _MAX_LOG:
            continue
        if level := _constant(np.add.reduceat(np.expm1(values * np.log(base)), starts)):
            text = f"{name} of normalised values that sum to {_say(level)} in each cell"
            return Seeming("log_rates", text, level)
    return None


def _recognise_multiples(
    values: np.ndarray, starts: np.ndarray, *, is_whole: bool
) -> Seeming | None:
    """Counts that were divided by a factor per cell: whole multiples of the cell's smallest.

    Where many values are whole as they are, only logarithms are looked for: log2(x + 1) of 1 and 3.
    """
    forms = [] if is_whole else [(values, "")]
    for base, name in ((np.e, "log1p of "), (2.0, "log2(x + 1) of ")):
        if values.max() * np.log(base) <= _MAX_LOG:
            forms.append((np.expm1(values * np.log(base)), name))
    for rates, name in forms:
        lengths = np.diff(np.append(starts, len(rates)))
        ratios = rates / np.repeat(np.minimum.reduceat(rates, starts), lengths)
        ratios = ratios[(ratios > 1.5) & (ratios < 10.5)]
        if len(ratios) >= _MIN_RATIOS and (np.abs(ratios - np.rint(ratios)) < 0.05).mean() > 0.9:
            return Seeming(
                "size_factors", f"{name}counts divided by a factor of each cell (size factors)"
            )
    return None


def _constant(sums: np.ndarray) -> float | None:
    """Return the constant that all cells sum to, or None; some outliers do not matter."""
    level = float(np.median(sums))
    if len(sums) < _MIN_CELLS_OF_CONSTANT:
        usual = (sum_ for sum_ in _USUAL_SUMS if abs(level - sum_) <= _CONSTANT_SPREAD * sum_)
        return next(usual, None)
    low, high = np.quantile(sums, [0.05, 0.95])
    return level if high - low <= _CONSTANT_SPREAD * level else None


def _say(level: float) -> str:
    usual = (sum_ for sum_ in _USUAL_SUMS if abs(level - sum_) <= _CONSTANT_SPREAD * sum_)
    exact = next(usual, None)
    if exact == 1e6:
        return "1,000,000 (CPM or TPM)"
    return f"{exact:,.0f}" if exact else f"{level:,.4g}" if level < 1000 else f"{level:,.0f}"
