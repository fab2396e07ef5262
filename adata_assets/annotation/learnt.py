"""What is learnt from the train survivors before anything else is: depth modes and outliers.

Belongs here: the order of the two, and which column is the batch. Both are off the default path:
depth is reported, outliers are removed when ``qc.mad`` is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.keys import DEPTH_MODE
from adata_assets.annotation.quality.depth import find_depth_modes
from adata_assets.annotation.quality.outliers import find_outliers
from adata_assets.annotation.values import clean_values
from adata_assets.spec import DatasetSpec

# A batch that lost most of its cells to these is no sample of good cells.
FIXED_RULES = (
    "no_counts",
    "no_sentence_gene",
    "min_counts",
    "min_genes",
    "max_pct_mt",
    "max_pct_top20",
)


@dataclass(frozen=True)
class Learnt:
    """What the train cells told of all cells.

    Attributes
    ----------
    batch, depth_mode
        Per cell, str or None.
    outliers
        Columns ``removed_rule`` and ``removed_value``, None where a cell stays.
    facts
        Thresholds and depth in words (JSON).
    warnings
        What a reader of the log should know.
    """

    batch: pd.Series
    depth_mode: pd.Series
    outliers: pd.DataFrame
    facts: dict[str, Any]
    warnings: tuple[str, ...]


def learn_from_train(
    obs: pd.DataFrame,
    source_obs: pd.DataFrame,
    spec: DatasetSpec,
    keys: Mapping[str, str | None],
    *,
    is_gene_subset: bool,
) -> Learnt:
    """Learn depth modes and outlier thresholds.

    Parameters
    ----------
    obs
        Columns ``n_counts``, ``n_genes_source``, ``pct_mt_source``, ``removed_rule`` and ``split``
        of every raw cell; ``split`` is None for those that were left out.
    is_gene_subset
        Numbers of genes and mitochondrial shares then say nothing.
    """
    nothing = pd.Series(np.full(len(obs), None), index=obs.index)
    facts: dict[str, Any] = {}
    depth_mode = nothing
    if spec.qc.find_depth_modes or keys["batch"] == DEPTH_MODE:
        modes = find_depth_modes(
            obs["n_counts"], is_train=(obs["split"] == "train"), seed=spec.seed
        )
        depth_mode, facts["depth"] = modes.label, modes.text
    batch = nothing
    if keys["batch"]:
        batch = (
            depth_mode if keys["batch"] == DEPTH_MODE else clean_values(source_obs[keys["batch"]])
        )
    no_outliers = pd.DataFrame({"removed_rule": nothing, "removed_value": nothing})
    if spec.qc.mad is None:
        return Learnt(batch, depth_mode, no_outliers, facts, ())
    values = obs.rename(columns={"n_genes_source": "n_genes", "pct_mt_source": "pct_mt"})
    if is_gene_subset:
        values = values.assign(n_genes=np.nan, pct_mt=np.nan)
    found = find_outliers(
        values[["n_counts", "n_genes", "pct_mt"]],
        split=obs["split"],
        batch=batch if keys["batch"] else None,
        rules=spec.qc,
        is_low_quality=obs["removed_rule"].isin(FIXED_RULES),
    )
    facts["thresholds"] = (
        found.thresholds.astype(object).where(found.thresholds.notna(), None).to_dict("records")
    )
    return Learnt(batch, depth_mode, found.removals, facts, found.warnings)
