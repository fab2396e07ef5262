"""Publishers killed with SIGKILL at seeded moments: the old or the new release, and a next run ends it.

The moments between requests are looked at one by one in ``test_interrupted_release``; here processes
die, also in the middle of a request.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adata_assets_tests.hub.faulty_story import REPO_ID, files_in, files_on_main, sees_one_release
from adata_assets_tests.hub.local_hub import WRITER, LocalHub, Repo, running_hub
from adata_assets_tests.hub.test_publish import write_folder
from adata_assets_tests.servers.hf import environment_of

END_S = 120


class Publishers:
    """Processes that publish to one Hub, one at a time."""

    def __init__(self, hub: LocalHub, server: subprocess.Popen[str]) -> None:
        self.hub, self._server = hub, server

    def publish(self, folder: str, verb: str = "publish") -> int:
        """Let one come to its end; return its status."""
        self._begin(folder, verb)
        return self._end()

    def kill(self, folder: str, at: int, wait_s: float, verb: str = "publish") -> int:
        """Kill one a moment after the Hub began request ``at``; return its status."""
        n_before, end = len(self.hub.log), time.monotonic() + END_S
        pid = self._begin(folder, verb)
        while len(self.hub.log) - n_before < at:
            assert time.monotonic() < end, f"no request {at} within {END_S} s"
            time.sleep(0.0002)
        time.sleep(wait_s)
        # It was not waited for, so the number is still its own if it ended before.
        os.kill(pid, signal.SIGKILL)
        return self._end()

    def _begin(self, folder: str, verb: str) -> int:
        return self._ask(json.dumps({"verb": verb, "folder": folder}))

    def _end(self) -> int:
        return self._ask("")

    def _ask(self, line: str) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(line, file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())


@contextmanager
def running_publishers(home: Path) -> Iterator[Publishers]:
    """Run a Hub and the process that publishers come from while the block lasts."""
    with (
        running_hub() as hub,
        subprocess.Popen(
            [sys.executable, "-m", "adata_assets_tests.hub.kill_story"],
            env={**environment_of(hub.url, home), "HF_TOKEN": WRITER},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server,
    ):
        # Closing its input, which leaving the block does, ends it.
        yield Publishers(hub, server)


@pytest.fixture(scope="module")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishers]:
    with running_publishers(tmp_path_factory.mktemp("publishers")) as running:
        yield running


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An old and a new release; the new one has more files, large enough to be on their way."""
    root, text = tmp_path_factory.mktemp("folders"), random.Random(1).randbytes(100_000).hex()
    old = write_folder(root / "old", text="CD8A", n_shards=2)
    return str(old), str(write_folder(root / "new", text=text, n_shards=6))


def begin(publishers: Publishers, folder: str | None) -> Repo:
    """Return a repository with the release of a folder, or a new one."""
    publishers.hub.forget()
    repo = publishers.hub.create(REPO_ID)
    if folder is not None:
        assert publishers.publish(folder) == 0
        repo.tags = {"v-old": repo.commits[-1].oid}
    return copy.deepcopy(repo)


def begin_with(hub: LocalHub, repo: Repo) -> Repo:
    """Let the Hub hold this state and nothing else; return the state's copy that may change."""
    hub.forget()
    hub.repos[REPO_ID] = copy.deepcopy(repo)
    return hub.repos[REPO_ID]


def is_finished(found: Repo, before: Repo, folder: str) -> bool:
    """Whether there is one commit more, which holds the folder and has the tag."""
    is_tagged = found.tags.get("v-new") == found.commits[-1].oid
    is_one_more = len(found.commits) == len(before.commits) + 1
    return is_tagged and is_one_more and files_on_main(found) == files_in(folder)


def list_moments(log: list[str], n_kills: int, rng: random.Random) -> list[int]:
    """Return numbers of requests: half up to the commit, half behind it, spread over each part."""
    commit = 1 + next(i for i, line in enumerate(log) if "/commit/" in line)
    parts = [(1, commit), (commit + 1, len(log) - 1)]
    shares = [(number + rng.random()) / (n_kills // 2) for number in range(n_kills // 2)]
    return [first + int(share * (last + 1 - first)) for first, last in parts for share in shares]


@pytest.mark.parametrize("n_kills", [8, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_killed_publisher_leaves_the_old_or_the_new_release(
    publishers: Publishers, folders: tuple[str, str], is_first: bool, n_kills: int
) -> None:
    """Of a first release and of one over another; the next publisher ends it with one commit."""
    hub, (old, new), rng = publishers.hub, folders, random.Random(n_kills)
    base = begin(publishers, None if is_first else old)
    begin_with(hub, base)
    assert publishers.publish(new) == 0
    told: list[tuple[int, bool]] = []
    for at in list_moments(list(hub.log), n_kills, rng):
        repo = begin_with(hub, base)
        status = publishers.kill(new, at, rng.uniform(0, 0.01))
        told.append((status, files_on_main(repo) == files_in(new)))
        assert sees_one_release(hub, [None if is_first else old, new]), at
        assert publishers.publish(new) == 0, at
        assert is_finished(repo, base, new), at
    # The last moments may come when a process has just ended.
    assert sum(status == -signal.SIGKILL for status, _ in told) >= 0.75 * n_kills
    assert {is_new for _, is_new in told} == {True, False}


def test_a_publisher_of_several_commits_is_found_out(
    publishers: Publishers, folders: tuple[str, str]
) -> None:
    """The control: card and data in two commits; the same kills find what a reader would see."""
    hub, (old, new) = publishers.hub, folders
    base, n_mixtures = begin(publishers, old), 0
    begin_with(hub, base)
    assert publishers.publish(new, "publish_in_parts") == 0
    for at in range(1, len(hub.log)):
        begin_with(hub, base)
        publishers.kill(new, at, 0, "publish_in_parts")
        n_mixtures += not sees_one_release(hub, [old, new])
    assert n_mixtures > 0
