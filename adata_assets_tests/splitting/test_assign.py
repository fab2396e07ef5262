"""Single cells are assigned to splits: sizes, determinism, sets of equal cells, held-out cells."""

from __future__ import annotations

import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.splitting.assign import assign_by_cell

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


def test_equal_cells_stay_together_and_sizes_stay_exact():
    cells = ids(100)
    copies = pd.Series([f"set{i // 5}" if i < 40 else None for i in range(100)], dtype=object)
    found = assign_by_cell(cells, THREE, seed=0, copies=copies)
    assert found[copies.notna()].groupby(copies).nunique().eq(1).all()
    assert found.value_counts().to_dict() == {"train": 80, "validation": 10, "test": 10}


@pytest.mark.parametrize("n_held", [4, 10, 35, 98])
def test_held_cells_go_where_they_have_to(n_held):
    cells = ids(100)
    held = pd.Series(["test" if i < n_held else None for i in range(100)], dtype=object)
    found = assign_by_cell(cells, THREE, seed=0, held=held)
    assert (found[:n_held] == "test").all()
    sizes = found.value_counts()
    assert sizes["test"] == max(n_held, 10)
    assert sizes["train"] >= sizes["validation"] >= 1
    assert sizes.sum() == 100


def test_held_cells_that_leave_none_are_an_error():
    held = pd.Series(["test"] * 9 + [None], dtype=object)
    with pytest.raises(InputError, match=r"no cells are left for validation.*held_out"):
        assign_by_cell(ids(10), THREE, seed=0, held=held)
