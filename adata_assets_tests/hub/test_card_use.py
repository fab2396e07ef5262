"""What the card says first and last: overview, rules, limits, licences, citation, checksums."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from adata_assets.annotation.cleaning import QUARANTINE
from adata_assets.annotation.learnt import FIXED_RULES
from adata_assets.hub.card_captions import CaptionCounts
from adata_assets.hub.card_parts import (
    describe_checksums,
    describe_citation,
    describe_known,
    describe_licences,
    describe_overview,
    explain_rules,
    list_limits,
)
from adata_assets.rows.parquet import ShardInfo
from adata_assets.spec import SourceSpec
from adata_assets.splitting.balance import RULE as LABEL_RULE

OPEN = "https://cells.example.org/a.h5ad"
CAPTIONS = {"train": CaptionCounts(40, 9, 3, 0.3, 0.9), "test": CaptionCounts(10, 2, 2, 0.5, 1.0)}
LEDGER = pd.DataFrame(
    {
        "source": ["a", "a", "b", "b"],
        "outcome": ["published", "removed", "published", "quarantined"],
        "rule": ["train", "min_genes", "test", "no_caption"],
        "n_obs": [1200, 7, 10, 3],
    }
)


def limits(**changed: Any) -> str:
    """Return the limits of a dataset in one text."""
    annotated = {"split_by": "group", "n_groups": {"train": 9, "test": 5}}
    given = {"annotated": annotated, "ledger": LEDGER, "captions": CAPTIONS, "format": "pairs"}
    return "\n".join(list_limits(**{**given, **changed}))


def test_the_overview_counts() -> None:
    told = describe_overview({"train": 1200, "test": 10}, CAPTIONS, OPEN, n_files=2)
    assert told == (
        "**At a glance**: 1,210 cells (1,200 train, 10 test), texts with up to 3 different "
        "statements; 2 files of counts and embeddings behind the links."
    )


def test_what_is_known_of_the_cells_is_told() -> None:
    facts = ['{"tissue": "a*b", "sex": "male"}'] * 3 + [f'{{"tissue": "t{i}"}}' for i in range(7)]
    assert describe_known(pd.Series(facts)).splitlines()[2:] == [
        "- sex: male (3)",
        r"- tissue: a\*b (3), t0 (1), t1 (1), t2 (1), t3 (1) and 3 more",
    ]
    assert "Nothing is known" in describe_known(pd.Series(["{}"]))


def test_links_of_one_machine_are_told() -> None:
    told = describe_overview({"test": 1}, {}, "http://127.0.0.1:8765/a.h5ad", n_files=1)
    assert "statements" not in told
    assert "1 file of counts" in told
    assert "`adata-assets serve` serves them there" in told


def test_rules_that_left_cells_out_are_explained() -> None:
    told = explain_rules(LEDGER)
    assert [line.split("`")[1] for line in told.splitlines() if "`" in line] == [
        "min_genes",
        "no_caption",
    ]
    assert "Quarantined cells lack something that can be supplied" in told
    assert explain_rules(LEDGER[LEDGER["outcome"] == "published"]) == ""


@pytest.mark.parametrize("rule", [*FIXED_RULES, *QUARANTINE, LABEL_RULE])
def test_every_rule_has_words(rule: str) -> None:
    ledger = pd.DataFrame({"outcome": ["removed"], "rule": [rule]})
    assert explain_rules(ledger).startswith(f"- `{rule}`: ")


def test_limits_come_from_facts() -> None:
    told = limits()
    assert "10 of 1,220 cells of the sources are not in it" in told
    assert "3 for the 40 cells of train, 2 for the 10 cells of test" in told
    assert "few groups" not in told
    by_cell = limits(annotated={"split_by": "cell", "n_groups": None})
    assert "figures on them are too good for new donors" in by_cell
    few = limits(annotated={"split_by": "group", "n_groups": {"train": 9, "test": 1}})
    assert "There are few groups (1 in test)" in few
    assert "statements" not in limits(format="single")


def test_each_source_tells_its_licence() -> None:
    sources = [SourceSpec(uri="a.h5ad", license="cc0-1.0"), SourceSpec(uri="b.h5ad")]
    told = describe_licences("CC-BY-4.0", sources, LEDGER)
    assert "published under `cc-by-4.0`" in told
    assert "| `a` | cc0-1.0 | 1,200 |" in told
    assert "| `b` | not stated | 10 |" in told
    assert "state no licence" in describe_licences(None, sources, LEDGER)


def test_a_licence_in_words_cannot_break_out() -> None:
    source = SourceSpec(uri="a.h5ad", license="mine | <b>yours</b>")
    assert "mine \\| &lt;b&gt;yours" in describe_licences(None, [source], LEDGER)


def test_how_to_cite_names_title_and_repository() -> None:
    told = describe_citation("Cells *of* blood", "lab/cells")
    assert "> Cells \\*of\\* blood. Hugging Face dataset `lab/cells`, release `v-…`." in told


def test_checksums_of_all_shards() -> None:
    shard = ShardInfo("data/test-00000-of-00001.parquet", 10, 1, 1, "ab" * 32)
    told = describe_checksums({"test": [shard]}, "lab/cells")
    assert f"| `{shard.file_name}` | `{shard.sha256}` | 10 |" in told
    assert "adata-assets verify lab/cells" in told
