"""What a reader must not expect of the dataset, from facts of the pipeline.

Belongs here: the sentences; the card and ``croissant.json`` both say them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adata_assets.hub.card_captions import CaptionCounts

if TYPE_CHECKING:
    import pandas as pd

_FEW_GROUPS = 3


def list_limits(
    *,
    annotated: Mapping[str, Any],
    ledger: pd.DataFrame,
    captions: Mapping[str, CaptionCounts],
    format: str,
) -> list[str]:
    """Return one plain sentence for each limit, values of the data left out.

    Parameters
    ----------
    annotated
        Facts of ``annotated_obs``: ``split_by`` and ``n_groups``.
    ledger
        Columns ``outcome`` and ``n_obs``.
    captions
        As `count_captions` returns them.
    format
        ``single``, ``pairs`` or ``multiplets``.
    """
    limits = [*_limits_of_splits(annotated), *_limits_of_cells(ledger)]
    if format != "single":
        limits += _limits_of_captions(captions)
    return [
        *limits,
        "Cell types and other annotations are those of the sources; their errors are in the texts "
        "too.",
        "Counts are those that the sources publish. Batches, chemistries and depths are not evened "
        "out; embeddings inherit them unless their method says otherwise.",
        "The donors of the sources are no random sample of any population. Do not draw medical "
        "conclusions from this dataset or from models trained on it.",
    ]


def describe_limits(limits: Sequence[str]) -> str:
    """Return the limits as a list."""
    return "\n".join(f"- {limit}" for limit in limits)


def _limits_of_splits(annotated: Mapping[str, Any]) -> Iterator[str]:
    groups = annotated.get("n_groups") or {}
    if annotated["split_by"] != "group":
        yield (
            "Cells were dealt one by one, so held-out cells share donors and batches with train "
            "cells: figures on them are too good for new donors."
        )
    elif few := [f"{n} in {split}" for split, n in groups.items() if n < _FEW_GROUPS]:
        yield (
            f"There are few groups ({', '.join(few)}): figures on held-out cells say little about "
            "other donors."
        )


def _limits_of_cells(ledger: pd.DataFrame) -> Iterator[str]:
    n_all = int(ledger["n_obs"].sum())
    n_kept = int(ledger.loc[ledger["outcome"] == "published", "n_obs"].sum())
    if n_kept < n_all:
        yield (
            f"{n_all - n_kept:,} of {n_all:,} cells of the sources are not in it, not at random: "
            "what is rare or of low quality is missing more often."
        )


def _limits_of_captions(captions: Mapping[str, CaptionCounts]) -> Iterator[str]:
    told = [f"{c.n_ids:,} for the {c.n_cells:,} cells of {split}" for split, c in captions.items()]
    if told:
        yield (
            f"There are few different statements ({', '.join(told)}): a text describes a kind of "
            "cell, not one cell."
        )
