"""The hf store: who may read, whose repository it is, what is sent, runs at once, its default."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share import (
    hub_files,
    load_dataset_settings,
    open_dataset_store,
    open_share_store,
)
from adata_assets.share.contract import ShareError, ShareLink, ShareStore, remote_name, sha256_of
from adata_assets.spec import DatasetSpec
from adata_assets_tests.conftest import demo_spec
from adata_assets_tests.hub.local_hub import READER, WRITER, LocalHub, Repo

OpenStore = Callable[[str], ShareStore]
REPO_ID = "lab/demo-files"


def put(store: ShareStore, file: Path) -> ShareLink:
    """Put a file under its own name."""
    return store.put(file, remote_name("0001-of-0002", sha256_of(file), ".h5ad"))


def asked(hub: LocalHub, start: str) -> list[str]:
    """Return the requests that begin so."""
    return [line for line in hub.log if line.startswith(start)]


@pytest.fixture
def store(open_hf_store: OpenStore) -> ShareStore:
    return open_hf_store("demo")


def hf_spec(publish: dict[str, object] | None, **settings: object) -> DatasetSpec:
    return demo_spec(publish=publish, license="CC-BY-4.0", share={"store": "hf", **settings})


def test_a_repository_is_made_public_and_marked(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    """One commit says whose files it holds and that they are large ones, the next adds the file."""
    link = put(store, chunk_file)
    repo = hub.repos[REPO_ID]
    assert not repo.private
    assert [c.title for c in repo.commits[1:]] == ["Hold files of demo", f"Add {link.remote_name}"]
    path = f"chunks/{link.remote_name}"
    names = {".gitattributes", "README.md", "adata_assets.json", path}
    assert set(repo.commits[-1].files) == names
    assert repo.commits[-1].is_lfs(path)
    assert link.url == f"{hub.url}/datasets/{REPO_ID}/resolve/main/{path}"


def test_what_is_there_is_neither_sent_nor_committed_again(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    put(store, chunk_file)
    n_commits = len(hub.repos[REPO_ID].commits)
    hub.log.clear()
    put(store, chunk_file)
    assert len(hub.repos[REPO_ID].commits) == n_commits
    assert not asked(hub, "PUT")
    assert not [line for line in hub.log if "/commit/" in line]


def test_a_file_that_arrived_is_named_without_sending_it_again(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    """Killed between upload and commit, or revoked since."""
    link = put(store, chunk_file)
    store.revoke(link.remote_name)
    hub.log.clear()
    store.probe(put(store, chunk_file))
    assert not asked(hub, "PUT")


def test_runs_at_once_all_get_their_turn(
    open_hf_store: OpenStore, hub: LocalHub, tmp_path: Path
) -> None:
    """Eight chunks start when there is no repository; every commit is on top of the one before."""
    together = threading.Barrier(8)

    def run(number: int) -> ShareLink:
        file = tmp_path / f"{number}.h5ad"
        file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes([number]) * 100)
        together.wait()
        return put(open_hf_store("demo"), file)

    with ThreadPoolExecutor(8) as runs:
        links = list(runs.map(run, range(8)))
    assert open_hf_store("demo").list() == sorted(link.remote_name for link in links)
    assert len(hub.repos[REPO_ID].commits) == 2 + 8


def test_somebody_else_commits_all_the_time(
    store: ShareStore, chunk_file: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_files, "_N_TURNS", 4)

    def commit(repo: Repo) -> None:
        repo.add("Somebody's", dict(repo.commits[-1].files))

    hub.before_commit = commit
    with pytest.raises(ShareError, match=r"somebody else committed.*4 times in a row"):
        put(store, chunk_file)
    assert len(asked(hub, "PUT")) <= 1


@pytest.mark.parametrize(
    ("private", "gated", "found"), [(True, False, "private"), (False, "manual", "gated")]
)
def test_a_repository_that_others_cannot_read_is_refused(
    store: ShareStore, chunk_file: Path, hub: LocalHub, private: bool, gated: str, found: str
) -> None:
    hub.create(REPO_ID, private=private).gated = gated
    with pytest.raises(ShareError, match=rf"{REPO_ID}.*is {found}.*make it public"):
        put(store, chunk_file)
    assert not asked(hub, "PUT")


def test_a_link_is_dead_when_the_repository_turned_private(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    link = put(store, chunk_file)
    hub.repos[REPO_ID].private = True
    for call in (store.probe, store.refresh):
        with pytest.raises(ShareError, match=link.remote_name):
            call(link)


def test_a_repository_holds_the_files_of_one_dataset(
    store: ShareStore, chunk_file: Path, hub: LocalHub, root: Path
) -> None:
    put(store, chunk_file)
    settings = {"repo_id": REPO_ID}
    other = open_share_store("hf", settings, root=UPath(root), dataset_id="other")
    with pytest.raises(ShareError, match="of another dataset.*share.repo_id"):
        put(other, chunk_file)
    with pytest.raises(ShareError, match="of another dataset"):
        other.revoke(store.list()[0])


def test_a_repository_with_other_files_is_refused(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    repo = hub.create(REPO_ID, private=False)
    repo.add("Data", {**repo.commits[-1].files, "data/x.csv": b"1"})
    with pytest.raises(ShareError, match=r"1 other file\(s\), e\.g\. data.*of their own"):
        put(store, chunk_file)


def test_what_somebody_put_there_is_found_and_mended(
    store: ShareStore, chunk_file: Path, hub: LocalHub
) -> None:
    """Another content under a file's path is replaced; a stray one is listed and discarded."""
    link, repo = put(store, chunk_file), hub.repos[REPO_ID]
    path, stray = f"chunks/{link.remote_name}", "0009-of-0009-0123456789abcdef.h5ad"
    repo.add("Spoil", {**repo.commits[-1].files, path: b"other", f"chunks/{stray}": b"x"})
    assert store.list() == []
    assert put(store, chunk_file) == link
    store.probe(link)
    assert store.list_unfinished() == [stray]
    store.discard_unfinished(stray)
    assert (store.list(), store.list_unfinished()) == ([link.remote_name], [])


def test_writing_needs_a_token_and_reading_none(
    store: ShareStore, chunk_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = put(store, chunk_file)
    monkeypatch.delenv("HF_TOKEN")
    assert store.list() == [link.remote_name]
    assert store.refresh(link) == link
    store.probe(link)
    with pytest.raises(InputError, match="HF_TOKEN is not set"):
        put(store, chunk_file)
    with pytest.raises(InputError, match="HF_TOKEN is not set"):
        store.revoke(link.remote_name)


@pytest.mark.parametrize(("token", "status"), [(READER, 403), ("hf_unknown0123456789", 401)])
def test_s16_a_refused_token_is_not_repeated(
    store: ShareStore,
    chunk_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    status: int,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ShareError, match=rf"answered {status} .*HF_TOKEN needs write") as caught:
        put(store, chunk_file)
    assert token not in str(caught.value) + repr(store) + repr(vars(store))
    assert WRITER not in str(caught.value)


def test_the_default_is_the_repository_of_the_release_with_files(hub: LocalHub, root: Path) -> None:
    spec = hf_spec({"repo_id": "lab/cells"})
    assert load_dataset_settings(spec).model_dump() == {"repo_id": "lab/cells-files"}
    assert open_dataset_store(spec, root=UPath(root)).list() == []
    given = hf_spec({"repo_id": "lab/cells"}, repo_id="lab/own")
    assert load_dataset_settings(given).model_dump() == {"repo_id": "lab/own"}


def test_without_a_release_the_repository_must_be_given() -> None:
    assert load_dataset_settings(hf_spec(None, repo_id="lab/own"))
    with pytest.raises(InputError, match=r"'hf': repo_id: .*owner/name"):
        load_dataset_settings(hf_spec(None))


@pytest.mark.parametrize("repo_id", ["cells", "a/b/c", "a/b--c", "a/b.git", "a/b c"])
def test_a_wrong_repository_is_refused(repo_id: str) -> None:
    with pytest.raises(InputError, match="repo_id: .*owner/name"):
        load_dataset_settings(hf_spec(None, repo_id=repo_id))


def test_the_repository_of_the_release_is_not_for_chunk_files() -> None:
    with pytest.raises(InputError, match=r"both lab/cells.*of their own"):
        load_dataset_settings(hf_spec({"repo_id": "lab/cells"}, repo_id="lab/cells"))
