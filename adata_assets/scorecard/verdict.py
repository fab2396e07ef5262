"""What the figures mean: which embedding fails, which cannot be judged, which is worth a warning.

Belongs here: rules over the rows of a scorecard. How a breach is shown is the matter of ``checks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

MIN_EVALUATED, MIN_CLASSES = 100, 3


def judge(*, over_noise_low: float, n_evaluated: int, n_classes: int, is_exempt: bool) -> str:
    """Return the verdict of one row; NaN stands for an interval that could not be measured.

    ``passes`` where the interval against noise lies above 0; ``fails`` where it does not and there
    are at least 100 evaluated cells in at least 3 classes; with fewer ``not assessable``.
    ``exempt``: controls, and models whose weights are random on purpose.

    Examples
    --------
    >>> judge(over_noise_low=-0.01, n_evaluated=100, n_classes=3, is_exempt=False)
    'fails'
    >>> judge(over_noise_low=-0.01, n_evaluated=99, n_classes=3, is_exempt=False)
    'not assessable'
    """
    if is_exempt:
        return "exempt"
    if over_noise_low > 0:
        return "passes"
    enough = n_evaluated >= MIN_EVALUATED and n_classes >= MIN_CLASSES
    return "fails" if enough else "not assessable"


def find_signal_breaches(scorecard: pd.DataFrame) -> list[str]:
    """Name every embedding that is no better than noise.

    Parameters
    ----------
    scorecard
        ``ScorecardSchema``.
    """
    return [
        f"{row.embedder}, {row.split}: no better than noise: macro-F1 {row.macro_f1:.3f}, noise "
        f"{row.noise_f1:.3f}, difference {_interval(row, 'over_noise')}, {row.n_evaluated} cells of "
        f"{row.n_classes} cell types; look at its settings and its input, or leave it out"
        for row in scorecard.itertuples()
        if row.verdict == "fails"
    ]


def find_warnings(scorecard: pd.DataFrame) -> list[str]:
    """Name every embedding that could not be judged, or that is worse than pca; exempt ones never."""
    return list(_iter_warnings(scorecard))


def _iter_warnings(scorecard: pd.DataFrame) -> Iterator[str]:
    for row in scorecard[scorecard["verdict"] != "exempt"].itertuples():
        if row.verdict == "not assessable":
            few = f"{row.n_evaluated} cells of {row.n_classes} cell types can show nothing"
            why = row.notes if row.n_classes < 2 else f"{few}: {_interval(row, 'over_noise')}"
            yield f"{row.embedder}, {row.split}: not assessable: {why}"
        if row.over_pca_high < 0:
            yield f"{row.embedder}, {row.split}: worse than pca: {_interval(row, 'over_pca')}"


def _interval(row: Any, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
