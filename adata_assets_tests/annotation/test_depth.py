"""One sequencing depth or two, told from the total counts of the train cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.quality.depth import MIN_OBS, find_depth_modes


def find(n_counts, is_train=None, seed=0):
    column = pd.Series(np.maximum(n_counts, 0).astype(np.int64))
    train = pd.Series(True, index=column.index) if is_train is None else pd.Series(is_train)
    return find_depth_modes(column, is_train=train, seed=seed)


def two_depths(n_obs=1000, *, fold=6.0, share=0.4, seed=0):
    rng = np.random.default_rng(seed)
    is_high = rng.random(n_obs) < share
    return rng.lognormal(np.log(2000), 0.35, n_obs) * np.where(is_high, fold, 1), is_high


def test_two_depths_are_found_and_labelled():
    n_counts, is_high = two_depths()
    modes = find(n_counts)
    assert modes.n_modes == 2
    assert modes.bic[2] < modes.bic[1]
    assert ((modes.label == "high") == is_high).mean() > 0.98
    assert np.expm1(modes.means) == pytest.approx([2000, 12_000], rel=0.1)
    assert modes.weights == pytest.approx([0.6, 0.4], abs=0.05)
    assert 2000 < modes.threshold < 12_000
    assert "two depths" in modes.text
    assert "keys.batch" in modes.text


SHAPES = {
    "lognormal": lambda rng: rng.lognormal(8, 0.6, 2000),
    "skewed": lambda rng: rng.gamma(2, 1500, 2000) + 500,
    "cut off": lambda rng: 500 + 500 * rng.exponential(2, 2000),
    "flat": lambda rng: np.exp(rng.uniform(8.1, 8.5, 2000)),
    "heavy tail": lambda rng: np.exp(8 + 0.3 * rng.standard_t(3, 2000)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_one_depth_of_any_shape_is_not_called_two(shape, seed):
    """Two curves fit most of them better by BIC; that alone is not two depths."""
    modes = find(SHAPES[shape](np.random.default_rng(seed)))
    assert modes.n_modes == 1
    assert set(modes.label) == {None}
    assert modes.threshold is None
    assert "one depth" in modes.text


def test_bic_alone_would_call_skewed_cells_two():
    modes = find(SHAPES["skewed"](np.random.default_rng(0)))
    assert modes.bic[2] < modes.bic[1]


@pytest.mark.parametrize("fold", [1.5, 2])
def test_depths_that_overlap_stay_one(fold):
    modes = find(two_depths(5000, fold=fold)[0])
    assert modes.n_modes == 1
    assert "no fewer cells between the two parts" in modes.text


def test_p4_only_train_cells_are_learnt_from_and_all_are_labelled():
    n_counts, is_high = two_depths(2000)
    is_train = np.arange(2000) < 1000
    modes = find(n_counts, is_train)
    changed = np.where(is_train, n_counts, n_counts * 3)
    again = find(changed, is_train)
    assert (again.threshold, again.bic) == (modes.threshold, modes.bic)
    assert modes.label.notna().all()
    assert ((modes.label == "high") == is_high)[1000:].mean() > 0.98


def test_cells_without_counts_have_no_depth():
    n_counts, _ = two_depths()
    n_counts[3] = 0
    assert find(n_counts).label[3] is None


def test_neither_order_nor_seed_change_the_result():
    n_counts, _ = two_depths()
    first = find(n_counts)
    order = np.random.default_rng(5).permutation(1000)
    for other in (find(n_counts, seed=9), find(n_counts[order])):
        assert other.threshold == first.threshold
        assert other.text == first.text


@pytest.mark.parametrize("n_counts", [np.full(500, 100), np.arange(1, MIN_OBS), np.zeros(500)])
def test_too_little_to_judge_is_said(n_counts):
    modes = find(n_counts)
    assert modes.n_modes == 0
    assert modes.label.isna().all()
    assert "not judged" in modes.text


def test_more_cells_than_are_fitted_give_the_same_threshold():
    few, many = (find(two_depths(n)[0]) for n in (10_000, 100_000))
    assert few.threshold == pytest.approx(many.threshold, rel=0.05)
