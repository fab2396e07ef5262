"""Values of a fact: equal, of related terms, or excluding each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.captions.contradictions import fact_classes
from adata_assets.rows.contradictions import classes_without_negative, incompatible
from adata_assets.rows.facts import build_fact_classes
from adata_assets.rows.negatives import cell_keys, draw_negatives
from adata_assets.rows.relations import code_values

ABOVE = {
    "L": frozenset[str](),
    "T": frozenset({"L"}),
    "T4": frozenset({"T", "L"}),
    "B": frozenset({"L"}),
    "M": frozenset[str](),
}


def excluded(texts: list[str | None], terms: list[str | None]) -> list[list[bool]]:
    """Which pairs of cells have known values that do not go together, by the codes."""
    coded = code_values(
        pd.Series(texts, dtype=object), pd.Series(terms, dtype=object), ABOVE.__getitem__
    )
    n = len(coded.related)

    def exclude(a: int, b: int) -> bool:
        if a < 0 or b < 0 or a == b:
            return False
        return not (a < n and b < n and coded.related[a, b])

    return [[exclude(a, b) for b in coded.codes] for a in coded.codes]


def test_neither_a_term_above_nor_one_below_contradicts() -> None:
    texts = ["lymphocyte", "T cell", "CD4 T", "B cell", "monocyte"]
    assert excluded(texts, ["L", "T", "T4", "B", "M"]) == [
        [False, False, False, False, True],
        [False, False, False, True, True],
        [False, False, False, True, True],
        [False, True, True, False, True],
        [True, True, True, True, False],
    ]


def test_two_words_for_one_term_and_one_word_with_and_without_term_go_together() -> None:
    found = excluded(["T", "T cells", "T", "odd", None], ["T", "T", None, None, "M"])
    assert found[0] == [False, False, False, True, False]
    # "T" in a cell without a term is a text: unequal to "T cells".
    assert found[2] == [False, True, False, True, False]
    assert found[4] == [False] * 5


def test_a_value_of_several_terms_goes_with_whatever_one_of_them_goes_with() -> None:
    found = excluded(["B or M", "T", "M", "CD4"], ["B || M", "T", "M", "T4"])
    assert found[0] == [False, True, False, True]


@pytest.mark.parametrize("seed", range(4))
def test_the_codes_agree_with_the_rule_on_texts_and_terms(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = rng.choice(["a", "b", "c", "d", None], 60).tolist()
    terms = rng.choice([*ABOVE, None, None], 60).tolist()

    def exclude(i: int, j: int) -> bool:
        if texts[i] is None or texts[j] is None or texts[i] == texts[j]:
            return False
        one, other = terms[i], terms[j]
        if one is None or other is None:
            return True
        return not (one == other or one in ABOVE[other] or other in ABOVE[one])

    expected = [[exclude(i, j) for j in range(60)] for i in range(60)]
    assert excluded(texts, terms) == expected


def annotated(types: list[str], terms: list[str], source: str = "made") -> pd.DataFrame:
    """Rows of obs in which the cell type is all that is known."""
    facts = [f'{{"cell_type": "{name}"}}' for name in types]
    return pd.DataFrame(
        {
            "known_facts": facts,
            "known_terms": [f'{{"cell_type": "{term}"}}' for term in terms],
            "caption_facts": facts if source == "made" else "{}",
            "caption_id": types if source == "made" else [f"text {i}" for i in range(len(types))],
            "caption_source": source,
        }
    )


LYMPHOCYTE, T_CELL, MONOCYTE = "CL:0000542", "CL:0000084", "CL:0000576"


@pytest.mark.parametrize("source", ["made", "given"])
def test_the_cell_ontology_decides(source: str) -> None:
    """A T cell is a lymphocyte: neither is a negative of the other, a monocyte is one of both."""
    obs = annotated(
        ["lymphocyte", "T cell", "monocyte"], [LYMPHOCYTE, T_CELL, MONOCYTE], source=source
    )
    anchor, other = (grid.ravel() for grid in np.indices((3, 3)))
    found = incompatible(fact_classes(obs), anchor, other).reshape(3, 3)
    assert found.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_cells_of_related_types_alone_have_no_negative() -> None:
    classes = fact_classes(annotated(["lymphocyte", "T cell"] * 2, [LYMPHOCYTE, T_CELL] * 2))
    assert classes_without_negative(classes, np.zeros(4, np.int8)).all()
    assert not classes_without_negative(classes.take(np.array([], int)), np.zeros(0, np.int8)).any()


def test_many_given_captions_of_related_types_end_soon() -> None:
    """The search passes over a related type as over the own one."""
    n_cells = 100_000
    classes = build_fact_classes(
        pd.Series(np.arange(n_cells)),
        pd.Series(["given"] * n_cells),
        pd.Series([None] * n_cells),
        pd.DataFrame({"cell_type": ["T cell", "CD4 T"] * (n_cells // 2)}),
        terms=pd.DataFrame({"cell_type": ["T", "T4"] * (n_cells // 2)}),
        ancestors=ABOVE.__getitem__,
    )
    assert classes_without_negative(classes, np.zeros(n_cells, np.int8)).all()


def test_no_draw_is_of_a_related_type() -> None:
    rng = np.random.default_rng(0)
    place = rng.choice(3, 2_000, p=[0.6, 0.38, 0.02])
    types = np.array(["lymphocyte", "T cell", "monocyte"])[place].tolist()
    terms = np.array([LYMPHOCYTE, T_CELL, MONOCYTE])[place].tolist()
    for source in ("made", "given"):
        classes = fact_classes(annotated(types, terms, source=source))
        keys = cell_keys([str(i) for i in range(2_000)])
        drawn = draw_negatives(classes, cell_key=keys, n_slots=2, seed=0, purpose="p")[0]
        assert ((place[drawn] == 2) == (place != 2)[:, None]).all()
