"""C: what the training library needs of a dataset, on generated cells and on the demo."""

from __future__ import annotations

import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import requests
import zarr

from adata_assets.commit import sha256_of
from adata_assets.schemas.slots import UNS_KEY
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.families import copy_of
from adata_assets_tests.promises.published import (
    linked_file,
    read_all_rows,
    read_files,
    read_rows,
    read_zarr_zip,
)

SENTENCES = ["cell_sentence_1", "cell_sentence_2"]
ENDS = ["share_link", "adata_link"]


@pytest.fixture(params=["donors", "pairs", "test_only"])
def any_format(request: pytest.FixtureRequest) -> Dataset:
    """A dataset of each format: multiplets, pairs, single."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def trimmed(donors: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The donors once more in their own root, with one obs column of the source published."""
    root = tmp_path_factory.mktemp("trimmed")
    return copy_of(donors, root, publish_obs=("cell_type",)).succeed()


def test_c1_a_folder_loads_like_the_hub(any_format: Dataset, tmp_path: Path) -> None:
    """Also ``load_from_disk`` of the saved ``DatasetDict``; what is loaded is what was written."""
    from datasets import load_dataset, load_from_disk

    names = sorted(path.name for path in (any_format.published / "data").iterdir())
    splits = read_rows(any_format)
    assert names == sorted(f"{split}-00000-of-00001.parquet" for split in splits)
    loaded = load_dataset(str(any_format.published), cache_dir=str(tmp_path / "cache"))
    loaded.save_to_disk(str(tmp_path / "saved"))
    for found in (loaded, load_from_disk(str(tmp_path / "saved"))):
        assert list(found) == list(splits)
        for split, rows in splits.items():
            pd.testing.assert_frame_equal(found[split].to_pandas(), rows)


def test_c2_training_sets_have_train_and_validation(donors: Dataset, pairs: Dataset) -> None:
    assert list(read_rows(donors)) == ["train", "validation", "test"]
    assert list(read_rows(pairs)) == ["train", "validation"]


def test_c2_a_test_only_set_has_nothing_but_test(test_only: Dataset) -> None:
    rows = read_rows(test_only)
    assert list(rows) == ["test"]
    annotated = test_only.load("annotated_obs")
    assert annotated.metadata["split_sizes"] == {"test": len(rows["test"])}


def test_c3_all_splits_have_identical_features(any_format: Dataset) -> None:
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(path) for path in sorted((any_format.published / "data").iterdir())]
    assert all(s.equals(schemas[0], check_metadata=True) for s in schemas)


def test_c4_ids_are_unique_over_all_splits(any_format: Dataset) -> None:
    ids = read_all_rows(any_format)["sample_idx"]
    n_per_cell = 2 if any_format.spec.format == "pairs" else 1
    assert ids.notna().all()
    assert ids.value_counts().eq(n_per_cell).all()
    assert not ids.str.startswith("omics:").any()
    names = [name for adata in read_files(any_format).values() for name in adata.obs_names]
    assert sorted(names) == sorted(ids.unique())


def test_c5_sentences_are_the_id_and_genes_by_falling_expression(any_format: Dataset) -> None:
    rows = read_all_rows(any_format).drop_duplicates("sample_idx")
    assert rows["cell_sentence_1"].equals(rows["sample_idx"])
    by_id = rows.set_index("sample_idx")["cell_sentence_2"]
    for adata in read_files(any_format).values():
        column_of = {symbol: i for i, symbol in enumerate(adata.var["symbol"])}
        counts = adata.X.toarray()
        for name, own in zip(adata.obs_names, counts, strict=True):
            listed = own[[column_of[symbol] for symbol in by_id[name].split(" ")]]
            assert (np.diff(listed) <= 0).all()
            assert listed.min() > 0
            n_genes = min(any_format.spec.sentences.length, (own > 0).sum())
            assert len(listed) == n_genes


def test_c6_multiplets_have_valid_negatives_of_their_split(donors: Dataset) -> None:
    """Each slot names another cell of the split whose known cell type contradicts the caption."""
    annotated = donors.load("annotated_obs")
    type_of = read_table(annotated.local("obs.parquet")).set_index("sample_idx")["cell_type"]
    slots = ["negative_1_idx", "negative_2_idx"]
    for rows in read_rows(donors).values():
        assert list(rows) == ["sample_idx", *SENTENCES, "positive", *slots, *ENDS]
        assert [name for name in rows if name.startswith("negative")] == slots
        own = rows["sample_idx"].map(type_of)
        for slot in slots:
            assert rows[slot].isin(rows["sample_idx"]).all()
            assert (rows[slot].map(type_of).to_numpy() != own.to_numpy()).all()


def test_c6_cells_without_a_caption_left_with_a_reason(donors: Dataset) -> None:
    obs = read_table(donors.load("annotated_obs").local("obs.parquet"))
    unlabelled = obs[obs["cell_type"].isna()]
    assert len(unlabelled) > 10
    assert set(unlabelled["removed_rule"]) <= {"no_caption", "min_genes"}
    assert not set(unlabelled["sample_idx"]) & set(read_all_rows(donors)["sample_idx"])


def test_c8_pairs_have_a_true_and_a_false_row(pairs: Dataset) -> None:
    annotated = pairs.load("annotated_obs")
    caption_of = read_table(annotated.local("obs.parquet")).set_index("sample_idx")["caption"]
    for rows in read_rows(pairs).values():
        assert list(rows) == ["sample_idx", *SENTENCES, "caption", "label", *ENDS]
        assert rows["label"].tolist() == [1.0, 0.0] * (len(rows) // 2)
        own = rows["sample_idx"].map(caption_of)
        assert ((rows["caption"] == own) == (rows["label"] == 1.0)).all()
        assert rows["caption"].isin(own).all()


def test_c9_single_rows_have_no_text(test_only: Dataset) -> None:
    """Cells without a caption stay: nothing is asked of them."""
    rows = read_rows(test_only)["test"]
    assert list(rows) == ["sample_idx", *SENTENCES, *ENDS]
    obs = read_table(test_only.load("annotated_obs").local("obs.parquet"))
    assert obs.loc[obs["keep"], "caption"].isna().any()
    assert set(obs.loc[obs["keep"], "sample_idx"]) == set(rows["sample_idx"])


def test_c10_the_zip_is_the_zarr_root_and_holds_the_same(demo: Dataset, tmp_path: Path) -> None:
    chunks = read_all_rows(demo)[ENDS].drop_duplicates()
    assert len(chunks) == len(demo.graph.chunk_keys)
    for share_link, adata_link in chunks.itertuples(index=False):
        assert urlsplit(share_link).path.endswith(".h5ad")
        path = tmp_path / "chunk.zarr.zip"
        path.write_bytes(requests.get(adata_link).content)
        with zipfile.ZipFile(path) as archive:
            assert "zarr.json" in archive.namelist()
        found, expected = read_zarr_zip(path), ad.read_h5ad(linked_file(demo, share_link))
        assert list(found.obs_names) == list(expected.obs_names)
        assert (found.X != expected.X).nnz == 0
        assert sorted(found.obsm) == sorted(expected.obsm) == ["X_hvg", "X_pca"]
        for key, values in expected.obsm.items():
            np.testing.assert_array_equal(found.obsm[key], values)


def test_c11_new_bytes_get_a_new_link_and_old_links_stay(donors: Dataset, trimmed: Dataset) -> None:
    before, after = read_all_rows(donors), read_all_rows(trimmed)
    for kind in ENDS:
        assert not set(before[kind]) & set(after[kind])
        for link in {*before[kind], *after[kind]}:
            file = linked_file(trimmed, link)
            assert sha256_of(file)[:16] == file.name.split("-")[-1].split(".")[0]
    for key in donors.graph.chunk_keys:
        own = read_table(donors.load("share_links", key).local("share_links.parquet"))
        assert all(sha256_of(linked_file(trimmed, r.url)) == r.sha256 for r in own.itertuples())


def test_c12_embeddings_are_dense_float32_of_one_width(donors: Dataset) -> None:
    widths = set()
    for adata in read_files(donors).values():
        assert sorted(adata.obsm) == ["X_hvg", "X_pca"]
        for values in adata.obsm.values():
            assert isinstance(values, np.ndarray)
            assert (values.ndim, values.dtype) == (2, np.float32)
            assert np.isfinite(values).all()
        widths.add(tuple(adata.obsm[key].shape[1] for key in sorted(adata.obsm)))
    assert widths == {(20, 5)}


def test_c13_the_zarr_is_consolidated_and_holds_no_null(donors: Dataset) -> None:
    for link in read_all_rows(donors)["adata_link"].unique():
        with zarr.storage.ZipStore(linked_file(donors, link), mode="r") as store:
            root = zarr.open_group(store, mode="r")
            assert root.metadata.consolidated_metadata is not None
            kinds = {name: item.attrs.get("encoding-type") for name, item in _walk(root)}
            assert "null" not in kinds.values()
            assert "raw" not in kinds
            assert root["obs"].attrs["_index"] in root["obs"]


def _walk(group: zarr.Group) -> list[tuple[str, zarr.Group | zarr.Array]]:
    found: list[tuple[str, zarr.Group | zarr.Array]] = []
    for name, item in group.members(max_depth=None):
        found.append((name, item))
    return found


def test_c14_original_columns_stay_untouched(donors: Dataset, source: Path) -> None:
    """Columns of the pipeline that would collide get a prefix."""
    raw = ad.read_h5ad(source).obs
    for adata in read_files(donors).values():
        own = raw.loc[adata.obs_names]
        for name in raw.columns:
            expected, found = own[name].astype(object), adata.obs[name].astype(object)
            assert found.tolist() == expected.tolist(), name
        assert set(own["split"]) == {"left", "right"}
        assert set(adata.obs["adata_assets_split"]) == {adata.uns[UNS_KEY]["split"]}
        added = set(adata.obs.columns) - set(raw.columns)
        assert {"adata_assets_split", "adata_assets_caption_id", "caption"} <= added


def test_c14_only_columns_that_are_named_are_published(trimmed: Dataset) -> None:
    raw_names = {"donor_id", "tissue", "score", "split", "caption_id"}
    for adata in read_files(trimmed).values():
        assert "cell_type" in adata.obs
        assert not raw_names & set(adata.obs.columns)
