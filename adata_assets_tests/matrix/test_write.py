"""Chunk files: stock readers open them, and the same AnnData gives the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy.sparse import csc_matrix, csr_matrix

from adata_assets.matrix.write import write_chunk_h5ad, write_chunk_zarr_zip
from adata_assets_tests.matrix.files import make_adata

Writer = Callable[[ad.AnnData, Path], None]


def write_zip(adata: ad.AnnData, path: Path) -> None:
    write_chunk_zarr_zip(adata, path, scratch=path.parent / "scratch")


def read_zip(path: Path) -> ad.AnnData:
    with zarr.storage.ZipStore(path, mode="r") as store:
        return ad.read_zarr(store)


WRITERS = {"h5ad": (write_chunk_h5ad, ad.read_h5ad), "zarr.zip": (write_zip, read_zip)}


@pytest.fixture
def chunk() -> ad.AnnData:
    """A chunk as an asset makes it, with None where users put it."""
    source = make_adata()
    rng = np.random.default_rng(0)
    return ad.AnnData(
        csr_matrix(source.layers["counts"], dtype="i4"),
        obs=source.obs.assign(
            nothing=np.full(40, None),
            flag=np.array([True, None] * 20, dtype=object),
            text=pd.array([f"text {i}" for i in range(40)], dtype="string"),
            code=pd.array(["p", None] * 20, dtype="string"),
        ),
        var=source.var,
        obsm={"X_pca": rng.normal(size=(40, 5)).astype("f4")},
        uns={"log1p": {"base": None}, "adata_assets": {"dataset_id": "a", "n": 3}, "no": None},
    )


@pytest.mark.parametrize("suffix", WRITERS)
def test_stock_readers_open_it(tmp_path: Path, chunk: ad.AnnData, suffix: str) -> None:
    """S14, C10: X, obs, var, obsm and uns come back."""
    write, read = WRITERS[suffix]
    path = tmp_path / f"chunk.{suffix}"
    write(chunk, path)
    found = read(path)
    assert (found.X != chunk.X).nnz == 0
    assert found.X.dtype == np.int32
    assert list(found.obs_names) == list(chunk.obs_names)
    np.testing.assert_array_equal(found.obsm["X_pca"], chunk.obsm["X_pca"])
    assert found.obsm["X_pca"].dtype == np.float32
    assert list(found.obs["note"].astype(object).where(found.obs["note"].notna(), None)) == list(
        chunk.obs["note"]
    )
    columns = ["donor_id", "score"]
    pd.testing.assert_frame_equal(found.obs[columns], chunk.obs[columns])
    assert list(found.obs["caption"]) == list(chunk.obs["caption"])
    assert found.obs["nothing"].isna().all()
    assert found.obs["flag"].tolist() == [True, pd.NA] * 20
    assert found.obs["text"].tolist() == chunk.obs["text"].tolist()
    assert found.obs["code"].dropna().tolist() == ["p"] * 20
    pd.testing.assert_frame_equal(found.var, chunk.var)
    assert found.uns == {"log1p": {}, "adata_assets": {"dataset_id": "a", "n": 3}}
    assert found[found.obs.index == "cell7"].shape == (1, 12)


@pytest.mark.parametrize("suffix", WRITERS)
def test_same_bytes_when_written_twice(tmp_path: Path, chunk: ad.AnnData, suffix: str) -> None:
    """C11: a name made of the hash of the bytes never changes its content."""
    write, _ = WRITERS[suffix]
    paths = [tmp_path / f"{name}.{suffix}" for name in ("first", "second")]
    write(chunk, paths[0])
    before = chunk.copy()
    write(chunk.copy(), paths[1])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    pd.testing.assert_frame_equal(chunk.obs, before.obs)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("form", [csc_matrix, lambda matrix: matrix.toarray()])
def test_only_csr(tmp_path: Path, chunk: ad.AnnData, suffix: str, form: Callable) -> None:
    chunk.X = form(chunk.X)
    with pytest.raises(TypeError, match="not a CSR matrix"):
        WRITERS[suffix][0](chunk, tmp_path / "chunk")


def test_h5ad_needs_no_plugin_and_holds_no_null(tmp_path: Path, chunk: ad.AnnData) -> None:
    """S14, C13: gzip and shuffle on every array, no element without a value."""
    path = tmp_path / "chunk.h5ad"
    write_chunk_h5ad(chunk, path)
    filters: dict[str, tuple[str | None, bool]] = {}
    encodings: dict[str, str] = {}

    def visit(name: str, found: h5py.Group | h5py.Dataset) -> None:
        encodings[name] = found.attrs.get("encoding-type", "")
        if isinstance(found, h5py.Dataset) and not name.startswith("uns/"):
            filters[name] = (found.compression, found.shuffle)

    with h5py.File(path) as file:
        file.visititems(visit)
    assert set(filters.values()) == {("gzip", True)}
    assert "null" not in encodings.values()
    assert "raw" not in encodings
    assert encodings["obs/note"] == "categorical"
    assert {encodings[f"obs/{name}"] for name in ("caption", "text")} == {"string-array"}
    assert encodings["obs/code/categories"] == "string-array"


def test_zarr_is_consolidated_and_holds_no_null(tmp_path: Path, chunk: ad.AnnData) -> None:
    """C10, C13: root of the zip is the zarr's, metadata consolidated, obs index by `_index`."""
    path = tmp_path / "chunk.zarr.zip"
    write_zip(chunk, path)
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r", use_consolidated=True)
        members = dict(group.members(max_depth=None))
        assert group.metadata.consolidated_metadata is not None
        assert group.metadata.zarr_format == 3
        assert group["obs"].attrs["_index"] == "_index"
        encodings = {str(member.attrs.get("encoding-type")) for member in members.values()}
        assert "dataframe" in encodings
        assert "null" not in encodings
        assert "raw" not in members


def test_zip_entries_are_sorted_stored_and_undated(tmp_path: Path, chunk: ad.AnnData) -> None:
    path = tmp_path / "chunk.zarr.zip"
    write_zip(chunk, path)
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert "zarr.json" in names
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert not list((tmp_path / "scratch").iterdir())


def test_raw_is_written_where_there_is_one(tmp_path: Path, chunk: ad.AnnData) -> None:
    chunk.raw = chunk.copy()
    write_chunk_h5ad(chunk, tmp_path / "chunk.h5ad")
    found = ad.read_h5ad(tmp_path / "chunk.h5ad")
    assert (found.raw.X != chunk.raw.X).nnz == 0
