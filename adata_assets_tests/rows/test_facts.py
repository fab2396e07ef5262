"""C6: negatives are decided on facts; cells without a valid one are found to a fixpoint."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.rows.contradictions import classes_without_negative, incompatible
from adata_assets.rows.facts import FactClasses, build_fact_classes

from .facts_examples import classes_of, contradicts, make_cells


def test_rule_agrees_with_its_restatement() -> None:
    cells = make_cells(150)
    classes = classes_of(cells)
    rows = cells.to_dict("records")
    anchor, other = (grid.ravel() for grid in np.indices((150, 150)))
    found = incompatible(classes, anchor, other).reshape(150, 150)
    assert found.tolist() == [[contradicts(a, b) for b in rows] for a in rows]
    assert found.any()
    assert not found.diagonal().any()


def test_classes_are_the_distinct_facts() -> None:
    cells = make_cells(400)
    classes = classes_of(cells)
    columns = ["caption_id", "caption_source", "caption_facts", "cell_type", "tissue", "sex"]
    assert len(classes.known) == len(cells[columns].drop_duplicates())
    assert classes.fields == ("caption", "cell_type", "tissue", "sex")
    assert classes.class_of.dtype == classes.known.dtype == np.int32
    again = classes.known[classes.class_of]
    for i, field in enumerate(classes.fields[1:], start=1):
        codes = pd.Series(again[:, i])
        assert (codes.eq(-1) == cells[field].isna()).all()
        assert cells[field].groupby(codes).nunique(dropna=False).max() == 1
    stated = [set(json.loads(text)) for text in cells["caption_facts"]]
    of_class = classes.stated[classes.class_of]
    assert [
        {f for f, s in zip(classes.fields, row, strict=True) if s} for row in of_class
    ] == stated
    assert classes.take(np.array([3, 1])).class_of.tolist() == classes.class_of[[3, 1]].tolist()


def test_mappings_and_json_give_the_same_classes() -> None:
    cells = make_cells(200)
    from_json = classes_of(cells)
    from_mappings = build_fact_classes(
        cells["caption_id"],
        cells["caption_source"].astype("category"),
        [json.loads(text) for text in cells["caption_facts"]],
        cells[["cell_type", "tissue", "sex"]].astype("category"),
    )
    anchor, other = (grid.ravel() for grid in np.indices((200, 200)))
    expected = incompatible(from_json, anchor, other)
    assert (incompatible(from_mappings, anchor, other) == expected).all()


def survivors_by_definition(cells: pd.DataFrame, split_of: np.ndarray) -> set[int]:
    rows = cells.to_dict("records")
    left = {i for i in range(len(rows)) if split_of[i] >= 0}
    while True:
        kept = {
            i
            for i in left
            if any(split_of[i] == split_of[j] and contradicts(rows[i], rows[j]) for j in left)
        }
        if kept == left:
            return left
        left = kept


@pytest.mark.parametrize("seed", range(6))
def test_without_negative_is_the_fixpoint(seed: int) -> None:
    cells = make_cells(40, seed=seed, given=0.5)
    rng = np.random.default_rng(seed)
    split_of = rng.choice([-1, 0, 1, 2, 3, 4, 5, 6], 40).astype(np.int8)
    is_without = classes_without_negative(classes_of(cells), split_of)
    left = survivors_by_definition(cells, split_of)
    assert is_without.tolist() == [split_of[i] >= 0 and i not in left for i in range(len(cells))]
    assert is_without.any()


def test_removing_a_cell_takes_the_last_negative_of_another() -> None:
    """a needs b, b needs nothing that is there: both go, c and d keep each other."""
    classes = FactClasses(
        fields=("caption", "tissue", "sex"),
        known=np.array([[0, 0, -1], [1, 1, -1], [2, -1, 0], [3, -1, 1]], np.int32),
        stated=np.array([[0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 1]], bool),
        is_given=np.zeros(4, bool),
        class_of=np.array([0, 1, 2, 3, 1], np.int32),
    )
    is_without = classes_without_negative(classes, np.zeros(5, np.int8))
    assert is_without.tolist() == [True, True, False, False, True]
    apart = classes_without_negative(classes, np.array([0, 0, 0, 1, -1], np.int8))
    assert apart.tolist() == [True, True, True, True, False]


def test_many_classes_without_any_negative_end_soon() -> None:
    """Early exit: 200,000 captions over one cell type would be 4e10 comparisons pair by pair."""
    n_cells = 200_000
    classes = build_fact_classes(
        pd.Series(np.arange(n_cells)),
        pd.Series(["given"] * n_cells),
        pd.Series([None] * n_cells),
        pd.DataFrame({"cell_type": ["T cell"] * n_cells}),
    )
    assert classes_without_negative(classes, np.zeros(n_cells, np.int8)).all()


def test_cells_without_caption_state_nothing() -> None:
    cells = make_cells(20, given=0.0)
    cells.loc[3, ["caption_id", "caption_source"]] = None
    classes = classes_of(cells)
    assert not incompatible(classes, np.full(20, 3), np.arange(20)).any()
    assert classes_without_negative(classes, np.zeros(20, np.int8))[3]


def test_no_cells() -> None:
    classes = classes_of(make_cells(3).iloc[:0])
    assert classes.known.shape == (0, 4)
    assert classes_without_negative(classes, np.zeros(0, np.int8)).shape == (0,)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("caption_source", "guessed", "caption_source of row 2 is 'guessed'"),
        ("caption_id", None, "row 2 has caption_id None and caption_source 'made'"),
        ("caption_facts", "{", "caption_facts of row 2 is '{', which is not JSON"),
        ("caption_facts", "[1]", "caption_facts of row 2 is .*write a JSON object"),
        ("caption_facts", '{"age": "3"}', r"row 2 states \['age'\], which known has no column"),
        ("tissue", None, "row 2 states 'tissue', which is missing in known"),
    ],
)
def test_bad_facts_are_refused(column: str, value: str | None, message: str) -> None:
    cells = make_cells(5, given=0.0)
    cells["tissue"] = "lung"
    cells["caption_facts"] = '{"tissue": "lung"}'
    cells.loc[2, column] = value
    with pytest.raises(InputError, match=message):
        classes_of(cells)


def test_misaligned_and_reserved_columns_are_refused() -> None:
    cells = make_cells(5)
    texts = cells["caption_id"], cells["caption_source"], cells["caption_facts"]
    with pytest.raises(InputError, match="'known': 4"):
        build_fact_classes(*texts, cells[["sex"]].iloc[:4])
    with pytest.raises(InputError, match="a column 'caption'"):
        build_fact_classes(*texts, cells[["sex"]].rename(columns={"sex": "caption"}))
