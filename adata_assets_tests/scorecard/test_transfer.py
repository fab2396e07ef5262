"""Label transfer equals scikit-learn's, and its bootstrap interval is a 95 % interval."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from adata_assets.scorecard.transfer import (
    bootstrap_macro_f1,
    find_interval,
    measure_macro_f1,
    transfer_labels,
    unit_vectors,
)

N_CLASSES = 5


def draw_cells(n_obs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors that overlap by class, and uneven classes."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(N_CLASSES, 10))
    classes = rng.choice(N_CLASSES, n_obs, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    vectors = centres[classes] + rng.normal(size=(n_obs, 10)) * 1.5
    return vectors.astype(np.float32), classes


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_those_of_scikit_learn(seed):
    train, train_class = draw_cells(600, seed)
    evaluated, truth = draw_cells(300, seed + 10)
    found = transfer_labels(train, train_class, evaluated, n_classes=N_CLASSES)
    voter = KNeighborsClassifier(15, metric="cosine", algorithm="brute").fit(train, train_class)
    np.testing.assert_array_equal(found, voter.predict(evaluated))
    f1 = measure_macro_f1(truth, found, n_classes=N_CLASSES)
    assert f1 == pytest.approx(f1_score(truth, found, average="macro"), abs=1e-12)
    assert 0.3 < f1 < 0.9


def test_length_means_nothing_and_zeros_are_far_from_all():
    train, train_class = draw_cells(200, 0)
    evaluated, _ = draw_cells(50, 1)
    longer = evaluated * np.linspace(0.01, 100, 50, dtype=np.float32)[:, None]
    expected = transfer_labels(train, train_class, evaluated, n_classes=N_CLASSES)
    found = transfer_labels(train, train_class, longer, n_classes=N_CLASSES)
    np.testing.assert_array_equal(found, expected)
    unit = unit_vectors(np.array([[0, 0], [3, 4]], np.float32))
    np.testing.assert_allclose(unit @ unit.T, np.eye(2), atol=1e-7)


def test_macro_f1_counts_a_class_that_is_never_told():
    truth, told = np.array([0, 0, 1, 2]), np.array([0, 0, 0, 2])
    expected = f1_score(truth, told, average="macro", zero_division=0)
    assert measure_macro_f1(truth, told, n_classes=3) == pytest.approx(expected)


def resample(truth, predicted, *, n_classes, seed=0, n_draws=1000):
    rng = np.random.default_rng(seed)
    return bootstrap_macro_f1(truth, predicted, n_classes=n_classes, rng=rng, n_draws=n_draws)


def test_draws_are_shared_and_keep_the_size_of_each_class():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [200, 40, 5])
    told = np.where(rng.random(245) < 0.7, truth, rng.integers(0, 3, 245))
    drawn = resample(truth, np.stack([told, told, truth]), n_classes=3)
    assert drawn.shape == (1000, 3)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    # A class that vanished from a draw would make a perfect prediction less than perfect.
    assert (drawn[:, 2] == 1).all()
    observed = measure_macro_f1(truth, told, n_classes=3)
    assert drawn[:, 0].mean() == pytest.approx(observed, abs=0.02)


def test_the_bootstrap_is_that_of_a_plain_loop():
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1, 2], [60, 30, 12])
    told = np.where(rng.random(102) < 0.6, truth, rng.integers(0, 3, 102))
    drawn = resample(truth, told[None], n_classes=3, n_draws=4000)[:, 0]
    plain = []
    for _ in range(1500):
        cells = np.concatenate(
            [rng.choice(np.flatnonzero(truth == k), (truth == k).sum()) for k in range(3)]
        )
        plain.append(measure_macro_f1(truth[cells], told[cells], n_classes=3))
    assert drawn.mean() == pytest.approx(np.mean(plain), abs=0.005)
    assert drawn.std() == pytest.approx(np.std(plain), rel=0.08)


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says():
    """Two methods of known quality on fresh cells, 200 times: 95 % intervals."""
    n_covered, n_repeats = 0, 200
    for seed in range(n_repeats):
        rng = np.random.default_rng(seed)
        truth = np.repeat(np.arange(4), 50)
        told = [
            np.where(rng.random(200) < right, truth, rng.integers(0, 4, 200))
            for right in (0.7, 0.5)
        ]
        drawn = resample(truth, np.stack(told), n_classes=4, seed=seed, n_draws=300)
        low, high = find_interval(drawn[:, 0] - drawn[:, 1])
        # Wrong labels are even over four classes: precision and recall are right + (1 - right) / 4.
        n_covered += low <= 0.15 <= high
    assert 0.90 <= n_covered / n_repeats <= 0.99


def test_noise_is_taken_for_signal_as_seldom_as_the_interval_says():
    """An interval of 95 % against the mean of five others lies above 0 in 2.5 % of the cases."""
    train_class, truth = np.arange(200) % 4, np.arange(150) % 4
    rng = np.random.default_rng(0)

    def told_by_noise():
        train, evaluated = rng.normal(size=(200, 10)), rng.normal(size=(150, 10))
        return transfer_labels(train, train_class, evaluated, n_classes=4)

    n_taken, n_repeats = 0, 60
    for seed in range(n_repeats):
        told = np.stack([told_by_noise() for _ in range(6)])
        drawn = resample(truth, told, n_classes=4, seed=seed, n_draws=300)
        low, _ = find_interval(drawn[:, 5] - drawn[:, :5].mean(axis=1))
        n_taken += low > 0
    assert n_taken / n_repeats <= 0.08


def test_more_draws_than_fit_at_once_are_the_same_stream():
    truth, told = np.repeat([0, 1], 20), np.tile([0, 1], 20)
    many = resample(truth, told[None], n_classes=2, n_draws=600)
    np.testing.assert_array_equal(resample(truth, told[None], n_classes=2, n_draws=250), many[:250])
