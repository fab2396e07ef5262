"""Where every raw cell went."""

from __future__ import annotations

import pandas as pd


def build_ledger(obs: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Count the cells of each outcome (``LedgerSchema``).

    Parameters
    ----------
    obs
        ``ObsSchema`` rows, one per raw cell.
    source
        Name of the source file.

    Examples
    --------
    >>> obs = pd.DataFrame({"split": ["train", None], "removed_rule": [None, "min_genes"]})
    >>> build_ledger(obs, source="a.h5ad")[["outcome", "rule", "n_obs"]].values.tolist()
    [['published', 'train', 1], ['removed', 'min_genes', 1]]
    """
    outcome = obs["split"].notna().map({True: "published", False: "removed"})
    rule = obs["split"].where(obs["split"].notna(), obs["removed_rule"])
    counts = pd.DataFrame({"outcome": outcome, "rule": rule}).value_counts(sort=False)
    ledger = counts.rename("n_obs").reset_index().sort_values(["outcome", "rule"])
    ledger.insert(0, "source", source)
    return ledger.reset_index(drop=True)
