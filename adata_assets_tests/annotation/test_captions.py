"""Captions state what is known of the cell, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.captions.templates import DEFAULT_TEMPLATE, TEMPLATES
from adata_assets.annotation.captions.wording import FACT_FIELDS, state_facts, word_captions
from adata_assets.annotation.values import clean_values
from adata_assets.spec import Captions


def state(known, given=None, *, make_missing=False, need_cell_type=True):
    return state_facts(
        pd.DataFrame(known, dtype=object),
        given,
        make_missing=make_missing,
        need_cell_type=need_cell_type,
    )


def word(stated, *, split="test", seed=0, ids=None, assay=None, **rules):
    index = stated.index
    return word_captions(
        stated,
        sample_idx=pd.Series([f"c{i}" for i in index] if ids is None else ids, index=index),
        split=pd.Series(split, index=index, dtype=object),
        rules=Captions(**rules),
        seed=seed,
        assay=assay,
    )


def caption(known, given=None, **options):
    return word(state(known, given, **options))["caption"].tolist()


@pytest.mark.parametrize(
    "text", ["unknown", "N/A", "nan", "None", "", "not reported", "Unassigned"]
)
def test_missing_words_are_missing(text):
    assert clean_values(pd.Series([text, "B cell"])).tolist() == [None, "B cell"]


def test_control_characters_and_markup_are_cleaned():
    assert clean_values(pd.Series(["B\x00 cell\n<b>"])).tolist() == ["B cell"]


def test_missing_facts_are_left_out_and_normal_is_not_a_disease():
    known = {"cell_type": ["B cell", "T cell"], "disease": ["Normal", "COVID-19"]}
    assert caption(known) == [
        "This is a B cell.",
        "This is a T cell of a donor with COVID-19.",
    ]
    table = state(known)
    assert json.loads(table["caption_facts"].iloc[0]) == {"cell_type": "B cell"}
    assert json.loads(table["known_facts"].iloc[0]) == {"cell_type": "B cell", "disease": "Normal"}


def test_all_known_facts_are_stated_in_order_of_their_keys():
    known = {field: [f"x{i}"] for i, field in enumerate(FACT_FIELDS)} | {
        "suspension_type": ["nucleus"]
    }
    table = state(known)
    assert table["known_facts"].iloc[0] == table["caption_facts"].iloc[0]
    assert list(json.loads(table["caption_facts"].iloc[0])) == sorted(FACT_FIELDS)


def test_a_nucleus_is_called_one_and_a_cell_states_nothing():
    known = {"cell_type": ["fibroblast"] * 3, "suspension_type": ["nucleus", "cell", None]}
    table = state(known)
    assert word(table)["caption"].tolist() == [
        "This is a nucleus of a fibroblast.",
        "This is a fibroblast.",
        "This is a fibroblast.",
    ]
    assert json.loads(table["caption_facts"].iloc[1]) == {"cell_type": "fibroblast"}
    assert json.loads(table["known_facts"].iloc[1])["suspension_type"] == "cell"
    alone = state({"suspension_type": ["nucleus"]}, need_cell_type=False)
    assert alone["caption_source"].tolist() == [None]


def test_what_is_told_of_a_study_is_not_known_of_a_cell():
    known = {"cell_type": ["B cell"], "assay": ["10x 3' v2 || 10x 3' v3"]}
    table = state(known)
    assert json.loads(table["known_facts"].iloc[0]) == {"cell_type": "B cell"}
    assert word(table)["caption"].tolist() == ["This is a B cell."]


def test_a_cell_without_type_has_no_caption_unless_asked():
    known = {"cell_type": [None], "tissue": ["blood"]}
    assert caption(known) == [None]
    assert caption(known, need_cell_type=False) == ["This is a cell from blood."]


def test_nothing_known_is_no_caption():
    for known in ({"tissue": [None]}, {}):
        table = state(known, need_cell_type=False)
        assert table["caption_source"].tolist() == [None] * len(table)
    assert state_facts(pd.DataFrame(index=range(2)), None, make_missing=True, need_cell_type=False)[
        "known_facts"
    ].tolist() == ["{}", "{}"]


def test_given_captions_are_kept_and_compared_by_their_words():
    given = pd.Series(["A  B cell.", "a b CELL", None, "A\x07 <i>T</i> cell"])
    table = state({"cell_type": ["B"] * 4}, given)
    assert table["caption_source"].tolist() == ["given", "given", None, "given"]
    assert table["caption_facts"].tolist() == ["{}", "{}", None, "{}"]
    assert table["caption_id"].iloc[0] == table["caption_id"].iloc[1]
    assert word(table)["caption"].tolist() == ["A B cell.", "a b CELL", None, "A T cell"]
    assert word(table)["caption_template"].tolist() == [None] * 4
    filled = state({"cell_type": ["B"] * 4}, given, make_missing=True)
    assert filled["caption_source"].tolist() == ["given", "given", "made", "given"]


def test_the_instrument_stands_before_a_given_caption_once():
    assay = pd.Series(["Drop-seq", "Drop-seq", None, "a || b"], dtype=object)
    plain = pd.Series(["A B cell.", "drop-seq:A B cell.", "A B cell.", "A B cell."])
    stated = state({"assay": assay}, plain)
    once = word(stated, assay=assay, instrument_prefix=True)["caption"]
    assert once.tolist() == ["Drop-seq: A B cell."] * 2 + ["A B cell."] * 2
    again = state({"assay": assay}, once)
    assert word(again, assay=assay, instrument_prefix=True)["caption"].tolist() == once.tolist()
    assert again["caption_id"].nunique() == 1
    assert again["caption_id"].tolist() == stated["caption_id"].tolist()
    assert word(stated, assay=assay)["caption"].tolist() == plain.tolist()


def test_templates_are_drawn_by_cell_and_seed_in_train_only():
    n = 4000
    stated = state({"cell_type": ["B cell"] * n, "tissue": ["blood"] * n})
    split = np.where(np.arange(n) % 2, "train", "test").astype(object)
    split[::10] = None
    worded = word(stated, split=split)
    used = worded["caption_template"].groupby(pd.Series(split).fillna("removed")).agg(set)
    assert used["train"] == set(TEMPLATES)
    assert used["test"] == used["removed"] == {DEFAULT_TEMPLATE}
    assert stated["caption_id"].nunique() == 1
    share = worded["caption_template"][split == "train"].value_counts(normalize=True)
    assert share.between(0.5 / len(TEMPLATES), 1.6 / len(TEMPLATES)).all()
    pd.testing.assert_frame_equal(worded, word(stated, split=split))
    assert not worded.equals(word(stated, split=split, seed=1))
    everywhere = word(stated, split="test", paraphrase=("test",))
    assert everywhere["caption_template"].nunique() == len(TEMPLATES)


def test_order_and_number_of_cells_change_no_caption():
    """P3: a caption depends on its cell alone."""
    rng = np.random.default_rng(0)
    n = 500
    known = pd.DataFrame(
        {
            "cell_type": rng.choice(["B", "T", None], n),
            "tissue": rng.choice(["blood", None], n),
        },
        dtype=object,
    )
    ids = pd.Series([f"c{i}" for i in range(n)])
    whole = word(state(known), split="train", ids=ids)
    some = rng.permutation(n)[:200]
    part = word(state(known.iloc[some]), split="train", ids=ids.iloc[some])
    pd.testing.assert_frame_equal(part, whole.iloc[some])
