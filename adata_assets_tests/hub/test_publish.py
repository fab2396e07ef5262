"""The release on the Hub: P8, S1, S10, and everything that must stop it, against a Hub of our own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from adata_assets.errors import InputError
from adata_assets.hub.manifest import write_manifest
from adata_assets.hub.publish import publish_folder
from adata_assets_tests.hub.local_hub import READER, WRITER, LocalHub, running_hub
from adata_assets_tests.hub.release_story import files_of
from adata_assets_tests.servers.hf import environment_of

BASE_URL = "https://cells.example.org"
REPO_ID = "lab/cells"
TAG = "v-0123456789abcdef"
CARD = "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
CARD += "    path: data/train-*\n---\n# Cells\n"


def run_story(
    hub: LocalHub,
    home: Path,
    verb: str,
    *,
    token: str | None = WRITER,
    story: str = "release_story",
    **arguments: Any,
) -> Any:
    """Run a verb of a story in a process that sees this Hub only."""
    module = f"adata_assets_tests.hub.{story}"
    done = subprocess.run(
        [sys.executable, "-m", module, verb, json.dumps(arguments)],
        env={**environment_of(hub.url, home), **({"HF_TOKEN": token} if token else {})},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert WRITER not in done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write_folder(
    folder: Path,
    *,
    base_url: str = BASE_URL,
    text: str = "CD3D",
    n_shards: int = 2,
    dataset_id: str = "cells",
) -> Path:
    """Write a small published folder."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for shard in range(n_shards):
        columns = {"cell_sentence_2": [text], "share_link": [f"{base_url}/cells/{shard}.h5ad"]}
        columns["adata_link"] = [f"{base_url}/cells/{shard}.zarr.zip"]
        name = f"train-{shard:05}-of-{n_shards:05}.parquet"
        pq.write_table(pa.table(columns), folder / "data" / name)
    write_manifest(folder, {"dataset_id": dataset_id})
    return folder


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with running_hub() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder")


def publish(hub: LocalHub, folder: Path, **options: Any) -> dict[str, Any]:
    """Publish in a process of its own; ``token`` is what is in its environment."""
    given = {"repo_id": REPO_ID, "dataset_id": "cells", "message": "A release", "tag": TAG}
    return run_story(hub, folder.parent, "publish", folder=str(folder), **{**given, **options})


def publish_here(folder: Path, repo_id: str = REPO_ID, files: dict[str, str] | None = None) -> str:
    """Return why a folder is refused before the Hub's client is even imported."""
    given = files_of(folder) if files is None else files
    with pytest.raises(InputError) as refused:
        publish_folder(folder, given, repo_id=repo_id, dataset_id="cells", message="A release")
    return str(refused.value)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalHub, dict[str, Any]]]:
    """A dataset from raw to the Hub, then twice more, and the Hub it went to."""
    root = tmp_path_factory.mktemp("released")
    with running_hub() as hub:
        told = run_story(
            hub, root, "materialize", root=str(root), repo_id=REPO_ID, base_url=BASE_URL
        )
        yield hub, told


def read_front_matter(card: bytes) -> dict[str, Any]:
    """Return the YAML of a card; empty for a card without."""
    text = card.decode()
    return dict(yaml.safe_load(text.split("---")[1])) if text.startswith("---\n") else {}


def test_a_dataset_is_released_as_one_tagged_commit(released) -> None:
    """P8: one commit beside the Hub's own; the second time nothing runs, forced nothing changes."""
    hub, told = released
    assert told["errors"] == []
    assert "hf_release" in told["stages"][0]
    assert told["stages"][1:] == [[], ["hf_release"]]
    repo = hub.repos[REPO_ID]
    assert repo.private
    assert len(repo.commits) == 2
    local = Path(told["published"])
    names = {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()}
    assert set(repo.commits[-1].files) == names | {".gitattributes"}
    assert all(repo.commits[-1].files[name] == (local / name).read_bytes() for name in names)
    assert list(repo.tags.values()) == [repo.commits[-1].oid]
    assert told["row_count"] == sum(told["n_rows"].values()) > 0


def test_the_check_compares_what_was_downloaded(released) -> None:
    _, told = released
    before, after = told["breaches"]
    assert before == []
    assert after[0].startswith("README.md: pushed ")


def test_s1_the_metadata_is_there_after_publishing(released) -> None:
    """S1: every key of the front matter, as it was written."""
    hub, told = released
    found = read_front_matter(hub.repos[REPO_ID].commits[-1].files["README.md"])
    assert found == read_front_matter((Path(told["published"]) / "README.md").read_bytes())
    assert found["language"] == ["code"]
    assert {"multimodal", "omics", "sentence-transformers", "anndata"} <= set(found["tags"])
    assert found["license"] == "cc-by-4.0"
    assert found["task_categories"] == ["zero-shot-classification"]
    assert {"pretty_name", "configs", "dataset_info", "size_categories"} <= set(found)


def test_s10_the_published_id_loads_without_a_config_name(released, tmp_path: Path) -> None:
    """S10: through the Hub the same splits, features and rows as from the folder."""
    hub, told = released
    from_hub = run_story(hub, tmp_path, "load", path=REPO_ID)
    assert list(from_hub) == ["train", "validation", "test"]
    assert from_hub == run_story(hub, tmp_path, "load", path=told["published"])
    card = hub.repos[REPO_ID].commits[-1].files["README.md"].decode()
    assert f'load_dataset("{REPO_ID}")' in card


def test_every_config_loads_from_the_hub_and_streams(released, tmp_path: Path) -> None:
    hub, _ = released
    found = run_story(hub, tmp_path, "load_all", path=REPO_ID)
    assert list(found) == ["default", "cells", "labels"]
    assert list(found["default"]) == list(found["cells"]) == ["train", "validation", "test"]
    assert all(split["streams"] for splits in found.values() for split in splits.values())
    rows = [[split["n_rows"] for split in found[name].values()] for name in ("default", "cells")]
    assert rows[0] == rows[1]
    assert sum(rows[0]) > 0


def test_p8_the_old_way_makes_two_commits_and_loses_the_metadata(hub, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    run_story(hub, tmp_path, "publish_as_before", folder=str(folder), repo_id="lab/old")
    first, second = hub.repos["lab/old"].commits[-2:]
    assert read_front_matter(first.files["README.md"])["configs"]
    assert read_front_matter(second.files["README.md"]) == {}
    assert publish(hub, folder)["n_files"] == 4
    own = hub.repos[REPO_ID].commits
    assert len(own) == 2
    assert read_front_matter(own[-1].files["README.md"])["configs"]


def test_equal_content_makes_no_second_commit(hub, folder: Path) -> None:
    first = publish(hub, folder)
    assert publish(hub, folder) == first
    assert len(hub.repos[REPO_ID].commits) == 2


def test_files_that_are_no_longer_part_go_in_the_same_commit(hub, folder, tmp_path) -> None:
    publish(hub, folder)
    smaller = write_folder(tmp_path / "smaller", text="CD4", n_shards=1)
    told = publish(hub, smaller, tag="v-fedcba9876543210")
    repo = hub.repos[REPO_ID]
    assert [commit.title for commit in repo.commits] == ["initial commit"] + ["A release"] * 2
    shard = "data/train-00000-of-00001.parquet"
    assert set(told["downloaded"]) == {"README.md", "manifest.json", shard}
    assert set(repo.commits[-1].files) == {*told["downloaded"], ".gitattributes"}
    assert repo.tags == {TAG: repo.commits[1].oid, "v-fedcba9876543210": told["commit"]}


def test_an_interrupted_release_is_finished_without_a_second_commit(hub, folder: Path) -> None:
    """Killed between the commit and the tag, or the reply to the commit was lost."""
    first = publish(hub, folder, tag=None)
    assert hub.repos[REPO_ID].tags == {}
    again = publish(hub, folder)
    assert hub.repos[REPO_ID].tags == {TAG: again["commit"]} == {TAG: first["commit"]}


def test_other_bytes_that_come_back_are_not_tagged(hub, folder: Path) -> None:
    hub.damaged.add("data/train-00001-of-00002.parquet")
    error = publish(hub, folder)["error"]
    assert "does not hold what was pushed: data/train-00001-of-00002.parquet is " in error
    assert hub.repos[REPO_ID].tags == {}


def test_a_tag_of_other_content_is_told(hub, folder: Path) -> None:
    repo = hub.create(REPO_ID)
    repo.tags[TAG] = repo.commits[0].oid
    assert f"tag {TAG} stands for other content" in publish(hub, folder)["error"]


def test_a_foreign_repository_is_left_alone(hub, folder: Path) -> None:
    hub.create(REPO_ID).add("theirs", {"README.md": b"# Theirs", "data/a.parquet": b"PAR1"})
    error = publish(hub, folder)["error"]
    assert "lab/cells holds 2 file(s) that no release of cells made, e.g. README.md" in error
    assert "publish.repo_id" in error
    assert len(hub.repos[REPO_ID].commits) == 2
    assert not hub.uploads


def test_a_release_of_another_dataset_is_left_alone(hub, folder: Path) -> None:
    publish(hub, folder)
    error = publish(hub, folder, dataset_id="others")["error"]
    assert "holds the release of dataset cells, not of others" in error


def test_private_content_does_not_go_into_a_public_repository(hub, folder: Path) -> None:
    hub.create(REPO_ID, private=False)
    assert "lab/cells is public but publish.private is true" in publish(hub, folder)["error"]
    assert not hub.uploads
    assert publish(hub, folder, private=False)["n_files"] == 4


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8765", "http://localhost", "/storage"])
def test_links_of_this_machine_are_refused_before_anything_is_sent(tmp_path, base_url) -> None:
    error = publish_here(write_folder(tmp_path / "folder", base_url=base_url))
    assert f"train-00000-of-00002.parquet, share_link: {base_url}/cells/0.h5ad" in error
    assert "share.base_url" in error


@pytest.mark.parametrize(
    ("token", "words"), [("", "HF_TOKEN is not set"), ("hf_a b", "HF_TOKEN holds characters")]
)
def test_a_token_that_cannot_be_sent(folder, monkeypatch, token, words) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    error = publish_here(folder)
    assert error.startswith(words)
    assert "hf_a" not in error


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("hf_unknown", "does not accept the token in HF_TOKEN (401"),
        (READER, "may not write there (403, you lack write access"),
    ],
)
def test_a_token_that_the_hub_refuses(hub, folder, token, words) -> None:
    error = publish(hub, folder, token=token)["error"]
    assert error.startswith("InputError: ")
    assert words in error
    assert token not in error
    assert hub.repos == {}


@pytest.mark.parametrize("repo_id", ["", "cells", "a/b/c"])
def test_a_repository_without_owner_or_name(folder, repo_id) -> None:
    assert f"publish.repo_id is {repo_id!r}: give owner/name" in publish_here(folder, repo_id)


def test_a_hub_that_cannot_be_reached(folder: Path) -> None:
    nowhere = LocalHub("http://127.0.0.1:9")
    assert (
        "the Hub cannot be reached (ConnectError" in publish(nowhere, folder, waits_s=[])["error"]
    )


def test_a_folder_without_a_card(folder: Path) -> None:
    (folder / "README.md").unlink()
    assert "README.md is not among the files" in publish_here(folder)


def test_other_bytes_than_were_stored(folder: Path) -> None:
    files = {**files_of(folder), "data/train-00000-of-00002.parquet": "0" * 64}
    assert "is missing or not what was stored" in publish_here(folder, files=files)
