"""Which cells an embedding is measured on: held-out cells, their labels and batches.

Belongs here: the choice of cells and classes, one and the same for all embeddings. Cells are drawn
by their ids, so neither chunks nor other embeddings change the choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.annotation.store import OBS, read_in_order
from adata_assets.artefact import Artefact
from adata_assets.embedders.base.draws import draw_uniform

# Fewer neighbours than a vote has, or fewer cells than an F1 means something for.
MIN_TRAIN, MIN_EVALUATED = 15, 5
# So many cells, in two splits, take 1 to 3 minutes on two cores and give intervals below 0.02.
MAX_TRAIN, MAX_EVALUATED = 50_000, 10_000
MAX_SAMPLE = 5_000
TRAIN, NO_SPLIT = "train", "none"


@dataclass(frozen=True)
class Cells:
    """The published cells in dataset order.

    Attributes
    ----------
    split_sizes
        Cells of each split, in dataset order.
    sample_ids
        Ids of the cells, str ``(n_obs,)``.
    label, batch
        Cell type and batch, str or None ``(n_obs,)``.
    draw
        A number of each cell by its id and the seed, float64 ``(n_obs,)``; samples take the lowest.
    """

    split_sizes: dict[str, int]
    sample_ids: np.ndarray
    label: np.ndarray
    batch: np.ndarray
    draw: np.ndarray

    def rows_of(self, split: str) -> np.ndarray:
        """Return the positions of a split's cells, int64; none for a split that is not there."""
        names = list(self.split_sizes)
        if split not in names:
            return np.empty(0, np.int64)
        edges = np.cumsum([0, *self.split_sizes.values()])
        return np.arange(edges[names.index(split)], edges[names.index(split) + 1])


@dataclass(frozen=True)
class HeldOut:
    """What is measured on one held-out split; positions are places in the dataset order.

    Attributes
    ----------
    split
        Its name; ``none`` where no cells were held out.
    classes
        Labels with enough cells, sorted; classes are numbered by it.
    left_out
        Label to the train and evaluated cells of each class that has too few.
    train, train_class
        Positions and classes of the labelled train cells, int64.
    evaluated, evaluated_class
        The same of the split's labelled cells.
    n_train_all, n_evaluated_all
        Cells that there are of these classes; more than were drawn in a large dataset.
    sample
        Positions of any of the split's cells, at most ``MAX_SAMPLE``.
    """

    split: str
    classes: list[str]
    left_out: dict[str, tuple[int, int]]
    train: np.ndarray
    train_class: np.ndarray
    evaluated: np.ndarray
    evaluated_class: np.ndarray
    n_train_all: int
    n_evaluated_all: int
    sample: np.ndarray

    @property
    def positions(self) -> np.ndarray:
        """All positions that are needed, sorted, each once."""
        return np.unique(np.concatenate([self.train, self.evaluated, self.sample]))


def read_labelled_cells(annotated: Artefact, *, seed: int, labels_are_public: bool = True) -> Cells:
    """Read what is known about the published cells.

    Parameters
    ----------
    labels_are_public
        Whether cell types may be named; else they are called ``class 1``, ``class 2`` and so on.
    """
    tables = annotated.local(OBS).parent
    label = read_in_order(tables, "cell_type").astype(object)
    if not labels_are_public:
        codes, _ = pd.factorize(label, sort=True)
        label = np.array([f"class {code + 1}" if code >= 0 else None for code in codes], object)
    ids = read_in_order(tables, "sample_idx")
    draw = draw_uniform(ids, 1, seed=seed, purpose="scorecard sample")[:, 0]
    batch = read_in_order(tables, "batch").astype(object)
    return Cells(dict(annotated.metadata["split_sizes"]), ids, label, batch, draw)


def choose_held_out(cells: Cells) -> list[HeldOut]:
    """Return what to measure on each split but train; without any, one empty choice.

    Classes with fewer than ``MIN_TRAIN`` train or ``MIN_EVALUATED`` evaluated cells are left out:
    their cells neither vote nor are evaluated.
    """
    splits = [split for split in cells.split_sizes if split != TRAIN]
    return [_choose(cells, split) for split in splits or [NO_SPLIT]]


def _choose(cells: Cells, split: str) -> HeldOut:
    n_train = _count_labels(cells.label[cells.rows_of(TRAIN)])
    n_evaluated = _count_labels(cells.label[cells.rows_of(split)])
    found = sorted(n_train.keys() | n_evaluated.keys())
    counts = {label: (n_train.get(label, 0), n_evaluated.get(label, 0)) for label in found}
    classes = [k for k, (n, m) in counts.items() if n >= MIN_TRAIN and m >= MIN_EVALUATED]
    train = _draw_labelled(cells, TRAIN, classes, MAX_TRAIN, at_least=MIN_TRAIN)
    evaluated = _draw_labelled(cells, split, classes, MAX_EVALUATED, at_least=MIN_EVALUATED)
    return HeldOut(
        split=split,
        classes=classes,
        left_out={label: n for label, n in counts.items() if label not in classes},
        train=train,
        train_class=pd.Index(classes).get_indexer(cells.label[train]),
        evaluated=evaluated,
        evaluated_class=pd.Index(classes).get_indexer(cells.label[evaluated]),
        n_train_all=sum(counts[label][0] for label in classes),
        n_evaluated_all=sum(counts[label][1] for label in classes),
        sample=draw_lowest(cells.rows_of(split), cells.draw, MAX_SAMPLE),
    )


def _count_labels(labels: np.ndarray) -> dict[str, int]:
    return {str(label): int(n) for label, n in pd.Series(labels).value_counts().items()}


def _draw_labelled(
    cells: Cells, split: str, classes: Iterable[str], n_obs: int, *, at_least: int
) -> np.ndarray:
    rows = cells.rows_of(split)
    of_class = pd.Index(list(classes), dtype=object).get_indexer(cells.label[rows])
    rows, of_class = rows[of_class >= 0], of_class[of_class >= 0]
    chosen = draw_stratified(of_class, cells.draw[rows], n_obs, at_least=at_least)
    return np.asarray(rows[chosen])


def draw_lowest(positions: np.ndarray, draw: np.ndarray, n_obs: int) -> np.ndarray:
    """Return the ``n_obs`` positions whose draws are the lowest, sorted; all if there are fewer."""
    return np.sort(positions[np.argsort(draw[positions], kind="stable")[:n_obs]])


def draw_stratified(
    classes: np.ndarray, draw: np.ndarray, n_obs: int, *, at_least: int
) -> np.ndarray:
    """Return the numbers of about ``n_obs`` cells, each class by its share, sorted.

    Parameters
    ----------
    classes
        Class of each cell, int64 ``(n_all,)``.
    draw
        The lowest of a class are taken, ``(n_all,)``.
    at_least
        Cells that a class keeps, so many over ``n_obs`` may be returned.

    Examples
    --------
    >>> draw_stratified(np.array([0, 0, 0, 0, 1]), np.array([4, 3, 2, 1, 0]), 2, at_least=1)
    array([3, 4])
    """
    if len(classes) <= n_obs:
        return np.arange(len(classes))
    n_in = np.bincount(classes)
    quota = np.maximum(n_in * n_obs // len(classes), np.minimum(n_in, at_least))
    order = np.lexsort((draw, classes))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(n_in) - n_in, n_in)
    return np.sort(order[rank < np.repeat(quota, n_in)])
