"""``lint``, ``verify`` and ``retract`` at the command line: words, JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adata_assets.cli import main
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.hub.tiny_release import TinyRelease, change_card


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A release whose card says nothing of its limits."""
    return TinyRelease(tmp_path / "broken", texts=change_card("## Limits\n", "## X\n")).path


def test_a_whole_release_ends_with_0(tmp_path: Path) -> None:
    path = TinyRelease(tmp_path / "whole").path
    result = run("lint", path)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{path}: 0 findings (n_rules ")


def test_findings_end_with_1(broken: Path) -> None:
    result = run("lint", broken)
    assert result.exit_code == 1
    assert "card-has-sections: there is no section 'Limits'\n" in result.output


def test_findings_as_json(broken: Path) -> None:
    result = run("lint", broken, "--json")
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert told["n_rules"] >= 60
    text = "there is no section 'Limits'"
    assert told["findings"] == [{"rule_id": "card-has-sections", "text": text}]


@pytest.mark.parametrize("command", ["lint", "verify"])
def test_what_cannot_be_read_ends_with_2(tmp_path: Path, command: str) -> None:
    result = run(command, tmp_path / "nothing")
    assert result.exit_code == 2
    assert "neither a folder nor owner/name of a repository" in result.output


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    result = run("lint", tmp_path, "--revision", "v-1")
    assert result.exit_code == 2
    assert "which has no revision 'v-1'" in result.output


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    assert run("verify", tmp_path).exit_code == 2
    assert run("lint", tmp_path).exit_code == 1


def test_the_rules_are_listed() -> None:
    lines = run("lint", "--rules").output.splitlines()
    assert len(lines) >= 60
    assert "ids-are-unique: " in "\n".join(lines)
    assert run("lint").exit_code == 2


def test_a_published_dataset_is_verified(demo: Dataset) -> None:
    result = run("verify", demo.published, "--level", "sample", "--sample", "1", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["level"], told["findings"]) == ("sample", [])
    assert told["n_links"] == 2 * len(demo.graph.chunk_keys)


def test_a_retraction_needs_a_reason_and_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert run("retract", "lab/cells").exit_code == 2
    assert "--reason is empty" in run("retract", "lab/cells", "--reason", " ").output
    assert "HF_TOKEN is not set" in run("retract", "lab/cells", "--reason", "wrong").output
