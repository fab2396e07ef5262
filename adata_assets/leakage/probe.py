"""What a classifier gains when cells of one group are on both sides of a split.

Belongs here: the probe. The same cells are split at random, five times with the same sizes, and once
as published; the difference of the macro-F1 is what knowing the groups is worth.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import lognorm
from adata_assets.embedders.base.draws import draw_uniform
from adata_assets.scorecard.cells import (
    MIN_EVALUATED,
    MIN_TRAIN,
    NO_SPLIT,
    Cells,
    HeldOut,
    choose_held_out,
    draw_stratified,
)
from adata_assets.scorecard.transfer import measure_macro_f1, transfer_labels

N_SEEDS = 5
MIN_GROUPS, MIN_CLASSES = 3, 2
# Dense values of so many cells and genes take 40 MB as float32, and a probe a few seconds.
MAX_TRAIN, MAX_EVALUATED, MAX_GENES = 8_000, 2_000, 1_000
N_COMPONENTS = 30
_DIGITS = 4
_NONE = dict.fromkeys(
    ("published_f1", "random_f1", "random_f1_low", "random_f1_high", "gap"), np.nan
)


def probe_splits(
    cells: Cells,
    blocks: Iterable[tuple[int, sp.csr_matrix]],
    totals: np.ndarray,
    hvg_rank: np.ndarray,
    *,
    n_groups: int | None,
    seed: int,
) -> pd.DataFrame:
    """Return ``LeakageProbeSchema``, one row per held-out split.

    Labels are told by the 15 nearest cells (cosine) on 30 principal components of the lognorm values
    of at most 1,000 highly variable genes. The components are those of all cells of the probe: both
    ways to split them read the same values, so only the split can make a difference, and a dataset
    needs no embedder for it.

    Parameters
    ----------
    cells
        Labels of the published cells.
    blocks
        ``(first cell, counts)`` of all published cells in dataset order; read once, if at all.
    totals
        ``total_counts_source`` of the published cells.
    hvg_rank
        Of each gene; -1 for one that is not variable.
    n_groups
        Groups of the published cells; None: cells were dealt one by one.
    seed
        Of the random splits, which depend on the cells' ids.
    """
    chosen = [_sample(cells, held) for held in choose_held_out(cells)]
    why = _find_reason(n_groups, hvg_rank)
    reasons = [why or _find_reason_of(held) for held in chosen]
    needed = [held for held, reason in zip(chosen, reasons, strict=True) if not reason]
    positions = np.unique(
        np.concatenate([_pool(held) for held in needed] or [np.empty(0, np.int64)])
    )
    scores = _read_scores(blocks, totals, hvg_rank, positions) if needed else np.empty((0, 0))
    return pd.DataFrame(
        [
            {
                "split": held.split,
                "reason": reason,
                "n_train": len(held.train),
                "n_evaluated": len(held.evaluated),
                "n_classes": len(held.classes),
                **(
                    _NONE
                    if reason
                    else _probe(held, scores[np.searchsorted(positions, _pool(held))], cells, seed)
                ),
            }
            for held, reason in zip(chosen, reasons, strict=True)
        ]
    )


def _find_reason(n_groups: int | None, hvg_rank: np.ndarray) -> str:
    if n_groups is None:
        return "cells are dealt one by one: the published split is a random one"
    if n_groups < MIN_GROUPS:
        return f"{n_groups} groups; below {MIN_GROUPS} a split says nothing about groups"
    return (
        "" if (hvg_rank >= 0).sum() > 1 else "no variable genes, which are learnt from train cells"
    )


def _find_reason_of(held: HeldOut) -> str:
    if held.split == NO_SPLIT:
        return "no cells are held out"
    if len(held.classes) < MIN_CLASSES:
        return (
            f"{len(held.classes)} cell types with {MIN_TRAIN} train and {MIN_EVALUATED} held-out "
            f"cells; {MIN_CLASSES} are needed"
        )
    return ""


def _sample(cells: Cells, held: HeldOut) -> HeldOut:
    drawn: dict[str, np.ndarray] = {}
    for name, most, least in (
        ("train", MAX_TRAIN, MIN_TRAIN),
        ("evaluated", MAX_EVALUATED, MIN_EVALUATED),
    ):
        rows, classes = getattr(held, name), getattr(held, f"{name}_class")
        kept = draw_stratified(classes, cells.draw[rows], most, at_least=least)
        drawn |= {name: rows[kept], f"{name}_class": classes[kept]}
    return HeldOut(**{**vars(held), **drawn})


def _pool(held: HeldOut) -> np.ndarray:
    return np.concatenate([held.train, held.evaluated])


def _read_scores(
    blocks: Iterable[tuple[int, sp.csr_matrix]],
    totals: np.ndarray,
    hvg_rank: np.ndarray,
    positions: np.ndarray,
) -> np.ndarray:
    """Principal components of the cells at sorted positions, float64 ``(n, n_components)``."""
    import scipy.linalg

    ranked = np.flatnonzero(hvg_rank >= 0)
    genes = np.sort(ranked[np.argsort(hvg_rank[ranked])][:MAX_GENES])
    values = np.empty((len(positions), len(genes)), np.float32)
    for start, block in blocks:
        first, last = np.searchsorted(positions, [start, start + block.shape[0]])
        rows = positions[first:last]
        # Ranks come from the genes' order, which a CSR keeps when columns are picked in order.
        picked = block[rows - start][:, genes]
        values[first:last] = lognorm(picked, totals[rows]).toarray()
    values -= values.mean(axis=0)
    covariance = values.T @ values
    n = len(genes)
    _, axes = scipy.linalg.eigh(covariance, subset_by_index=[max(0, n - N_COMPONENTS), n - 1])
    return np.asarray(values @ axes, np.float64)


def _probe(held: HeldOut, scores: np.ndarray, cells: Cells, seed: int) -> dict[str, Any]:
    classes = np.concatenate([held.train_class, held.evaluated_class])
    is_evaluated = np.arange(len(classes)) >= len(held.train)
    published = _measure(scores, classes, is_evaluated, len(held.classes))
    purpose = f"leakage probe {held.split}"
    draws = draw_uniform(cells.sample_ids[_pool(held)], N_SEEDS, seed=seed, purpose=purpose)
    # The cells with the smallest draws are evaluated, so many as are held out.
    ranks = draws.argsort(axis=0, kind="stable").argsort(axis=0)
    random = [
        _measure(scores, classes, rank < len(held.evaluated), len(held.classes)) for rank in ranks.T
    ]
    figures = {
        "published_f1": published,
        "random_f1": float(np.mean(random)),
        "random_f1_low": min(random),
        "random_f1_high": max(random),
        "gap": float(np.mean(random)) - published,
    }
    return {name: round(value, _DIGITS) for name, value in figures.items()}


def _measure(
    scores: np.ndarray, classes: np.ndarray, is_evaluated: np.ndarray, n_classes: int
) -> float:
    train, told = ~is_evaluated, is_evaluated
    predicted = transfer_labels(scores[train], classes[train], scores[told], n_classes=n_classes)
    return measure_macro_f1(classes[told], predicted, n_classes=n_classes)
