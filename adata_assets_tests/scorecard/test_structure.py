"""Silhouette, batch mixing and agreement: against plain re-computations, and on known cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import silhouette_score

from adata_assets.scorecard.structure import (
    find_near_cells,
    measure_agreement,
    measure_ilisi,
    measure_lisi,
    measure_silhouette,
)


def batches_of(n_obs, n_batches=2):
    return np.arange(n_obs) % n_batches


def test_silhouette_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 200)
    vectors = rng.normal(size=(200, 6)) + classes[:, None]
    found = measure_silhouette(vectors.astype(np.float32), classes)
    assert found == pytest.approx(silhouette_score(vectors, classes), abs=1e-5)
    assert measure_silhouette(vectors, np.zeros(200, int)) is None
    assert measure_silhouette(vectors[:3], np.arange(3)) is None


def test_mixed_batches_are_near_1_and_separated_ones_0():
    rng = np.random.default_rng(1)
    vectors, batches = rng.normal(size=(1000, 5)), batches_of(1000)
    assert measure_ilisi(vectors, batches) > 0.9
    assert measure_ilisi(vectors + 50 * batches[:, None], batches) == pytest.approx(0, abs=1e-9)
    half = measure_ilisi(vectors + 1.0 * batches[:, None], batches)
    assert 0.05 < half < 0.9
    assert measure_ilisi(vectors, batches_of(1000, 4)) > 0.7


def test_units_of_the_embedding_do_not_break_it():
    """Distances in the hundreds would make every weight 0 without a shift."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(300, 200)) * 1000
    assert measure_ilisi(vectors, batches_of(300)) > 0.8
    assert measure_ilisi(np.ones((300, 2)), batches_of(300)) > 0.8


def test_what_cannot_be_mixed_is_not_measured():
    vectors = np.random.default_rng(0).normal(size=(40, 3))
    assert measure_ilisi(vectors, np.zeros(40, int)) is None
    assert measure_ilisi(vectors[:30], batches_of(30)) is None
    assert 0 <= measure_ilisi(vectors, batches_of(40)) <= 1


def plain_lisi(distances, batches, perplexity):
    """One cell: the kernel's width by root finding, then the inverse of Simpson's index."""

    def weights(log_width):
        found = np.exp(-(distances - distances.min()) * np.exp(log_width))
        return found / found.sum()

    def excess(log_width):
        p = weights(log_width)
        p = p[p > 0]
        return -(p * np.log(p)).sum() - np.log(perplexity)

    p = weights(brentq(excess, -20, 20, xtol=1e-12))
    return 1 / sum(p[batches == batch].sum() ** 2 for batch in np.unique(batches))


def test_lisi_is_that_of_a_plain_recomputation():
    rng = np.random.default_rng(4)
    distances = np.sort(rng.gamma(5, 1, (50, 89)), axis=1)
    batches = rng.integers(0, 3, (50, 89))
    found = measure_lisi(distances, batches, perplexity=30)
    expected = [plain_lisi(d, b, 30) for d, b in zip(distances, batches, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_agreement_is_1_with_itself_and_chance_with_noise():
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(400, 10))
    near = find_near_cells(vectors)
    assert near.shape == (400, 15)
    assert (near != np.arange(400)[:, None]).all()
    assert measure_agreement(near, find_near_cells(vectors * 7)) == 1
    by_chance = measure_agreement(near, find_near_cells(rng.normal(size=(400, 10))))
    assert by_chance == pytest.approx(15 / 399, abs=0.02)
    assert find_near_cells(vectors[:30]) is None
