"""Held-out values: which cells carry them, and what cannot be meant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from adata_assets.errors import InputError
from adata_assets.spec import Keys, Splits
from adata_assets.splitting.deal import deal_cells
from adata_assets.splitting.held_out import find_held_out, hold_together

VALUES = pd.DataFrame(
    {"tissue": ["lung", "blood", None, "lung"], "study": ["1", "2", "2", "2"]}, dtype=object
)


def test_cells_with_a_value_of_any_column_are_held_out():
    found = find_held_out(VALUES, {"test": {"tissue": ["lung"], "study": ["1"]}})
    assert found.tolist() == ["test", None, None, "test"]
    found = find_held_out(VALUES, {"validation": {"tissue": ["blood"]}, "test": {"study": ["1"]}})
    assert found.tolist() == ["test", "validation", None, None]


def test_values_that_no_cell_has_name_those_that_there_are():
    with pytest.raises(InputError, match=r"test.tissue names \['lng'\].*\['blood', 'lung'\]"):
        find_held_out(VALUES, {"test": {"tissue": ["lung", "lng"]}})


def test_a_cell_cannot_be_held_out_for_two_splits():
    held_out = {"test": {"tissue": ["lung"]}, "validation": {"study": ["2"]}}
    with pytest.raises(InputError, match=r"held out for test and, by study '2', for validation"):
        find_held_out(VALUES, held_out)


def test_parts_take_the_split_of_their_cells():
    held = pd.Series(["test", None, None, "validation"], dtype=object)
    assert hold_together(held, np.array([0, 0, 1, 2]), "abc").tolist() == [
        "test",
        None,
        "validation",
    ]
    with pytest.raises(InputError, match="'a' are held out for test and for validation"):
        hold_together(held, np.array([0, 1, 1, 0]), "ab")


def test_single_cells_can_be_held_out_and_equal_ones_follow():
    ids = pd.Series([f"c{i}" for i in range(50)], dtype=object)
    held, copies = pd.Series([None] * 50, dtype=object), pd.Series([None] * 50, dtype=object)
    held[0], copies[[0, 49]] = "test", "c0"
    rules = Splits(train=0.8, validation=0.1, test=0.1)
    split = deal_cells(ids, copies, held, rules, seed=0).split
    assert split[0] == split[49] == "test"
    assert split.value_counts().to_dict() == {"train": 40, "validation": 5, "test": 5}


def test_a_yaml_says_numbers_and_single_values_too():
    rules = Splits(held_out={"test": {"study": [1, "s2"], "tissue": "lung"}})
    assert rules.held_out == {"test": {"study": ("1", "s2"), "tissue": ("lung",)}}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"held_out": {"train": {"a": ["b"]}}}, "'validation' or 'test'"),
        ({"held_out": {"test": ["b"]}}, "dictionary"),
        ({"train": 1, "validation": 0, "test": 0, "held_out": {"test": {"a": ["b"]}}}, "fraction"),
    ],
)
def test_a_yaml_that_holds_out_wrongly_is_refused(fields, told):
    with pytest.raises(ValidationError, match=told):
        Splits(**fields)


def test_group_columns_are_one_or_several():
    assert Keys().groups == ()
    assert Keys(group="donor").groups == ("donor",)
    assert Keys(group=["donor", "study"]).groups == ("donor", "study")
    for wrong in ([], ["donor", "donor"]):
        with pytest.raises(ValidationError, match="each once"):
            Keys(group=wrong)
