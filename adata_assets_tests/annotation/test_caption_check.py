"""A reader of its own finds in each caption exactly the facts of its cell."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.annotation.captions.check import find_caption_breaches, read_caption
from adata_assets.annotation.captions.templates import TEMPLATES
from adata_assets.annotation.captions.wording import FACT_FIELDS, state_facts, word_captions
from adata_assets.annotation.values import clean_values
from adata_assets.spec import Captions

# Words of the templates, so that values run into what stands around them.
TRAPS = [
    "nucleus",
    "cell",
    "a donor",
    "blood of a male donor",
    "flu (age 63)",
    "x, measured with y",
    "of the type",
    "||",
    "normal",
    "age ",
    "lung.",
    "; assay",
    "[{kind}]",
    "<, |>",
]
VALUES = st.one_of(
    st.none(),
    st.sampled_from(TRAPS),
    st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12),
    st.lists(st.sampled_from(TRAPS), min_size=2, max_size=3).map(" ".join),
)
CELLS = st.lists(st.fixed_dictionaries(dict.fromkeys(FACT_FIELDS, VALUES)), min_size=1, max_size=4)


def write(rows, *, template=None):
    """Caption cells as the pipeline does; all in one template, or drawn."""
    frame = pd.DataFrame(rows, columns=list(FACT_FIELDS), dtype=object)
    known = pd.DataFrame({name: clean_values(frame[name]) for name in frame})
    stated = state_facts(known, None, make_missing=True, need_cell_type=False)
    ids = pd.Series([f"c{i}" for i in range(len(known))])
    train = pd.Series("train", index=known.index)
    words = word_captions(stated, sample_idx=ids, split=train, rules=Captions(), seed=0, assay=None)
    obs = stated.join(words).assign(sample_idx=ids)
    if template is not None:
        return _reword(obs, template), known
    return obs, known


def _reword(obs, template):
    from adata_assets.annotation.captions.templates import render

    made = obs["caption_source"] == "made"
    texts = [
        render(template, json.loads(f)) if m else None
        for f, m in zip(obs["caption_facts"], made, strict=True)
    ]
    return obs.assign(
        caption=pd.Series(texts, dtype=object),
        caption_template=made.map({True: template, False: None}),
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rows=CELLS, template=st.sampled_from(list(TEMPLATES)))
def test_any_values_in_any_template_are_read_back(rows, template):
    """Property: whatever the values hold, each caption states exactly its cell's facts."""
    obs, known = write(rows, template=template)
    assert find_caption_breaches(obs, known) == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rows=CELLS, template=st.sampled_from(list(TEMPLATES)), field=st.sampled_from(FACT_FIELDS))
def test_another_value_of_a_stated_field_is_found(rows, template, field):
    obs, known = write(rows, template=template)
    is_stated = obs["caption_facts"].map(
        lambda facts: facts is not None and field in json.loads(facts)
    )
    other = known.assign(**{field: known[field].map(lambda v: v and f"{v}x")})
    told = find_caption_breaches(obs, other)
    assert bool(told) == bool(is_stated.any())


FULL = dict(
    zip(
        FACT_FIELDS,
        ["B cell", "blood", "flu", "male", "adult stage", "63", "Drop-seq", "nucleus"],
        strict=True,
    )
)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("field", FACT_FIELDS)
def test_a_fact_more_or_less_in_the_text_is_found(template, field):
    """The text of other facts than those that are recorded is a breach in every template."""
    obs, known = write([FULL], template=template)
    fewer = {name: value for name, value in FULL.items() if name != field}
    without, _ = write([fewer], template=template)
    for text, facts in ((obs, without), (without, obs)):
        mixed = facts.assign(caption=text["caption"])
        assert len(find_caption_breaches(mixed, known)) == 1


def test_breaches_are_told_once_with_the_number_of_cells():
    obs, known = write([FULL] * 3, template="t01")
    wrong = obs.assign(caption=obs["caption"].str.replace("blood", "lung"))
    (told,) = find_caption_breaches(wrong, known)
    assert told.startswith(
        "cell c0 (and 2 more cells): caption 'This is a nucleus of a B cell from lung"
    )
    assert "t01" in told


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"caption_template": "t99"}, "has the template 't99'"),
        ({"caption_facts": None}, "states None"),
        ({"caption_source": "given"}, "only a made caption has a template and facts"),
        ({"caption_source": None}, "only a made caption has a template and facts"),
        ({"caption": "This is a T cell."}, "is not template t01 with values of its cell"),
    ],
)
def test_odd_records_are_found(changed, message):
    obs, known = write([FULL], template="t01")
    (told,) = find_caption_breaches(obs.assign(**changed), known)
    assert message in told


def test_given_captions_and_cells_without_one_hold():
    known = pd.DataFrame({"cell_type": ["B cell", "T cell"]})
    obs = pd.DataFrame(
        {
            "sample_idx": ["a", "b"],
            "caption": ["Anything.", None],
            "caption_template": [None, None],
            "caption_facts": ["{}", None],
            "caption_source": ["given", None],
        }
    )
    assert find_caption_breaches(obs, known) == []
    assert "facts of 1 cells" in find_caption_breaches(obs, known[:1])[0]


def test_a_text_with_two_readings_has_both():
    known = {"cell_type": "B cell", "tissue": "blood of a donor with flu", "disease": "flu"}
    text = "This is a B cell from blood of a donor with flu."
    assert read_caption(text, "t01", known) == {frozenset(["cell_type", "tissue"])}
    both = read_caption(text, "t01", known | {"sex": "male", "tissue": "blood"})
    assert both == {frozenset(["cell_type", "tissue", "disease"])}
    same = read_caption("A cell (flu).", "t15", {"tissue": "flu", "disease": "flu"})
    assert same == {frozenset(["tissue"]), frozenset(["disease"])}
