"""The demo with its files on a Hub, as a reader without login finds it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import requests

from adata_assets_tests.datasets import Dataset
from adata_assets_tests.hub.local_hub import WRITER, LocalHub
from adata_assets_tests.promises.published import LINKS, read_all_rows, read_card
from adata_assets_tests.promises.strangers import (
    hash_as_stranger,
    recorded_links,
    require_files_of_rows,
    run_card,
)
from adata_assets_tests.servers.hf import DEMO_REPO_ID, client_of


def test_s7_every_file_is_in_the_repository_once(hf_demo: Dataset, demo_hub: LocalHub) -> None:
    links, repo = recorded_links(hf_demo), demo_hub.repos[DEMO_REPO_ID]
    held = {path for path in repo.commits[-1].files if path.startswith("chunks/")}
    assert held == {f"chunks/{name}" for name in links["remote_name"]}
    assert len(held) == 2 * len(hf_demo.graph.chunk_keys)
    assert len(repo.commits) == 2 + len(held)
    shown = re.search(r"^An example file: (\S+)$", read_card(hf_demo), flags=re.MULTILINE)
    assert shown is not None
    assert requests.get(shown[1], timeout=60).status_code == 200


def test_c11_files_are_only_added(hf_demo: Dataset, demo_hub: LocalHub) -> None:
    """C11: no commit changes or removes what an earlier one held."""
    commits = demo_hub.repos[DEMO_REPO_ID].commits[1:]
    for before, after in itertools.pairwise(commits):
        assert before.files.items() <= after.files.items()


def test_s13_s14_c10_each_row_leads_to_its_cell(hf_demo: Dataset, tmp_path: Path) -> None:
    require_files_of_rows(hf_demo, tmp_path)


def test_c11_a_stranger_gets_the_recorded_bytes(hf_demo: Dataset) -> None:
    """S16, C11: with an empty environment every published link answers with the right sha256."""
    links = recorded_links(hf_demo)
    found = hash_as_stranger(links["url"].tolist())
    assert found == dict(zip(links["url"], links["sha256"], strict=True))
    assert all(sha256[:16] in url for url, sha256 in found.items())
    assert set(read_all_rows(hf_demo)[LINKS].stack()) == set(found)


def test_s15_the_blocks_of_the_card_run_on_these_links(hf_demo: Dataset, tmp_path: Path) -> None:
    printed = run_card(hf_demo, tmp_path)
    assert [line for line in printed if re.fullmatch(r"Found sample: \(1, \d+\)", line)]


def test_s16_the_token_is_stored_nowhere(hf_demo: Dataset) -> None:
    for path in Path(hf_demo.storage.root.path).parent.rglob("*"):
        assert not path.is_file() or WRITER.encode() not in path.read_bytes(), path


def test_sharing_again_sends_and_commits_nothing(hf_demo: Dataset, demo_hub: LocalHub) -> None:
    n_commits = len(demo_hub.repos[DEMO_REPO_ID].commits)
    demo_hub.log.clear()
    with client_of(demo_hub.url, WRITER):
        hf_demo.succeed(forced={"share_links"})
    assert len(demo_hub.repos[DEMO_REPO_ID].commits) == n_commits
    assert not [line for line in demo_hub.log if line.startswith("PUT") or "/commit/" in line]
