"""Labels carried over from train cells to held-out ones by their nearest neighbours, and their F1.

Belongs here: neighbours, votes, macro-F1 and its bootstrap.
"""

from __future__ import annotations

import numpy as np

N_NEIGHBOURS = 15
N_DRAWS = 1_000
LEVEL = 0.95
# Weights of so many draws of 10,000 cells take 10 MB as float32.
_DRAWS_AT_ONCE = 250


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, float32 ``(n_obs, n_dims + 1)``.

    Their Euclidean distances order cells as the cosine distance of ``vectors`` does. The last value
    is 1 for vectors of zeros and 0 for all others, which makes it a direction of its own.

    Examples
    --------
    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8, 0. ],
           [0. , 0. , 1. ]], dtype=float32)
    """
    norm = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    is_zero = norm == 0
    found = np.empty((len(vectors), vectors.shape[1] + 1), np.float32)
    np.divide(vectors, np.where(is_zero, 1, norm)[:, None], out=found[:, :-1], casting="same_kind")
    found[:, -1] = is_zero
    return found


def find_neighbours(among: np.ndarray, of: np.ndarray | None, n_neighbours: int) -> np.ndarray:
    """Return the nearest rows of ``among``, int64 ``(n_obs, n_neighbours)``, nearest first.

    Parameters
    ----------
    among
        Vectors, ``(n_among, n_dims)``; distances are Euclidean.
    of
        Whose neighbours, ``(n_obs, n_dims)``; None: those of ``among``, each cell itself left out.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=n_neighbours, algorithm="brute").fit(among)
    return np.asarray(index.kneighbors(of, return_distance=False))


def transfer_labels(
    train: np.ndarray, train_class: np.ndarray, evaluated: np.ndarray, *, n_classes: int
) -> np.ndarray:
    """Return the class that most of the 15 nearest train cells have, int64 ``(n_evaluated,)``.

    The same as scikit-learn's ``KNeighborsClassifier(15, metric="cosine")``: cosine distance, one
    vote per neighbour, the first class of those with equally many.

    Parameters
    ----------
    train, evaluated
        Embeddings, ``(n_train, n_dims)`` and ``(n_evaluated, n_dims)``.
    train_class
        Class of each train cell, int64 ``0 … n_classes - 1``.
    """
    nearest = find_neighbours(unit_vectors(train), unit_vectors(evaluated), N_NEIGHBOURS)
    n_obs = len(evaluated)
    voted = np.arange(n_obs)[:, None] * n_classes + train_class[nearest]
    votes = np.bincount(voted.ravel(), minlength=n_obs * n_classes).reshape(n_obs, n_classes)
    return np.asarray(votes.argmax(axis=1))


def measure_macro_f1(truth: np.ndarray, predicted: np.ndarray, *, n_classes: int) -> float:
    """Return the mean over classes of ``2 TP / (2 TP + FP + FN)``.

    The mean of the classes' F1, not the F1 of mean precision and recall (Opitz & Burst 2019,
    arXiv:1911.03347). A class that occurs neither in truth nor in prediction counts 0.

    Examples
    --------
    >>> measure_macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), n_classes=2)
    0.7333...
    """
    hits = np.bincount(truth[truth == predicted], minlength=n_classes)
    total = np.bincount(truth, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    return float((2 * hits / np.maximum(total, 1)).mean())


def bootstrap_macro_f1(
    truth: np.ndarray,
    predicted: np.ndarray,
    *,
    n_classes: int,
    rng: np.random.Generator,
    n_draws: int = N_DRAWS,
) -> np.ndarray:
    """Return the macro-F1 of every prediction in resampled cells, float64 ``(n_draws, n_predictions)``.

    Cells are drawn with replacement inside each class, so that every class keeps its number of
    cells and a rare one never vanishes. One draw serves all predictions: their differences are
    paired (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13).

    Parameters
    ----------
    truth
        Class of each cell, int64 ``(n_obs,)``; each class has a cell.
    predicted
        int64 ``(n_predictions, n_obs)``.
    """
    parts = [
        _resample(truth, predicted, n_classes, rng, min(_DRAWS_AT_ONCE, n_draws - first))
        for first in range(0, n_draws, _DRAWS_AT_ONCE)
    ]
    return np.concatenate(parts)


def _resample(
    truth: np.ndarray,
    predicted: np.ndarray,
    n_classes: int,
    rng: np.random.Generator,
    n_draws: int,
) -> np.ndarray:
    total = np.tile(np.bincount(truth, minlength=n_classes), (n_draws, len(predicted), 1))
    hits = np.empty(total.shape)
    for k in range(n_classes):
        own = np.flatnonzero(truth == k)
        drawn = rng.integers(0, len(own), (n_draws, len(own)))
        drawn += np.arange(n_draws)[:, None] * len(own)
        weights = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        is_predicted = predicted[:, own].T[:, :, None] == np.arange(n_classes)
        # float32 holds counts of cells exactly, and is what BLAS multiplies fastest.
        flat = is_predicted.reshape(len(own), -1).astype(np.float32)
        counted = (weights.astype(np.float32) @ flat).reshape(total.shape).astype(np.int64)
        total += counted
        hits[:, :, k] = counted[:, :, k]
    return np.asarray((2 * hits / total).mean(axis=2))


def find_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the limits that leave 2.5 % of the values on either side."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
