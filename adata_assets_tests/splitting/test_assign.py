"""Cells and groups are assigned to splits: sizes, determinism, whole groups."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.splitting.assign import assign_by_cell, assign_by_group

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}


def ids(n):
    return pd.Series([f"cell{i}" for i in range(n)], dtype=object)


def test_cells_get_exact_sizes():
    found = assign_by_cell(ids(703), THREE, seed=0).value_counts()
    assert found.to_dict() == {"train": 563, "validation": 70, "test": 70}


def test_p3_a_cells_split_does_not_depend_on_the_row_order():
    cells = ids(200)
    straight = dict(zip(cells, assign_by_cell(cells, THREE, seed=1), strict=True))
    turned = cells[::-1].reset_index(drop=True)
    assert straight == dict(zip(turned, assign_by_cell(turned, THREE, seed=1), strict=True))
    assert straight != dict(zip(cells, assign_by_cell(cells, THREE, seed=2), strict=True))


@pytest.mark.parametrize("n_obs", [3, 4, 5, 9])
def test_every_split_gets_a_cell(n_obs):
    assert set(assign_by_cell(ids(n_obs), THREE, seed=0)) == set(THREE)


def test_fewer_cells_than_splits_is_an_error():
    with pytest.raises(InputError, match="2 cells cannot fill 3 splits"):
        assign_by_cell(ids(2), THREE, seed=0)


def test_covids_donors_are_dealt_as_well_as_they_can_be():
    donors = pd.Series(["M3"] * 624 + ["S3"] * 3066 + ["S5"] * 2411)
    found = assign_by_group(donors, {"train": 0.9, "validation": 0.1})
    assert found.groupby(donors).first().to_dict() == {
        "M3": "validation",
        "S3": "train",
        "S5": "train",
    }


@pytest.mark.parametrize("seed", range(5))
def test_no_assignment_of_few_groups_is_better(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 100, 6)
    groups = pd.Series(np.repeat([f"g{i}" for i in range(6)], sizes))
    wanted = np.array(list(THREE.values())) * sizes.sum()

    def cost(assignment):
        filled = np.bincount(assignment, weights=sizes, minlength=3)
        return ((filled - wanted) ** 2).sum() if (filled > 0).all() else np.inf

    best = min(cost(np.array(a)) for a in itertools.product(range(3), repeat=6))
    found = assign_by_group(groups, THREE)
    chosen = found.groupby(groups).first().map(list(THREE).index)
    assert cost(chosen.to_numpy()) == best


def test_many_groups_come_near_the_fractions_and_stay_whole():
    rng = np.random.default_rng(0)
    groups = pd.Series(np.repeat([f"donor{i:02d}" for i in range(30)], rng.integers(50, 150, 30)))
    found = assign_by_group(groups, THREE)
    assert found.groupby(groups).nunique().eq(1).all()
    shares = found.value_counts(normalize=True)
    assert all(abs(shares[split] - share) < 0.02 for split, share in THREE.items())


def test_fewer_groups_than_splits_names_the_ways_out():
    with pytest.raises(InputError, match=r"2 group\(s\) \['a', 'b'\].*split_by to cell.*fewer"):
        assign_by_group(pd.Series(["a", "b", "a"]), THREE)


def old_split_inside_chunks(groups, chunk_size):
    """The older pipeline: a random cut inside each chunk, whoever the donor is."""
    rng = np.random.default_rng(0)
    in_test = np.zeros(len(groups), bool)
    for start in range(0, len(groups), chunk_size):
        rows = np.arange(start, min(start + chunk_size, len(groups)))
        in_test[rng.permutation(rows)[: len(rows) // 10]] = True
    return in_test


def test_p5_no_donor_is_in_two_splits():
    groups = pd.Series(np.repeat([f"donor{i:02d}" for i in range(20)], 100))
    old = old_split_inside_chunks(groups, 200)
    assert (pd.Series(old).groupby(groups).nunique() == 2).sum() >= 19
    found = assign_by_group(groups, {"train": 0.9, "test": 0.1})
    assert found.groupby(groups).nunique().eq(1).all()
