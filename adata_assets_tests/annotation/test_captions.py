"""Captions state what is known of the cell, and nothing else."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from adata_assets.annotation.captions import caption_cells, make_caption
from adata_assets.annotation.values import clean_values


def caption(known, given=None, *, make_missing=False, need_cell_type=True):
    return caption_cells(
        pd.DataFrame(known), given, make_missing=make_missing, need_cell_type=need_cell_type
    )


@pytest.mark.parametrize(
    "word", ["unknown", "N/A", "nan", "None", "", "not reported", "Unassigned"]
)
def test_missing_words_are_missing(word):
    assert clean_values(pd.Series([word, "B cell"])).tolist() == [None, "B cell"]


def test_control_characters_and_markup_are_cleaned():
    assert clean_values(pd.Series(["B\x00 cell\n<b>"])).tolist() == ["B cell"]


def test_missing_facts_are_left_out_and_normal_is_not_a_disease():
    table = caption({"cell_type": ["B cell", "T cell"], "disease": ["normal", "COVID-19"]})
    assert table["caption"].tolist() == [
        "This cell is a B cell.",
        "This cell is a T cell of a donor with COVID-19.",
    ]
    assert json.loads(table["caption_facts"].iloc[0]) == {"cell_type": "B cell"}
    assert json.loads(table["known_facts"].iloc[0]) == {"cell_type": "B cell", "disease": "normal"}


def test_every_stated_fact_is_in_the_caption_and_known():
    table = caption({"cell_type": ["B", None, "T"], "tissue": ["blood", "lung", None]})
    for row in table.dropna(subset=["caption"]).itertuples():
        known = json.loads(row.known_facts)
        for field, value in json.loads(row.caption_facts).items():
            assert value in row.caption
            assert known[field] == value


def test_a_cell_without_type_has_no_caption_unless_asked():
    known = {"cell_type": [None], "tissue": ["blood"]}
    assert caption(known)["caption"].tolist() == [None]
    asked = caption(known, need_cell_type=False)
    assert asked["caption"].tolist() == ["This cell is from blood."]


def test_given_captions_are_kept_and_compared_by_their_words():
    given = pd.Series(["A  B cell.", "a b CELL", None])
    table = caption({"cell_type": ["B", "B", "B"]}, given)
    assert table["caption_source"].tolist() == ["given", "given", None]
    assert table["caption_id"].iloc[0] == table["caption_id"].iloc[1]
    filled = caption({"cell_type": ["B", "B", "B"]}, given, make_missing=True)
    assert filled["caption_source"].tolist() == ["given", "given", "made"]


def test_nothing_known_is_no_caption():
    assert make_caption({}) is None
    assert caption({"tissue": [None]}, need_cell_type=False)["caption"].tolist() == [None]
