"""What is known of each cell: which column says it, and what may not be told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.known import known_of, label_cells
from adata_assets.annotation.captions.wording import word_captions
from adata_assets.annotation.dealing import group_cells
from adata_assets.spec import Captions, DatasetSpec

NO_KEYS = {"cell_type": None, "instrument": None, "caption": None, "group": None}


def make_obs(**columns):
    given = {
        "cell_type": pd.Categorical(["B cell", None, "unknown"]),
        "label": ["CD19+", "nan", "x"],
        "disease": ["normal", "COVID-19", ""],
        "donor_age": [63.0, np.nan, 0.5],
        "method": ["10x 3' v3"] * 3,
        "secret": ["s1", "s2", "s3"],
    }
    return pd.DataFrame({**given, **columns})


def make_spec(**fields):
    return DatasetSpec(dataset_id="d", title="D", source="r.h5ad", chunks={"count": 3}, **fields)


def label(obs, keys, **fields):
    keys = {**NO_KEYS, **keys}
    return label_cells(obs, known_of(obs, keys), keys, make_spec(**fields))


def read(values):
    return [json.loads(value) for value in values]


def test_facts_come_from_the_named_column_else_from_the_usual_one():
    obs = make_obs()
    plain = known_of(obs, NO_KEYS)
    assert list(plain) == ["cell_type", "disease", "donor_age"]
    assert plain["cell_type"].tolist() == ["B cell", None, None]
    assert plain["donor_age"].tolist() == ["63", None, "0.5"]
    named = known_of(obs, {**NO_KEYS, "cell_type": "label", "instrument": "method"})
    assert named["cell_type"].tolist() == ["CD19+", None, "x"]
    assert named["assay"].tolist() == ["10x 3' v3"] * 3


def test_what_is_unknown_is_never_said():
    stated = label(make_obs(), {}, on_missing_caption="from_obs")
    assert read(stated["known_facts"]) == [
        {"cell_type": "B cell", "disease": "normal", "donor_age": "63"},
        {"disease": "COVID-19"},
        {"donor_age": "0.5"},
    ]
    assert read(stated["caption_facts"])[0] == {"cell_type": "B cell", "donor_age": "63"}
    assert stated["cell_type"].tolist() == ["B cell", None, None]


def test_a_caption_needs_the_cell_type_where_the_file_has_one_unless_asked_otherwise():
    stated = label(make_obs(), {})
    assert stated["caption_source"].isna().tolist() == [False, True, True]
    assert label(make_obs(), {}, on_missing_caption="from_obs")["caption_id"].notna().all()
    without = make_obs().drop(columns="cell_type")
    assert label(without, {})["caption_source"].tolist() == ["made"] * 3
    assert label(without, {})["cell_type"].isna().all()


def test_given_captions_stay_and_missing_ones_are_made_only_when_asked():
    obs = make_obs(text=["A B cell.", None, "unknown"])
    given = label(obs, {"caption": "text"})
    assert given["caption_source"].where(given["caption_source"].notna(), None).tolist() == [
        *("given", None, None),
    ]
    forced = label(obs, {"caption": "text"}, on_missing_caption="from_obs")
    assert forced["caption_source"].tolist() == ["given", "made", "made"]
    assert read(forced["caption_facts"])[0] == {}


def test_the_assay_stands_before_a_given_caption_once():
    obs = make_obs(text=["A B cell.", "10x 3' v3: a T cell", None])
    keys = {**NO_KEYS, "caption": "text", "instrument": "method"}
    known = known_of(obs, keys)
    words = word_captions(
        label_cells(obs, known, keys, make_spec()),
        sample_idx=pd.Series(["a", "b", "c"]),
        split=pd.Series(["train", "train", None]),
        rules=Captions(instrument_prefix=True),
        seed=0,
        assay=known["assay"],
    )
    assert words["caption"].tolist() == ["10x 3' v3: A B cell.", "10x 3' v3: a T cell", None]


def test_groups_are_cleaned_and_missing_where_the_file_says_nothing():
    obs = make_obs(donor=[1.0, np.nan, 2.0])
    assert group_cells(obs, ["donor"]).tolist() == ["1", None, "2"]
    assert group_cells(obs, []).isna().all()


def test_a_column_that_stays_on_the_machine_tells_nothing():
    published = make_obs().drop(columns=["disease", "donor_age"])
    assert list(known_of(published, NO_KEYS)) == ["cell_type"]
