"""A release is held against its manifest and its links, as far as was asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from adata_assets.errors import InputError
from adata_assets.hub.manifest import MANIFEST, read_manifest, write_manifest
from adata_assets.hub.verify import verify_folder
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.hub.tiny_release import TinyRelease, change_manifest, rewrite
from adata_assets_tests.sockets import free_port

TEST = "data/test-00000-of-00001.parquet"


@pytest.fixture
def copy(demo: Dataset, tmp_path: Path) -> Path:
    """The demo's published folder, to be broken; its links are served."""
    return Path(shutil.copytree(demo.published, tmp_path / "release"))


def find(path: Path, level: str) -> list[str]:
    """Return what is found at a level."""
    return [f"{f.rule_id}: {f.text}" for f in verify_folder(path, level=level)[0]]  # type: ignore[arg-type]


def reseal(path: Path) -> None:
    """Write the manifest again, as if all were well."""
    told = read_manifest(path)
    (path / MANIFEST).unlink()
    write_manifest(path, {k: v for k, v in told.items() if k not in ("files", "tables")})


def replace(column: str, old: str, new: str) -> None:
    """Return a step that changes words of a column of the test rows."""
    return lambda table: table.set_column(
        table.column_names.index(column), column, pc.replace_substring(table[column], old, new)
    )


@pytest.mark.parametrize("level", ["head", "sample", "full"])
def test_the_demo_is_as_promised(demo: Dataset, level: str) -> None:
    findings, n_links = verify_folder(demo.published, level=level)  # type: ignore[arg-type]
    assert findings == []
    assert n_links == 2 * len(demo.graph.chunk_keys)


def test_links_that_nothing_serves(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/cells"

    def lead_nowhere(rows: dict[str, dict[str, list[str]]]) -> None:
        for columns in rows.values():
            for kind in ("share_link", "adata_link"):
                columns[kind] = [f"{nowhere}/{link.rpartition('/')[2]}" for link in columns[kind]]

    release = TinyRelease(tmp_path / "release", rows=lead_nowhere, publish=None)
    for level in ("head", "full"):
        found = find(release.path, level)
        assert len(found) == 4
        assert all("does not answer (ConnectionError)" in text for text in found)


def test_a_link_that_is_gone(copy: Path) -> None:
    rewrite(TEST, replace("share_link", ".h5ad", ".gone.h5ad"))(copy)
    reseal(copy)
    [text] = find(copy, "head")
    assert text.startswith("share_link-head: ")
    assert text.endswith("answers 404")


def test_a_link_that_serves_something_else(copy: Path) -> None:
    rows = pc.replace_substring

    def swap(table: pa.Table) -> pa.Table:
        place = table.column_names.index("adata_link")
        return table.set_column(place, "adata_link", rows(table["share_link"], "#", "#"))

    rewrite(TEST, swap)(copy)
    reseal(copy)
    assert any("which is no such file" in text for text in find(copy, "head"))


def test_a_file_of_another_size_or_with_other_bytes(copy: Path) -> None:
    name = next(n for n in read_manifest(copy)["shared_files"] if n.endswith(".h5ad"))
    change_manifest(lambda told: told["shared_files"][name].update(n_bytes=1))(copy)
    assert any("the manifest states 1" in text for text in find(copy, "head"))
    change_manifest(lambda told: told["shared_files"][name].update(sha256="0" * 64))(copy)
    assert any(name in text and "has sha256" in text for text in find(copy, "full"))


def test_a_file_with_other_cells_than_the_rows(copy: Path) -> None:
    rewrite(TEST, lambda table: table.slice(1))(copy)
    reseal(copy)
    found = find(copy, "full")
    assert any("1 of its cells are in no row that links it" in text for text in found)
    rewrite(TEST, replace("sample_idx", "-1", "-x"))(copy)
    reseal(copy)
    assert any("cells of the rows are not in it" in text for text in find(copy, "full"))


def test_a_damaged_file_of_the_folder(copy: Path) -> None:
    (copy / "README.md").write_text("other")
    [text] = find(copy, "head")
    assert text == "manifest-hashes-agree: README.md has other bytes than the manifest states"


def test_the_sample_is_drawn_by_its_seed(demo: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def note(link, path):
        read.append(link.url)
        return "0" * 64

    monkeypatch.setattr("adata_assets.hub.verify._download", note)
    drawn = []
    for seed in (0, 0, 1):
        read.clear()
        verify_folder(demo.published, level="sample", n_sampled=3, seed=seed)
        drawn.append(list(read))
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(urls) for urls in drawn] == [3, 3, 3]


def test_a_folder_that_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no manifest\.json"):
        verify_folder(tmp_path)
