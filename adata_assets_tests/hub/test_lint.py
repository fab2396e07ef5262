"""Each rule of the lint has a release that breaks it and no other; whole releases break none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adata_assets.hub.lint import Limits, find_rules, lint_folder
from adata_assets.hub.lint.registry import rule
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.hub.broken_data import DATA
from adata_assets_tests.hub.broken_texts import TEXTS
from adata_assets_tests.hub.tiny_release import TinyRelease

BROKEN: dict[str, dict[str, Any]] = {**TEXTS, **DATA}


def lint_broken(path: Path, how: dict[str, Any]) -> set[str]:
    """Return the rules that a release breaks."""
    limits = Limits(**how.get("limits", {}))
    steps = {name: how[name] for name in ("rows", "shards", "texts", "end") if name in how}
    fields = {name: how[name] for name in ("format", "license") if name in how}
    release = TinyRelease(path, **steps, **fields)
    return {finding.rule_id for finding in lint_folder(release.folder(limits=limits))}


@pytest.mark.parametrize("format", ["single", "pairs", "multiplets"])
def test_a_whole_release_breaks_no_rule(tmp_path: Path, format: str) -> None:
    assert lint_folder(TinyRelease(tmp_path / "release", format=format).folder()) == []


@pytest.mark.parametrize("rule_id", BROKEN)
def test_exactly_the_broken_rule_is_found(tmp_path: Path, rule_id: str) -> None:
    """Others only where one cannot be broken without them (``also``; ``alone`` is False)."""
    how = BROKEN[rule_id]
    found = lint_broken(tmp_path / "release", how)
    if how.get("alone", True):
        assert found == {rule_id, *how.get("also", ())}
    else:
        assert rule_id in found


def test_every_rule_has_its_example() -> None:
    assert len(find_rules()) >= 60
    assert set(BROKEN) == set(find_rules())


def test_rules_say_what_must_hold() -> None:
    for found in find_rules().values():
        assert found.sentence.endswith(".")


def test_two_rules_have_two_names() -> None:
    with pytest.raises(ValueError, match="two rules are called 'no-empty-files'"):
        rule("no-empty-files", "Again.")(find_rules()["no-empty-files"].find)


def test_the_demo_breaks_no_rule(demo: Dataset) -> None:
    from adata_assets.hub.lint import PublishedFolder

    assert lint_folder(PublishedFolder(demo.published)) == []
