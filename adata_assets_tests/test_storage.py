"""Artefacts are whole or not there; readers and writers never meet half-way."""

from __future__ import annotations

import json
import os
import threading

import pytest
from upath import UPath

from adata_assets.artefact import require_one_generation
from adata_assets.errors import InputError
from adata_assets.storage import Storage


@pytest.fixture(params=["folder", "memory"])
def storage(request, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    root = UPath(tmp_path / "root") if request.param == "folder" else UPath(f"memory://{tmp_path}")
    return Storage(root, scratch)


def put(storage, stage, text, partition_key=None, *, inputs=(), code_version="1"):
    with storage.draft(
        "d", stage, partition_key, code_version=code_version, inputs=inputs
    ) as draft:
        (draft.folder / "a").mkdir()
        (draft.folder / "a" / "b.txt").write_text(text)
    return draft.committed


def test_an_artefact_comes_back_as_it_was_stored(storage):
    stored = put(storage, "counts", "one", "0001-of-0002")
    found = storage.load("d", "counts", "0001-of-0002")
    assert found.data_version == stored.data_version
    assert found.path("a/b.txt").read_text() == "one"
    assert not list(storage.scratch.iterdir())


def test_equal_content_has_an_equal_version(storage):
    first, second = put(storage, "counts", "one"), put(storage, "counts", "one")
    assert first.data_version == second.data_version
    assert first.folder != second.folder
    assert put(storage, "counts", "two").data_version != first.data_version


def test_p14_a_failing_draft_leaves_the_last_one_and_nothing_else(storage):
    put(storage, "counts", "one")
    with (
        pytest.raises(RuntimeError, match="boom"),
        storage.draft("d", "counts", code_version="1") as draft,
    ):
        (draft.folder / "half").write_text("x")
        raise RuntimeError("boom")
    assert storage.load("d", "counts").path("a/b.txt").read_text() == "one"
    assert not draft.folder.exists()


def test_p18_files_that_no_manifest_names_do_not_exist(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    stray = tmp_path / "d" / "counts" / "0000000000000000-00000000"
    stray.mkdir(parents=True)
    (stray / "b.txt").write_text("stale")
    assert storage.find("d", "counts") is None
    with pytest.raises(InputError, match="d/counts is not in .* materialize it first"):
        storage.load("d", "counts")


def test_one_version_back_stays_for_readers(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    versions = [put(storage, "counts", text) for text in ("one", "two", "three")]
    assert [v.folder.exists() for v in versions] == [False, True, True]


def test_p14_a_flipped_byte_is_found(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    artefact = put(storage, "counts", "one")
    artefact.local("a/b.txt").write_text("onf")
    assert artefact.damaged_files() == ["a/b.txt: other bytes than were stored"]
    artefact.local("a/b.txt").unlink()
    assert artefact.damaged_files() == ["a/b.txt: missing"]


def test_p18_mixed_generations_are_refused_by_name(storage):
    old = put(storage, "counts", "one")
    chunk = put(storage, "cell_texts", "x", "0001-of-0002", inputs=[old])
    new = put(storage, "counts", "two")
    other = put(storage, "cell_texts", "x", "0002-of-0002", inputs=[new])
    with pytest.raises(InputError, match="cell_texts@0001-of-0002.*cell_texts@0002-of-0002"):
        require_one_generation([chunk, other])
    with pytest.raises(InputError, match="generations are mixed"):
        put(storage, "hf_splits", "x", inputs=[new, chunk, other])
    assert storage.find("d", "hf_splits") is None


def test_p8_the_published_link_moves_in_one_step(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    link = tmp_path / "d" / "hf_splits"
    put(storage, "hf_splits", "0")
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            folder = link.resolve()
            seen.add((folder / "a" / "b.txt").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(1, 30):
        put(storage, "hf_splits", str(i))
    stop.set()
    reader.join()
    assert link.is_symlink()
    assert seen <= {str(i) for i in range(30)}


def test_drafts_of_killed_runs_are_removed_after_a_day(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    put(storage, "counts", "one")
    old, new = (tmp_path / "d" / "counts" / f".draft-{name}" for name in ("old", "new"))
    for draft in (old, new):
        draft.mkdir()
    os.utime(old, (0, 0))
    put(storage, "counts", "two")
    assert (old.exists(), new.exists()) == (False, True)


def test_writers_at_the_same_time_end_with_one_whole_artefact(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    threads = [threading.Thread(target=put, args=(storage, "counts", "same")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.load("d", "counts").path("a/b.txt").read_text() == "same"
    assert not [p for p in (tmp_path / "d" / "counts").iterdir() if p.name.startswith(".draft")]


def test_a_manifest_keeps_the_order_of_its_facts(tmp_path):
    storage = Storage(UPath(tmp_path), tmp_path)
    with storage.draft("d", "annotated_obs", code_version="1") as draft:
        draft.metadata["split_sizes"] = {"train": 3, "validation": 2, "test": 1}
    found = storage.load("d", "annotated_obs").metadata["split_sizes"]
    assert list(json.loads(json.dumps(found))) == ["train", "validation", "test"]
