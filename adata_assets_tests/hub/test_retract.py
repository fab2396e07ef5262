"""A retraction is one commit that leaves a notice; tags stay, and the same content stays out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from adata_assets_tests.hub.local_hub import LocalHub, Repo, running_hub
from adata_assets_tests.hub.test_publish import REPO_ID, run_story
from adata_assets_tests.hub.tiny_release import TinyRelease

Told = tuple[LocalHub, dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The Hub after the story, and what each step of it answered."""
    root = tmp_path_factory.mktemp("retract")
    first = TinyRelease(root / "first").path
    second = TinyRelease(root / "second", description="With the right labels.").path
    with running_hub() as hub:
        given = {"first": str(first), "second": str(second)}
        yield hub, run_story(hub, root, "retract", story="retract_story", **given)


def repo_of(told: Told) -> Repo:
    """Return the repository."""
    return told[0].repos[REPO_ID]


def test_a_release_is_linted_where_it_is(told: Told) -> None:
    assert told[1]["lint"][0] == 0, told[1]["lint"]


def test_there_must_be_a_release(told: Told) -> None:
    code, words = told[1]["nothing"]
    assert code == 2
    assert "holds no release that this package made" in words


def test_one_commit_leaves_a_notice(told: Told) -> None:
    titles = [commit.title for commit in repo_of(told).commits]
    assert titles == ["initial commit", "A release", "Retract the release", "A release"]
    assert told[1]["retract"][0] == told[1]["again"][0] == 0
    assert told[1]["retract"] == told[1]["again"]
    files = repo_of(told).commits[2].files
    assert set(files) == {".gitattributes", "README.md", "manifest.json"}
    card = files["README.md"].decode()
    assert "**Reason**: Labels of &lt;b&gt;donor 3&lt;/b&gt; were wrong." in card


def test_tags_stay(told: Told) -> None:
    repo = repo_of(told)
    assert repo.tags == {"v-1": repo.commits[1].oid, "v-2": repo.commits[3].oid}
    assert told[1]["lint of the tag"][0] == 0
    assert told[1]["lint of no tag"][0] == 2


def test_a_reader_is_told(told: Told) -> None:
    code, words = told[1]["lint after"]
    assert code == 1
    found = {f["rule_id"]: f["text"] for f in json.loads(words)["findings"]}
    assert found["not-retracted"] == "retracted: Labels of <b>donor 3</b> were wrong."


def test_the_same_content_stays_out_and_mended_content_goes_in(told: Told) -> None:
    assert "this release of cells was retracted" in told[1]["same"]["error"]
    assert told[1]["other"]["commit"] == repo_of(told).commits[3].oid
    assert told[1]["lint of the other"][0] == 0
