"""Harmonised columns and the report of what was found and changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.annotation.harmonised.harmonise import (
    FIELDS,
    Harmonised,
    columns_behind,
    harmonise,
)
from adata_assets.errors import InputError
from adata_assets.spec import Harmonise


def run(obs: pd.DataFrame, *, fold_below: int = 0, **keys: str | None) -> Harmonised:
    return harmonise(obs, keys, Harmonise(fold_below=fold_below), species="human")


def rows(result: Harmonised, finding: str) -> list[tuple[object, ...]]:
    """Column, value and n_obs of one kind of finding."""
    report = result.report[result.report["finding"] == finding]
    return list(report[["column", "value", "n_obs"]].itertuples(index=False, name=None))


def test_names_become_terms_beside_the_original():
    """C14: the original columns stay as they are."""
    obs = pd.DataFrame(
        {"cell_type": ["B cells", "B", None, "CD8 T", "unknown"]}, index=list("vwxyz")
    )
    before = obs.copy(deep=True)
    result = run(obs)
    pd.testing.assert_frame_equal(obs, before)
    assert list(result.table.index) == [0, 1, 2, 3, 4]
    assert result.table["harmonised_cell_type"].tolist() == [
        "B cell",
        "B cell",
        None,
        "CD8 T",
        None,
    ]
    assert result.table["harmonised_cell_type_ontology_term_id"].tolist() == [
        *("CL:0000236", "CL:0000236", None, None, None)
    ]
    assert rows(result, "mapped") == [("cell_type", "B cells", 1), ("cell_type", "B", 1)]
    assert rows(result, "unknown_term") == [("cell_type", "CD8 T", 1)]
    assert rows(result, "missing") == [("harmonised_cell_type", None, 2)]


def test_the_id_wins_and_a_disagreement_is_said():
    obs = pd.DataFrame(
        {
            "cell_type": ["T cell", "B cell", "FB1", None],
            "cell_type_ontology_term_id": ["CL:0000236", "CL:0000236", "unknown", "CL:0000235"],
        }
    )
    result = run(obs)
    assert result.table["harmonised_cell_type"].tolist() == [
        "B cell",
        "B cell",
        "FB1",
        "macrophage",
    ]
    assert rows(result, "disagreement") == [("cell_type", "T cell", 1)]
    assert rows(result, "mapped") == [("cell_type_ontology_term_id", "CL:0000235", 1)]


def test_an_older_name_or_a_synonym_does_not_disagree():
    obs = pd.DataFrame(
        {
            "self_reported_ethnicity": ["South Asian"],
            "self_reported_ethnicity_ontology_term_id": ["HANCESTRO:0006"],
            "development_stage": ["fifth decade human stage"],
            "development_stage_ontology_term_id": ["HsapDv:0000239"],
        }
    )
    result = run(obs)
    assert rows(result, "disagreement") == []
    assert result.table["harmonised_development_stage"].tolist() == ["fifth decade stage"]


def test_retired_ids_are_replaced_and_unusable_ones_leave_the_name():
    obs = pd.DataFrame(
        {
            "tissue": ["pedal digit", "lung", "soil"],
            "tissue_ontology_term_id": ["UBERON:0000027", "UBERON:9999999", "ENVO:00001998"],
        }
    )
    result = run(obs)
    ids = result.table["harmonised_tissue_ontology_term_id"].tolist()
    assert ids == ["UBERON:0001466", "UBERON:0002048", None]
    assert rows(result, "replaced") == [("tissue_ontology_term_id", "UBERON:0000027", 1)]
    assert ("tissue_ontology_term_id", "UBERON:9999999", 1) in rows(result, "unknown_term")
    assert ("tissue", "soil", 1) in rows(result, "unknown_term")


def test_several_terms_of_one_cell():
    ethnicity = "self_reported_ethnicity_ontology_term_id"
    for ids in ("HANCESTRO:0006,AfPO:0000105", "HANCESTRO:0006 || AfPO:0000105"):
        table = run(pd.DataFrame({ethnicity: [ids]})).table
        assert table.iloc[0].tolist() == [
            "South Asian ancestry || Yoruba",
            "HANCESTRO:0006 || AfPO:0000105",
        ]


def test_ids_alone_are_enough():
    table = run(pd.DataFrame({"disease_ontology_term_id": ["PATO:0000461", "CL:0000236"]})).table
    assert table["harmonised_disease"].tolist() == ["normal", None]


def test_keys_name_other_columns():
    obs = pd.DataFrame(
        {
            "label": ["Macrophages"],
            "label_ontology_term_id": ["CL:0000236"],
            "cell_type": ["T cell"],
            "cell_type_ontology_term_id": ["CL:0000084"],
            "kit": ["10x 3' v3"],
        }
    )
    result = run(obs, cell_type="label", instrument="kit", batch="kit", group=None)
    assert result.table["harmonised_cell_type"].tolist() == ["B cell"]
    assert result.table["harmonised_assay_ontology_term_id"].tolist() == ["EFO:0009922"]
    assert columns_behind("harmonised_assay", {"instrument": "kit"})[0] == "kit"
    with pytest.raises(InputError, match=r"keys\.cell_type names the obs column 'gone'.*'label'"):
        run(obs, cell_type="gone")


def test_rare_values_fold_over_the_whole_dataset_after_names_were_joined():
    obs = pd.DataFrame(
        {
            "cell_type": ["B"] * 2 + ["B cells"] * 2 + ["T"] * 3 + ["odd"],
            "donor_id": ["D1"] * 7 + ["D2"],
            "sex": ["M"] * 7 + ["F"],
        }
    )
    result = run(obs, fold_below=4)
    values = result.table["harmonised_cell_type"]
    assert values.tolist() == ["B cell"] * 4 + ["other"] * 4
    assert result.table["harmonised_cell_type_ontology_term_id"].isna().tolist()[4:] == [True] * 4
    assert rows(result, "folded") == [("cell_type", "T cell", 3), ("cell_type", "odd", 1)]
    assert result.table["harmonised_donor_id"].tolist()[-1] == "D2"
    assert result.table["harmonised_sex"].tolist()[-1] == "female"


def test_columns_without_content_and_with_one_value():
    obs = pd.DataFrame(
        {
            "empty": [np.nan, None, "Not Reported"],
            "numbers": [np.nan] * 3,
            "one": ["x", "x", "x"],
            "half": ["x", None, "x"],
            "int": pd.Categorical([7, 7, 7], categories=[7, 8]),
            "two": [1, 2, 1],
        }
    )
    result = run(obs)
    assert rows(result, "all_missing") == [("empty", None, 3), ("numbers", None, 3)]
    assert rows(result, "constant") == [("one", "x", 3), ("int", "7", 3)]
    assert result.table.shape == (3, 0)


def test_fixed_vocabularies():
    obs = pd.DataFrame({"suspension_type": ["Nuclei", "cell", "tube"], "donor_id": [1, 2, None]})
    result = run(obs)
    assert result.table["harmonised_suspension_type"].tolist() == ["nucleus", "cell", "tube"]
    assert result.table["harmonised_donor_id"].isna().tolist() == [False, False, True]
    assert rows(result, "unknown_term") == [("suspension_type", "tube", 1)]


MISSING = [
    "",
    "unknown",
    "NA",
    "n/a",
    "NaN",
    "None",
    "Not  Reported",
    "UNASSIGNED",
    "<NA>",
    "\u00a0",
]


@pytest.mark.parametrize("spelling", [*MISSING, *(f" {text}\t" for text in MISSING)])
@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_every_way_of_not_knowing_is_missing(spelling: str, dtype: object):
    obs = pd.DataFrame({"tissue": pd.Series([spelling, None, pd.NA, "blood"]).astype(dtype)})
    assert run(obs).table["harmonised_tissue"].tolist() == [None, None, None, "blood"]


def test_repeated_column_names_are_refused():
    obs = pd.DataFrame([["a", "b"]], columns=["sex", "sex"])
    with pytest.raises(InputError, match=r"several obs columns are named \['sex'\]"):
        run(obs)


def test_a_column_named_like_ours_is_reported():
    obs = pd.DataFrame({"sex": ["M"], "harmonised_sex": ["?"]})
    result = run(obs)
    assert result.table["harmonised_sex"].tolist() == ["male"]
    assert rows(result, "name_taken") == [("harmonised_sex", None, 1)]


def test_free_text_does_not_fill_the_report():
    obs = pd.DataFrame({"tissue": [f"place {n}" for n in range(500)]})
    result = run(obs)
    assert len(result.report) <= 201
    assert result.report["n_obs"].sum() == 500
    assert result.report["detail"].iloc[-1] == "and 300 more values"


def test_no_cells():
    result = run(pd.DataFrame({"cell_type": pd.Series([], dtype=object)}))
    assert result.table.shape == (0, 2) and result.report.empty
    assert list(result.report.columns) == ["column", "finding", "value", "detail", "n_obs"]


VALUES = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(-3, 3),
    st.floats(),
    st.booleans(),
    st.sampled_from(["B", "nan", "CL:0000236", "CL:0000003", " || ", "CL:,", "M", pd.NA, pd.NaT]),
)
NAMES = st.sampled_from([*FIELDS, *(f"{f}_ontology_term_id" for f in FIELDS), "x", "名"])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), names=st.lists(NAMES, unique=True, max_size=5), n_obs=st.integers(0, 6))
def test_odd_obs_never_break(data: st.DataObject, names: list[str], n_obs: int):
    columns: dict[str, object] = {}
    for name in names:
        values = data.draw(st.lists(VALUES, min_size=n_obs, max_size=n_obs))
        column = pd.Series(values, dtype=object)
        if data.draw(st.booleans()):
            column = column.map(str, na_action="ignore").astype("category")
            column = column.cat.add_categories(["never used"])
        columns[name] = column
    obs = pd.DataFrame(columns, index=[f"cell {i}" for i in range(n_obs)] if not names else None)
    result = run(obs, fold_below=data.draw(st.integers(0, 3)))
    assert len(result.table) == n_obs
    for name in result.table:
        assert all(value is None or isinstance(value, str) for value in result.table[name])
        assert not {"", "nan", "unknown", "None"} & set(result.table[name])
    assert (result.report["n_obs"] >= 0).all()
