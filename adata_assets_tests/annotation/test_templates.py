"""Every wording states what it is given, all of it, in whole sentences."""

from __future__ import annotations

import itertools
import re

import pytest

from adata_assets.annotation.captions.templates import DEFAULT_TEMPLATE, TEMPLATES, article, render
from adata_assets.annotation.captions.wording import FACT_FIELDS

FACTS = {
    "cell_type": "fibroblast",
    "tissue": "lung",
    "disease": "asthma",
    "sex": "female",
    "development_stage": "adulthood",
    "donor_age": "63",
    "assay": "Drop-seq",
    "suspension_type": "nucleus",
}
SUBSETS = [
    dict(facts)
    for n in range(1, len(FACTS) + 1)
    for facts in itertools.combinations(FACTS.items(), n)
]
DEBRIS = re.compile(
    r"  | [.,;:)]|[,;:]{2}|[,;:]\.|\.\.|\(\)|\(,|[\[\]<>|{}]|^ | $|: *$|\bunknown\b|\bnan\b"
)
# A preposition or an article that nothing follows.
DANGLING = re.compile(r"\b(?:a|an|of|with|from|in|by|and|is|the|donor:|using)[.,;)]", re.IGNORECASE)


@pytest.mark.parametrize("name", TEMPLATES)
def test_any_facts_give_whole_sentences_that_state_each_of_them_once(name):
    for facts in SUBSETS:
        text = render(name, facts)
        assert not DEBRIS.search(text), text
        assert not DANGLING.search(text), text
        assert text[0].isupper() or text.startswith("Drop-seq"), text
        assert text.endswith("."), text
        for field in FACT_FIELDS:
            wanted = 1 if field in facts else 0
            said = len(re.findall(rf"\b{FACTS[field]}\b", text))
            assert said == wanted or (field == "suspension_type" and said >= wanted), text
        assert ("nucleus" in text) == ("suspension_type" in facts), text


def test_there_are_twenty_and_all_differ():
    """A caption of the same facts has at least twenty wordings."""
    assert len(TEMPLATES) >= 20
    assert len({render(name, FACTS) for name in TEMPLATES}) == len(TEMPLATES)
    assert len({render(name, {"cell_type": "B cell"}) for name in TEMPLATES}) >= 12
    assert DEFAULT_TEMPLATE == "t01"


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("B cell", "a"),
        ("NK cell", "an"),
        ("NKT", "an"),
        ("MAIT cell", "a"),
        ("unipotent cell", "a"),
        ("ureteric bud cell", "a"),
        ("umbilical vein cell", "an"),
        ("unstimulated T cell", "an"),
        ("eosinophil", "an"),
        ("European", "a"),
        ("one-eyed", "a"),
        ("oncocyte", "an"),
        ("11 week", "an"),
        ("110 week", "a"),
        ("80-year-old", "an"),
        ("αβ T cell", "an"),
        ("γδ T cell", "a"),
        ("émigré", "an"),
        ("(intermediate) monocyte", "an"),
        ("☃", "a"),
        ("", "a"),
    ],
)
def test_articles_follow_the_sound(noun, expected):
    assert article(noun) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("NK", "This is an NK cell."),
        ("CD14+ Monocyte", "This is a CD14+ Monocyte."),
        ("Macrophages", "This is a cell of the type Macrophages."),
        ("T cells, CD4+", "This is a cell of the type T cells, CD4+."),
        ("endothelial cell of artery", "This is an endothelial cell of artery."),
        ("CD4+/CD25 T Reg", "This is a CD4+/CD25 T Reg cell."),
    ],
)
def test_labels_of_all_kinds_become_nouns(label, expected):
    assert render("t01", {"cell_type": label}) == expected
