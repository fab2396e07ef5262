"""The rows of a scorecard: figures side by side, and in words what limits them.

Belongs here: one row from what was measured. Measuring is in ``transfer`` and ``structure``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.scorecard.cells import MIN_EVALUATED, MIN_TRAIN, NO_SPLIT, TRAIN, Cells, HeldOut
from adata_assets.scorecard.structure import MIN_CELLS, Structure, measure_agreement
from adata_assets.scorecard.transfer import find_interval
from adata_assets.scorecard.vectors import StoredEmbedding
from adata_assets.scorecard.verdict import judge

# More digits would differ between machines.
_N_DIGITS = 6


@dataclass(frozen=True)
class F1:
    """Macro-F1 of a label transfer: observed, and of each bootstrap draw ``(n_draws,)``.

    Draws are shared by all embeddings of a split, so differences are paired.
    """

    observed: float
    drawn: np.ndarray


@dataclass(frozen=True)
class Measured:
    """One embedding on one split.

    Attributes
    ----------
    f1
        None where fewer than two classes have enough cells.
    structure
        How the cells lie.
    """

    f1: F1 | None
    structure: Structure


def build_row(
    cells: Cells,
    held: HeldOut,
    embedding: StoredEmbedding,
    measured: Measured,
    *,
    noise: F1 | None,
    pca: Measured | None,
) -> dict[str, object]:
    """Return one row of ``ScorecardSchema``.

    Parameters
    ----------
    noise
        Mean of the noise seeds; None where there is no label transfer.
    pca
        What to compare with; ``measured`` itself where this is the pca; None: there is none.
    """
    other = None if pca is measured else pca
    figures = {
        "macro_f1": measured.f1.observed if measured.f1 else np.nan,
        "noise_f1": noise.observed if noise else np.nan,
        **_difference("over_noise", measured.f1, noise),
        **_difference("over_pca", measured.f1, other.f1 if other else None),
        "silhouette": measured.structure.silhouette,
        "ilisi": measured.structure.ilisi,
        "agreement_with_pca": _agreement(measured.structure, other.structure if other else None),
    }
    rounded = {
        name: np.nan if value is None else round(float(value), _N_DIGITS)
        for name, value in figures.items()
    }
    limits = [*_limits_of(cells, held, embedding, measured.structure)]
    if pca is None:
        limits.append("no pca to compare with")
    if rounded["over_pca_high"] < 0 and not embedding.is_exempt:
        limits.append("worse than pca")
    return {
        "embedder": embedding.name,
        "method": embedding.method,
        "split": held.split,
        "verdict": judge(
            over_noise_low=rounded["over_noise_low"],
            n_evaluated=len(held.evaluated),
            n_classes=len(held.classes),
            is_exempt=embedding.is_exempt,
        ),
        "n_train": len(held.train),
        "n_evaluated": len(held.evaluated),
        "n_classes": len(held.classes),
        "classes_left_out": describe_left_out(held),
        **rounded,
        "notes": "; ".join(limits),
    }


def describe_left_out(held: HeldOut) -> str:
    """Return the classes with too few cells, each with its train and held-out cells."""
    return "; ".join(f"{label} ({n}, {m})" for label, (n, m) in held.left_out.items())


def _difference(name: str, f1: F1 | None, other: F1 | None) -> dict[str, float]:
    names = (name, f"{name}_low", f"{name}_high")
    if f1 is None or other is None:
        return dict.fromkeys(names, np.nan)
    low_high = find_interval(f1.drawn - other.drawn)
    return dict(zip(names, (f1.observed - other.observed, *low_high), strict=True))


def _agreement(structure: Structure, pca: Structure | None) -> float | None:
    if pca is None or structure.near is None or pca.near is None:
        return None
    return measure_agreement(structure.near, pca.near)


def _limits_of(
    cells: Cells, held: HeldOut, embedding: StoredEmbedding, structure: Structure
) -> Iterator[str]:
    if embedding.is_control:
        yield "a control"
    if embedding.is_random:
        yield "random weights"
    if held.split == NO_SPLIT:
        yield "no cells were held out"
        return
    yield from _limits_of_labels(cells, held)
    if held.n_train_all > len(held.train):
        yield f"{len(held.train):,} of {held.n_train_all:,} train cells vote"
    if held.n_evaluated_all > len(held.evaluated):
        yield f"{len(held.evaluated):,} of {held.n_evaluated_all:,} cells were evaluated"
    if structure.ilisi is None:
        n_batches = len(pd.unique(pd.Series(cells.batch[held.sample]).dropna()))
        few = f"fewer than {MIN_CELLS} cells to mix" if n_batches > 1 else "one batch only"
        yield few if n_batches else "no batches are known"


def _limits_of_labels(cells: Cells, held: HeldOut) -> Iterator[str]:
    if len(held.classes) > 1:
        return
    if not cells.split_sizes.get(TRAIN):
        yield "there are no train cells"
    elif not held.left_out and not held.classes:
        yield "no cell types are known"
    else:
        what = "only one cell type has" if held.classes else "no cell type has"
        yield f"{what} {MIN_TRAIN} train and {MIN_EVALUATED} held-out cells"
