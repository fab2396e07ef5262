"""``manifest.json`` and ``croissant.json`` of a published folder: true, complete, valid, stable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlcroissant
import pandas as pd
import pyarrow.parquet as pq
import pytest

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError
from adata_assets.hub.croissant import CROISSANT
from adata_assets.hub.manifest import MANIFEST, read_manifest, state_dataset
from adata_assets_tests.datasets import Dataset, make_spec
from adata_assets_tests.promises.published import linked_file, read_all_rows, read_rows

# rdflib says so of its own code.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def manifest(demo: Dataset) -> dict[str, Any]:
    return read_manifest(demo.published)


def test_the_manifest_names_every_other_file(demo: Dataset, manifest: dict[str, Any]) -> None:
    folder = demo.published
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == there - {MANIFEST}
    for name, entry in manifest["files"].items():
        path = folder / name
        assert entry == {"n_bytes": path.stat().st_size, "sha256": sha256_of(path)}


def test_the_manifest_counts_rows(demo: Dataset, manifest: dict[str, Any]) -> None:
    for split, rows in read_rows(demo).items():
        told = manifest["tables"][f"data/{split}"]
        assert told["n_rows"] == len(rows)
        assert set(told["columns"]) == set(rows)


def test_the_manifest_names_the_linked_files(demo: Dataset, manifest: dict[str, Any]) -> None:
    rows = read_all_rows(demo)
    links = {*rows["share_link"], *rows["adata_link"]}
    files = {linked_file(demo, link).name: linked_file(demo, link) for link in links}
    assert set(manifest["shared_files"]) == set(files)
    for name, told in manifest["shared_files"].items():
        assert told["sha256"] == sha256_of(files[name])
        assert told["n_bytes"] == files[name].stat().st_size
    assert manifest["generation"]["annotated_obs"] == demo.load("annotated_obs").data_version


def test_the_manifest_holds_no_place(demo: Dataset, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest)
    assert "://" not in text
    assert "127.0.0.1" not in text
    assert str(demo.storage.root) not in text


def test_the_spec_hash_is_of_content_not_of_places() -> None:
    def hash_of(**fields: Any) -> str:
        return str(state_dataset(make_spec("/here/a.h5ad", **fields), {}, {})["spec_sha256"])

    assert hash_of() == hash_of(share={"store": "local", "base_url": "https://a.org"})
    assert state_dataset(make_spec("/there/b.h5ad"), {}, {})["spec_sha256"] == hash_of()
    assert hash_of(seed=1) != hash_of()


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a published folder"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text('{"made_by": "others"}')
    with pytest.raises(InputError, match="not a manifest of adata_assets"):
        read_manifest(tmp_path)


@pytest.fixture(scope="module")
def croissant(demo: Dataset) -> mlcroissant.Dataset:
    """The file as the reference implementation reads it; an error in it would raise."""
    return mlcroissant.Dataset(jsonld=demo.published / CROISSANT)


def test_croissant_is_valid(croissant: mlcroissant.Dataset) -> None:
    """1.1; the one thing recommended that is left out is a time, and a version made of it."""
    metadata = croissant.metadata
    assert metadata.ctx.conforms_to.value.endswith("/1.1")
    assert not metadata.ctx.issues.errors
    missing = {text.split('"')[1].rpartition("/")[2] for text in metadata.ctx.issues.warnings}
    assert missing == {"datePublished", "version"}
    assert metadata.license == ["https://spdx.org/licenses/cc-by-4.0"]


def test_croissant_leads_to_the_rows(demo: Dataset, croissant: mlcroissant.Dataset) -> None:
    for split, rows in read_rows(demo).items():
        found = pd.DataFrame(list(croissant.records(f"data/{split}")))
        found = found.rename(columns=lambda name: name.rpartition("/")[2]).map(bytes.decode)
        assert found[list(rows)].equals(rows)


def test_croissant_says_what_a_responsible_reader_asks(croissant: mlcroissant.Dataset) -> None:
    metadata = croissant.metadata
    assert "Zheng et al. 2017" in metadata.data_collection
    for field in (
        metadata.data_limitations,
        metadata.data_biases,
        metadata.data_preprocessing_protocol,
        metadata.data_annotation_protocol,
        metadata.personal_sensitive_information,
        metadata.data_use_cases,
    ):
        assert field
        assert all(field)


def test_croissant_knows_the_files_by_their_hash(demo: Dataset) -> None:
    told = json.loads((demo.published / CROISSANT).read_text())
    objects = {o["@id"]: o for o in told["distribution"] if o["@type"] == "cr:FileObject"}
    assert set(objects) == {
        path.relative_to(demo.published).as_posix() for path in demo.published.rglob("*.parquet")
    }
    for name, entry in objects.items():
        assert entry["sha256"] == sha256_of(demo.published / name)
    (train,) = [records for records in told["recordSet"] if records["@id"] == "data/train"]
    fields = [field["name"] for field in train["field"]]
    assert fields == pq.read_schema(demo.published / "data/train-00000-of-00001.parquet").names
