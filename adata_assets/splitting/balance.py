"""Fewer train cells of common labels, by seed.

Belongs here: which cells are drawn away. Held-out splits stay as they are: they are what is measured.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.splitting.assign import seeded_keys

RULE = "max_cells_per_label"


def find_surplus(
    sample_idx: pd.Series, label: pd.Series, split: pd.Series, *, limit: int | None, seed: int
) -> pd.DataFrame:
    """Find the train cells beyond the limit of their label; cells without a label are not counted.

    Parameters
    ----------
    sample_idx, label, split
        One value per cell; label and split str or None.
    limit
        Most train cells of one label; None: no limit.
    seed
        Of the dataset; who stays is a function of seed and id among the cells of the label.

    Returns
    -------
    Columns ``removed_rule`` and ``removed_value`` (the label and its train cells), None where a
    cell stays.
    """
    nothing = np.full(len(label), None, dtype=object)
    found = pd.DataFrame({"removed_rule": nothing, "removed_value": nothing}, index=label.index)
    rows = np.flatnonzero((split == "train") & label.notna())
    if limit is None or not len(rows):
        return found
    keys = seeded_keys(sample_idx.iloc[rows], seed=seed, purpose="balance")
    codes, labels = pd.factorize(label.iloc[rows])
    order = np.lexsort((keys, codes))
    size = np.bincount(codes)
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
    gone = rank >= limit
    found.iloc[rows[gone], 0] = RULE
    found.iloc[rows[gone], 1] = [f"{labels[c]}: {size[c]} train cells" for c in codes[gone]]
    return found
