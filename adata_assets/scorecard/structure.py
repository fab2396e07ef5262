"""How cells lie in an embedding: apart by label, mixed by batch, beside the same cells as in pca.

Belongs here: measures of some thousand cells that need no training. Distances are Euclidean where
the measure was published so, cosine where embeddings are compared with one another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adata_assets.scorecard.transfer import N_NEIGHBOURS, find_neighbours, unit_vectors

# Korsunsky et al. 2019: 30, with three times as many neighbours, the cell itself among them.
PERPLEXITY = 30
# With fewer cells nearly everybody is everybody's neighbour.
MIN_CELLS = 2 * N_NEIGHBOURS + 1
_TOLERANCE, _MAX_STEPS = 1e-5, 50
_WORKING_MEMORY_MB = 64


@dataclass(frozen=True)
class Structure:
    """How some held-out cells lie; None where it cannot be measured.

    Attributes
    ----------
    silhouette, ilisi
        By cell type, by batch.
    near
        The 15 nearest other cells by cosine, int64 ``(n_obs, 15)``.
    """

    silhouette: float | None
    ilisi: float | None
    near: np.ndarray | None


def measure_silhouette(vectors: np.ndarray, classes: np.ndarray) -> float | None:
    """Return the mean silhouette of the cells by class, -1 to 1, Euclidean.

    Rousseeuw 1987 (doi:10.1016/0377-0427(87)90125-7), as scikit-learn computes it. None with fewer
    than two classes.
    """
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(classes)) < len(classes):
        return None
    with config_context(working_memory=_WORKING_MEMORY_MB):
        return float(silhouette_score(vectors, classes))


def measure_ilisi(vectors: np.ndarray, batches: np.ndarray) -> float | None:
    """Return how well batches are mixed, 0 (each for itself) to 1 (as often as one another).

    The median over cells of the local inverse Simpson's index (Korsunsky et al. 2019,
    doi:10.1038/s41592-019-0619-0), scaled by the number of batches as ``(median - 1) / (n - 1)``
    (Luecken et al. 2022, doi:10.1038/s41592-021-01336-8). Batches of unequal size do not reach 1.

    Parameters
    ----------
    vectors
        Embedding, ``(n_obs, n_dims)``.
    batches
        Batch of each cell, int64 ``0 … n - 1`` ``(n_obs,)``.

    Returns
    -------
    None with fewer than two batches or ``MIN_CELLS`` cells.
    """
    n_batches = len(np.unique(batches))
    if n_batches < 2 or len(vectors) < MIN_CELLS:
        return None
    from sklearn.neighbors import NearestNeighbors

    n_others = min(3 * PERPLEXITY, len(vectors)) - 1
    index = NearestNeighbors(n_neighbors=n_others, algorithm="brute").fit(vectors)
    distances, nearest = index.kneighbors()
    _, codes = np.unique(batches, return_inverse=True)
    index_of_cell = measure_lisi(distances, codes[nearest], perplexity=(n_others + 1) // 3)
    return float((np.median(index_of_cell) - 1) / (n_batches - 1))


def measure_lisi(distances: np.ndarray, batches: np.ndarray, *, perplexity: int) -> np.ndarray:
    """Return the local inverse Simpson's index of each cell, float64 ``(n_obs,)``.

    Parameters
    ----------
    distances
        To the neighbours, the cell itself left out, ``(n_obs, n_neighbours)``.
    batches
        Of the neighbours, int64, the same shape.
    perplexity
        Effective number of neighbours: the Gaussian kernel of each cell is as wide as that.
    """
    weights = _weigh_neighbours(distances, perplexity)
    n_obs, n_batches = len(batches), int(batches.max()) + 1
    places = np.arange(n_obs)[:, None] * n_batches + batches
    shares = np.bincount(places.ravel(), weights.ravel(), minlength=n_obs * n_batches)
    return np.asarray(1 / np.square(shares.reshape(n_obs, n_batches)).sum(axis=1))


def measure_agreement(neighbours: np.ndarray, others: np.ndarray) -> float:
    """Return the share of each cell's neighbours that two embeddings have in common, on average.

    Parameters
    ----------
    neighbours, others
        Numbers of the nearest cells, ``(n_obs, n_neighbours)``; their order does not matter.

    Examples
    --------
    >>> measure_agreement(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [2, 3]]))
    0.75
    """
    in_common = (neighbours[:, :, None] == others[:, None, :]).any(axis=2)
    return float(in_common.mean())


def find_near_cells(vectors: np.ndarray) -> np.ndarray | None:
    """Return the 15 nearest other cells by cosine, ``(n_obs, 15)``; None with too few cells."""
    if len(vectors) < MIN_CELLS:
        return None
    return find_neighbours(unit_vectors(vectors), None, N_NEIGHBOURS)


def _weigh_neighbours(distances: np.ndarray, perplexity: int) -> np.ndarray:
    # Weights depend on differences of distances only; without the shift far cells would all be 0.
    shifted = distances - distances.min(axis=1, keepdims=True)
    width = np.ones(len(shifted))
    low, high = np.zeros(len(shifted)), np.full(len(shifted), np.inf)
    for _ in range(_MAX_STEPS):
        weights = np.exp(-shifted * width[:, None])
        total = weights.sum(axis=1)
        entropy = np.log(total) + width * (shifted * weights).sum(axis=1) / total
        excess = entropy - np.log(perplexity)
        is_open = np.abs(excess) >= _TOLERANCE
        if not is_open.any():
            break
        low = np.where(is_open & (excess > 0), width, low)
        high = np.where(is_open & (excess <= 0), width, high)
        middle = np.where(np.isinf(high), 2 * width, (low + high) / 2)
        width = np.where(is_open, middle, width)
    return np.asarray(weights / total[:, None])
