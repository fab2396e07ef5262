"""What the card says about what the splits share.

Belongs here: the leakage report as Markdown. Does not belong here: measuring.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from adata_assets.hub.markdown import code_span, escape_markdown, table

_HEADER = ("obs column", "dealt as whole groups", "values", "in several splits")
_PROBE_HEADER = (
    "cells of",
    "cell types",
    "cells",
    "published",
    "at random (lowest to highest)",
    "gap",
)
_HOW = (
    "Gap: what a classifier gains from cells of the same groups on both sides. The cell types of held-out "
    "cells are told by their 15 nearest train cells (cosine, 30 principal components of highly variable "
    "genes); macro-F1 under five random splits of the same cells with the same sizes, minus macro-F1 "
    "under the published one."
)


def describe_leakage(keys: pd.DataFrame, shared: pd.DataFrame, probe: pd.DataFrame) -> str:
    """Return what values, cells and skill the splits share.

    Parameters
    ----------
    keys
        ``SharedKeySchema``.
    shared
        ``SharedCellSchema``.
    probe
        ``LeakageProbeSchema``.
    """
    n_cells = len(shared)
    parts = [
        f"Cells with the same counts (at least 200 genes) in several splits: {n_cells:,}.",
        _describe_keys(keys),
        *_describe_probe(probe),
    ]
    return "\n\n".join(parts)


def _describe_keys(keys: pd.DataFrame) -> str:
    if keys.empty:
        return "No obs column looks like a donor, sample, batch or study."
    rows = [
        [
            code_span(str(row.column)),
            "yes" if row.is_group else "no",
            f"{row.n_values:,}",
            f"{row.n_shared:,}",
        ]
        for row in keys.itertuples()
    ]
    return "Columns that look like donors, samples, batches or studies:\n\n" + table(_HEADER, rows)


def _describe_probe(probe: pd.DataFrame) -> list[str]:
    applies = probe[probe["reason"] == ""]
    told = [
        f"Gap of a classifier, {row.split}: not applicable ({escape_markdown(str(row.reason))})."
        for row in probe.itertuples()
        if row.reason
    ]
    if applies.empty:
        return told
    return [_HOW, table(_PROBE_HEADER, [_cells_of(row) for row in applies.itertuples()]), *told]


def _cells_of(row: Any) -> list[str]:
    return [
        code_span(row.split),
        str(row.n_classes),
        f"{row.n_train:,} + {row.n_evaluated:,}",
        f"{row.published_f1:.3f}",
        f"{row.random_f1:.3f} ({row.random_f1_low:.3f} to {row.random_f1_high:.3f})",
        f"{row.gap:+.3f}",
    ]
