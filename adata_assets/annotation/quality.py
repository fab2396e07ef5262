"""Quality of each cell on its own: the fixed rules.

Belongs here: numbers per cell and rules that look at one cell. Thresholds learnt from many cells
are another matter.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.annotation.measure import CellMetrics
from adata_assets.spec import QCRules

# Below this many genes two cells can have equal counts by chance.
MIN_GENES_OF_DUPLICATES = 200


def find_removals(
    metrics: CellMetrics,
    rules: QCRules,
    *,
    sample_idx: pd.Series,
    is_primary_data: pd.Series | None,
    is_gene_subset: bool,
) -> pd.DataFrame:
    """Return which rule removes each cell and the value that it saw.

    Parameters
    ----------
    is_gene_subset
        The file holds some genes of the transcriptome only: rules on numbers of genes and on
        mitochondrial counts then say nothing and do not apply.

    Returns
    -------
    Columns ``removed_rule`` and ``removed_value`` (str or None), one row per cell; the first rule
    that applies wins.
    """
    pct_mt = percent(metrics.n_counts_mt, metrics.n_counts)
    found: list[tuple[str, np.ndarray, np.ndarray]] = [
        ("no_counts", metrics.n_counts == 0, metrics.n_counts),
        ("no_sentence_gene", metrics.n_sentence_genes == 0, metrics.n_sentence_genes),
    ]
    if rules.require_primary_data and is_primary_data is not None:
        secondary = is_primary_data.astype(str).str.lower().eq("false").to_numpy()
        found.append(("is_primary_data", secondary, is_primary_data.astype(str).to_numpy()))
    if rules.min_counts is not None:
        found.append(("min_counts", metrics.n_counts < rules.min_counts, metrics.n_counts))
    if rules.min_genes is not None and not is_gene_subset:
        found.append(("min_genes", metrics.n_genes < rules.min_genes, metrics.n_genes))
    if rules.max_pct_mt is not None and not is_gene_subset:
        found.append(("max_pct_mt", pct_mt > rules.max_pct_mt, np.round(pct_mt, 4)))
    if rules.remove_duplicates:
        earlier = find_duplicates(metrics, sample_idx)
        found.append(("duplicate_of", earlier.notna().to_numpy(), earlier.to_numpy(dtype=object)))
    return first_reason(found, len(sample_idx))


def first_reason(found: list[tuple[str, np.ndarray, np.ndarray]], n_obs: int) -> pd.DataFrame:
    """Return rule and value of the first reason that applies to each cell, else None."""
    rule = np.full(n_obs, None, dtype=object)
    value = np.full(n_obs, None, dtype=object)
    for name, applies, seen in found:
        new = applies & (rule == None)  # noqa: E711
        rule[new] = name
        value[new] = [str(item) for item in seen[new]]
    return pd.DataFrame({"removed_rule": rule, "removed_value": value})


def find_duplicates(metrics: CellMetrics, sample_idx: pd.Series) -> pd.Series:
    """Return for each cell the smallest id of an earlier cell with the same counts, else None."""
    frame = pd.DataFrame(
        {"a": metrics.fingerprint[:, 0], "b": metrics.fingerprint[:, 1], "id": sample_idx.array}
    )
    frame = frame[metrics.n_genes >= MIN_GENES_OF_DUPLICATES]
    repeated = frame[frame.duplicated(["a", "b"], keep=False)]
    smallest = repeated.groupby(["a", "b"])["id"].transform("min")
    duplicates = smallest[smallest != repeated["id"]]
    found = pd.Series(None, index=range(len(sample_idx)), dtype=object)
    found.iloc[duplicates.index] = duplicates
    return found


def percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return 100 × part / whole as float64, NaN where whole is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole * 100.0, np.nan)
