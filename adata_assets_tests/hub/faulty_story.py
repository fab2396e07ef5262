"""Publishers that are killed or answered wrongly, in a process of their own with its own Hub.

Run as ``python -m … <verb> <JSON arguments>`` like `release_story`; HF_ENDPOINT says where the Hub
is to listen.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adata_assets.hub.publish import publish_folder
from adata_assets_tests.hub.faulty_client import Fault, FaultyTransport, Killed
from adata_assets_tests.hub.local_hub import LocalHub, Repo, running_hub
from adata_assets_tests.hub.release_story import files_of

REPO_ID = "lab/cells"
Files = dict[str, bytes]


def publish(folder: str, transport: FaultyTransport, **options: Any) -> dict[str, Any]:
    """Publish through a transport; an error is an answer too."""
    transport.install()
    given = {"repo_id": REPO_ID, "dataset_id": "cells", "message": "A release", **options}
    try:
        return asdict(publish_folder(Path(folder), files_of(Path(folder)), **given))
    except (ValueError, RuntimeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def publish_in_parts(folder: str, transport: FaultyTransport) -> None:
    """The control: the card in one commit, the data in another."""
    from huggingface_hub import HfApi

    transport.install()
    for pattern in ("data/*", "*.*"):
        HfApi().upload_folder(
            folder_path=folder, repo_id=REPO_ID, repo_type="dataset", allow_patterns=pattern
        )


def kill(old: str, new: str, every: int) -> dict[str, Any]:
    """Look at the Hub before and after each request, which is what a publisher killed there leaves.

    At each ``every``-th request it is killed for real, and another publisher goes on.

    Returns
    -------
    ``n_points``; ``mixtures``, points at which a reader sees neither the old nor the new release;
    ``n_killed``; ``unfinished``, kills after which the other publisher does not end with one commit
    and one tag; ``control``, mixtures of a publisher of several commits.
    """
    told: dict[str, Any] = {"n_points": 0, "mixtures": [], "n_killed": 0, "unfinished": []}
    with _hub() as hub:
        for base in (None, old):
            repo = released(hub, base)

            def look(base: str | None = base) -> None:
                told["n_points"] += 1
                if not sees_one_release(hub, [base, new]):
                    told["mixtures"].append([base, told["n_points"]])

            hub.repos, hub.uploads = {REPO_ID: copy.deepcopy(repo)}, {}
            transport = FaultyTransport(look=look)
            assert "error" not in publish(new, transport, tag="v-new")
            for at in range(1, transport.n_requests + 1, every):
                told["n_killed"] += 1
                _kill_at(hub, repo, new, at, after=bool(told["n_killed"] % 2))
                is_whole = sees_one_release(hub, [base, new])
                if not (is_whole and _finishes(hub, repo, new)):
                    told["unfinished"].append([base, at])
        told["control"] = _count_control_mixtures(hub, old, new)
    return told


def fail(old: str, new: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Publish ``new`` over ``old`` under each case's faults; say how it ended."""
    waits: list[float] = []
    time.sleep = waits.append
    with _hub() as hub:
        base, told = released(hub, old), []
        for case in cases:
            hub.repos, hub.uploads, waits[:] = {REPO_ID: copy.deepcopy(base)}, {}, []
            faults = [Fault(**fault) for fault in case["faults"]]
            answer = publish(new, FaultyTransport(faults=faults), tag="v-new")
            repo = hub.repos[REPO_ID]
            told.append(
                {
                    "error": answer.get("error"),
                    "titles": [commit.title for commit in repo.commits],
                    "is_new": files_on_main(repo) == files_in(new),
                    "tags": {
                        tag: repo.at(oid).oid == repo.commits[-1].oid
                        for tag, oid in repo.tags.items()
                    },
                    "waits": list(waits),
                    "left": [fault.times for fault in faults],
                }
            )
    return told


def stale(old: str, new: str, theirs: dict[str, str], n_times: int) -> dict[str, Any]:
    """Publish while somebody else commits ``theirs`` in between, ``n_times``."""
    time.sleep = lambda seconds: None
    with _hub() as hub:
        hub.repos = {REPO_ID: copy.deepcopy(released(hub, old))}
        added = {path: text.encode() for path, text in theirs.items()}
        left = [None] * n_times

        def commit_theirs(repo: Repo) -> None:
            if left:
                left.pop()
                repo.add("theirs", {**repo.commits[-1].files, **added})

        hub.before_commit = commit_theirs
        answer = publish(new, FaultyTransport(), tag="v-new")
        repo = hub.repos[REPO_ID]
        return {
            "error": answer.get("error"),
            "titles": [commit.title for commit in repo.commits],
            "is_new": files_on_main(repo) == files_in(new),
        }


def _hub() -> Any:
    return running_hub(urlsplit(os.environ["HF_ENDPOINT"]).port)


def released(hub: LocalHub, folder: str | None) -> Repo:
    """Return the only repository of a Hub, made anew, with the release of a folder."""
    hub.repos = {}
    if folder is None:
        return hub.create(REPO_ID)
    assert "error" not in publish(folder, FaultyTransport(), tag="v-old")
    return hub.repos[REPO_ID]


def _kill_at(hub: LocalHub, repo: Repo, folder: str, at: int, *, after: bool) -> None:
    # What was uploaded before is not sent again; so each point begins without it.
    hub.repos, hub.uploads = {REPO_ID: copy.deepcopy(repo)}, {}
    try:
        publish(folder, FaultyTransport(kill_at=at, after=after), tag="v-new", waits_s=())
    except Killed:
        return


def sees_one_release(hub: LocalHub, folders: list[str | None]) -> bool:
    """Whether main and every tag hold exactly the files of one of these folders."""
    repo, whole = hub.repos[REPO_ID], [files_in(folder) for folder in folders]
    tagged = [_plain(repo.at(oid).files) for oid in repo.tags.values()]
    return all(seen in whole for seen in [files_on_main(repo), *tagged])


def _finishes(hub: LocalHub, repo: Repo, folder: str) -> bool:
    answer = publish(folder, FaultyTransport(), tag="v-new", waits_s=())
    found = hub.repos[REPO_ID]
    is_tagged = found.tags.get("v-new") == found.commits[-1].oid == answer.get("commit")
    return (
        is_tagged
        and len(found.commits) == len(repo.commits) + 1
        and files_on_main(found) == files_in(folder)
    )


def _count_control_mixtures(hub: LocalHub, old: str, new: str) -> int:
    repo, n_mixtures, at = released(hub, old), 0, 0
    while True:
        at += 1
        hub.repos, hub.uploads = {REPO_ID: copy.deepcopy(repo)}, {}
        try:
            publish_in_parts(new, FaultyTransport(kill_at=at))
        except Killed:
            n_mixtures += not sees_one_release(hub, [old, new])
            continue
        return n_mixtures


def files_on_main(repo: Repo) -> Files:
    """Return what a reader gets, without the Hub's own file."""
    return _plain(repo.commits[-1].files)


def _plain(files: Files) -> Files:
    return {path: content for path, content in files.items() if path != ".gitattributes"}


def files_in(folder: str | None) -> Files:
    """Return the files of a folder; of None, which stands for a new repository, none."""
    if folder is None:
        return {}
    return {name: (Path(folder) / name).read_bytes() for name in files_of(Path(folder))}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
