"""Quality of each cell on its own: the fixed rules.

Belongs here: rules that look at one cell. Copies of a cell are found in ``duplicates``, thresholds
learnt from many cells in ``outliers``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.annotation.measure import CellMetrics
from adata_assets.spec import QCRules

# What is_primary_data says of a copy, as bool, number or text.
_FALSE = ("false", "f", "no", "0", "0.0")


def find_removals(
    metrics: CellMetrics,
    rules: QCRules,
    *,
    is_primary_data: pd.Series | None,
    is_gene_subset: bool,
) -> pd.DataFrame:
    """Return which rule removes each cell and the value that it saw.

    Parameters
    ----------
    metrics
        Of every raw cell.
    rules
        Thresholds; a cell that meets one exactly stays.
    is_primary_data
        The file's column (bool, numbers, text or categories), or None without one. Where it is
        missing, nothing is known against the cell.
    is_gene_subset
        The file holds some genes of the transcriptome only: numbers of genes, mitochondrial counts
        and the share of the top 20 genes then say nothing and their rules do not apply.

    Returns
    -------
    Columns ``removed_rule`` and ``removed_value`` (str or None), one row per cell; the first rule
    that applies wins.
    """
    found: list[tuple[str, np.ndarray, np.ndarray]] = [
        ("no_counts", metrics.n_counts == 0, metrics.n_counts),
        ("no_sentence_gene", metrics.n_sentence_genes == 0, metrics.n_sentence_genes),
    ]
    if rules.require_primary_data and is_primary_data is not None:
        stated = is_primary_data.astype(str)
        is_copy = stated.str.strip().str.lower().isin(_FALSE)
        found.append(("is_primary_data", is_copy.to_numpy(bool), stated.to_numpy(dtype=object)))
    if rules.min_counts is not None:
        found.append(("min_counts", metrics.n_counts < rules.min_counts, metrics.n_counts))
    if not is_gene_subset:
        found += _rules_on_genes(metrics, rules)
    return first_reason(found, len(metrics.n_counts))


def _rules_on_genes(
    metrics: CellMetrics, rules: QCRules
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    found: list[tuple[str, np.ndarray, np.ndarray]] = []
    if rules.min_genes is not None:
        found.append(("min_genes", metrics.n_genes < rules.min_genes, metrics.n_genes))
    shares = (
        ("max_pct_mt", rules.max_pct_mt, metrics.n_counts_mt),
        ("max_pct_top20", rules.max_pct_top20, metrics.n_counts_top20),
    )
    for name, limit, n_counts in shares:
        if limit is not None:
            pct = percent(n_counts, metrics.n_counts)
            found.append((name, pct > limit, np.round(pct, 4)))
    return found


def first_reason(found: list[tuple[str, np.ndarray, np.ndarray]], n_obs: int) -> pd.DataFrame:
    """Return rule and value of the first reason that applies to each cell, else None.

    Parameters
    ----------
    found
        Per reason its name, which cells it applies to (bool) and what it saw in every cell; all
        arrays of shape ``(n_obs,)``.

    Examples
    --------
    >>> ages = np.array([3, 1, 2])
    >>> first_reason([("young", ages < 2, ages), ("old", ages > 0, ages)], 3).values.tolist()
    [['old', '3'], ['young', '1'], ['old', '2']]
    """
    rule = np.full(n_obs, None, dtype=object)
    value = np.full(n_obs, None, dtype=object)
    for name, applies, seen in found:
        new = applies & (rule == None)  # noqa: E711
        rule[new] = name
        value[new] = [str(item) for item in seen[new]]
    return pd.DataFrame({"removed_rule": rule, "removed_value": value})


def percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return 100 × part / whole as float64, NaN where whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole * 100.0, np.nan)
