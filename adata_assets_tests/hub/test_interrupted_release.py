"""A publisher that is killed anywhere, or answered wrongly, leaves one whole release behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adata_assets_tests.hub.local_hub import LocalHub
from adata_assets_tests.hub.test_publish import run_story, write_folder
from adata_assets_tests.sockets import free_port

OK = ["initial commit", "A release", "A release"]


def story(tmp_path: Path, verb: str, *, n_shards: int = 2, **arguments: Any) -> Any:
    """Run a verb of `faulty_story` with an old and a new folder."""
    old = write_folder(tmp_path / "old", text="CD8A", n_shards=2)
    new = write_folder(tmp_path / "new", text="CD4", n_shards=n_shards)
    hub = LocalHub(f"http://127.0.0.1:{free_port()}")
    return run_story(
        hub, tmp_path, verb, story="faulty_story", old=str(old), new=str(new), **arguments
    )


def test_a_reader_sees_the_old_or_the_new_release(tmp_path: Path) -> None:
    """At each request, before and after it: never a mixture; after a kill the next run ends it."""
    told = story(tmp_path, "kill", n_shards=28, every=8)
    assert told["n_points"] >= 200
    assert told["mixtures"] == []
    assert told["n_killed"] >= 16
    assert told["unfinished"] == []
    assert told["control"] > 0


CASES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "commit 500": ([{"match": "POST /commit/", "status": 500}], OK),
    "commit 500, made all the same": (
        [{"match": "POST /commit/", "status": 500, "arrives": True}],
        OK,
    ),
    "reply to the commit lost": ([{"match": "POST /commit/", "arrives": True}], OK),
    "commit cut": ([{"match": "POST /commit/", "times": 2}], OK),
    "commit 503": ([{"match": "POST /commit/", "status": 503, "times": 3}], OK),
    "commit 429": (
        [{"match": "POST /commit/", "status": 429, "headers": {"Retry-After": "33"}}],
        OK,
    ),
    "look 503": ([{"match": "GET /api/datasets/lab/cells", "status": 503}], OK),
    "preupload 429": ([{"match": "POST /preupload/", "status": 429}], OK),
    "lfs batch 500": ([{"match": "POST /objects/batch", "status": 500, "times": 9}], OK),
    "upload 503": ([{"match": "PUT /lfs/", "status": 503}], OK),
    "upload cut": ([{"match": "PUT /lfs/"}], OK),
    "download 502": ([{"match": "GET /resolve/", "status": 502, "times": 2}], OK),
    "download cut": ([{"match": "GET /resolve/"}], OK),
    "reply to the tag lost": ([{"match": "POST /tag/", "arrives": True}], OK),
    "tag 500": ([{"match": "POST /tag/", "status": 500}], OK),
    "all at once": (
        [
            {"match": "POST /commit/", "status": 500, "arrives": True},
            {"match": "GET /resolve/", "status": 429},
            {"match": "POST /tag/", "arrives": True},
        ],
        OK,
    ),
    "commit 500 for good": ([{"match": "POST /commit/", "status": 500, "times": 99}], OK[:2]),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How a release over an older one ended, for each case."""
    cases = [{"faults": faults} for faults, _ in CASES.values()]
    told = story(tmp_path_factory.mktemp("faults"), "fail", cases=cases)
    return dict(zip(CASES, told, strict=True))


@pytest.mark.parametrize("name", [name for name in CASES if "for good" not in name])
def test_what_passes_ends_in_one_tagged_commit(outcomes, name: str) -> None:
    told = outcomes[name]
    assert told["error"] is None
    assert told["titles"] == CASES[name][1]
    assert told["is_new"]
    assert told["tags"] == {"v-old": False, "v-new": True}
    assert not any(told["left"]) or name == "lfs batch 500"


def test_what_does_not_pass_is_told_and_leaves_the_old_release(outcomes) -> None:
    told = outcomes["commit 500 for good"]
    assert told["error"].startswith("PublishError: ") or "answered 500" in told["error"]
    assert told["titles"] == OK[:2]
    assert not told["is_new"]
    assert told["tags"] == {"v-old": True}
    assert [wait for wait in told["waits"] if wait >= 1] == [1, 5, 20, 60]


def test_the_hub_says_how_long_to_wait(outcomes) -> None:
    assert max(outcomes["commit 429"]["waits"]) >= 33


def test_a_stale_parent_is_looked_at_again(tmp_path: Path) -> None:
    """Somebody committed what does no harm: the release goes on top of it."""
    told = story(tmp_path, "stale", theirs={".gitattributes": "x"}, n_times=1)
    assert told == {"error": None, "titles": [*OK[:2], "theirs", "A release"], "is_new": True}


def test_a_stale_parent_of_others_is_left_alone(tmp_path: Path) -> None:
    told = story(tmp_path, "stale", theirs={"data/theirs.csv": "a,b"}, n_times=1)
    assert "that no release of cells made, e.g. data/theirs.csv" in told["error"]
    assert told["titles"] == [*OK[:2], "theirs"]


def test_a_parent_that_is_stale_each_time_is_told(tmp_path: Path) -> None:
    told = story(tmp_path, "stale", theirs={".gitattributes": "x"}, n_times=99)
    assert "somebody else committed while this release was uploaded (412)" in told["error"]
    assert set(told["titles"]) == {*OK[:2], "theirs"}
    assert not told["is_new"]
