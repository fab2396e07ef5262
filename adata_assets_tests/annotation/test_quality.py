"""The fixed rules: each on its own, in their order, and where they do not apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.measure import CellMetrics
from adata_assets.annotation.quality.rules import find_removals, percent
from adata_assets.spec import QCRules

NO_RULES = QCRules(min_genes=None, max_pct_mt=None)
# Per cell: counts, genes, mitochondrial counts, genes of sentences, counts of the top 20 genes.
GOOD = (1000, 300, 50, 290, 400)


def removals(*cells, rules=NO_RULES, primary=None, subset=False):
    names = ("n_counts", "n_genes", "n_counts_mt", "n_sentence_genes", "n_counts_top20")
    columns = np.array(cells, dtype=np.int64).T
    metrics = replace(CellMetrics.zeros(len(cells)), **dict(zip(names, columns, strict=True)))
    table = find_removals(metrics, rules, is_primary_data=primary, is_gene_subset=subset)
    return list(table.itertuples(index=False, name=None))


KEPT = (None, None)


@pytest.mark.parametrize(
    ("rules", "cell", "reason"),
    [
        (NO_RULES, (0, 0, 0, 0, 0), ("no_counts", "0")),
        (NO_RULES, (9, 2, 9, 0, 9), ("no_sentence_gene", "0")),
        (
            QCRules(min_genes=None, max_pct_mt=None, min_counts=500),
            (499, 300, 5, 9, 9),
            ("min_counts", "499"),
        ),
        (QCRules(), (1000, 199, 0, 9, 9), ("min_genes", "199")),
        (QCRules(), (1000, 300, 201, 9, 9), ("max_pct_mt", "20.1")),
        (QCRules(max_pct_top20=65), (3000, 300, 0, 9, 2000), ("max_pct_top20", "66.6667")),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and isinstance(value[0], str) else "",
)
def test_p12_each_rule_removes_with_the_value_it_saw(rules, cell, reason):
    assert removals(GOOD, cell, GOOD, rules=rules) == [KEPT, reason, KEPT]


def test_a_cell_on_the_threshold_stays():
    rules = QCRules(min_genes=300, max_pct_mt=5, min_counts=1000, max_pct_top20=40)
    assert removals(GOOD, rules=rules) == [KEPT]


def test_p12_a_rule_that_is_off_removes_nothing():
    assert removals((1, 1, 1, 1, 1), rules=NO_RULES) == [KEPT]


def test_the_first_rule_that_applies_wins():
    rules = QCRules(min_counts=50, max_pct_top20=10)
    found = removals((9, 2, 9, 2, 9), (60, 2, 60, 2, 60), (1000, 300, 900, 2, 900), rules=rules)
    assert [rule for rule, _ in found] == ["min_counts", "min_genes", "max_pct_mt"]


def test_rules_on_genes_do_not_apply_to_a_gene_subset():
    """FACTS: on 700 genes the numbers of genes, mitochondrial and top counts say nothing."""
    rules = QCRules(min_genes=200, max_pct_mt=1, max_pct_top20=1, min_counts=100)
    cells = (1000, 20, 500, 9, 1000), (99, 20, 50, 9, 99)
    assert [rule for rule, _ in removals(*cells, rules=rules)] == ["min_genes", "min_counts"]
    assert removals(*cells, rules=rules, subset=True) == [KEPT, ("min_counts", "99")]


@pytest.mark.parametrize(
    ("stated", "seen"),
    [
        ([True, False, True], "False"),
        ([True, False, None], "False"),
        (["True", "FALSE", "nan"], "FALSE"),
        (["yes", "no", ""], "no"),
        ([1, 0, 1], "0"),
        ([1.0, 0.0, np.nan], "0.0"),
    ],
)
@pytest.mark.parametrize("is_category", [True, False])
def test_secondary_data_are_removed_however_it_is_written(stated, seen, is_category):
    """What is missing says nothing against a cell."""
    column = pd.Series(stated, index=["x", "y", "z"])
    column = column.astype("category") if is_category else column
    assert removals(GOOD, GOOD, GOOD, primary=column) == [KEPT, ("is_primary_data", seen), KEPT]


def test_secondary_data_stay_when_the_rule_is_off():
    rules = QCRules(require_primary_data=False)
    assert removals(GOOD, rules=rules, primary=pd.Series([False])) == [KEPT]


def test_percent_of_nothing_is_not_a_number():
    found = percent(np.array([1, 0]), np.array([4, 0]))
    assert found[0] == 25
    assert np.isnan(found[1])
