"""``precomputed``: published vectors are taken by cell id, whole and unchanged, or refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.model import FrozenModel, load_model, save_model
from adata_assets.embedders.contract import Embedder, GivenData, load_embedder
from adata_assets.errors import InputError
from adata_assets.matrix.safe import UnsafeFileError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.datasets import make_cells, write_cells
from adata_assets_tests.matrix.files import write_zarr

IDS = np.array([f"cell{i:05d}" for i in range(60)])
VECTORS = np.random.default_rng(1).normal(size=(60, 7))


def small_settings(stored, folder):
    """Settings for the contract: vectors of all its cells, in another order."""
    vectors = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float16)
    ids = stored.sample_ids.astype(str)[::-1]
    np.savez(folder / "vectors.npz", obs_names=ids, emb=vectors)
    return {"path": str(folder / "vectors.npz")}


def embedder(**settings: object) -> Embedder:
    return load_embedder(EmbedderSpec(name="e", method="precomputed", **settings))


def freeze(published=IDS, files=(), folder=None, **settings) -> FrozenModel:
    given = GivenData(np.asarray(published, dtype=object), tuple(files), folder)
    return embedder(**settings).freeze(SimpleNamespace(sample_ids=given.sample_ids), given)


def vectors_of(model: FrozenModel, ids=IDS) -> np.ndarray:
    cells = SimpleNamespace(sample_ids=np.asarray(ids, dtype=object))
    return embedder(path="x.npz").embed(cells, model)


def raw_file(path: Path, name: str = "raw") -> SimpleNamespace:
    return SimpleNamespace(path=str(path), name=name)


def save_npz(folder: Path, **arrays: object) -> str:
    np.savez(folder / "v.npz", **arrays)
    return str(folder / "v.npz")


def write_obsm(folder: Path, values: object, name: str = "raw.h5ad") -> Path:
    adata = make_cells(60)
    adata.obsm["X_theirs"] = values
    return write_cells(folder, adata, name)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_are_those_of_the_file_by_id(tmp_path, dtype):
    """Rows of other cells are passed over; the order of the file is nobody's business."""
    order = np.random.default_rng(2).permutation(60)
    path = save_npz(tmp_path, obs_names=IDS[order], emb=VECTORS[order].astype(dtype))
    model = freeze(IDS[10:40], path=path)
    found = vectors_of(model, IDS[[39, 10, 22]])
    assert found.dtype == np.float32
    assert np.array_equal(found, VECTORS[[39, 10, 22]].astype(dtype).astype(np.float32))
    assert model.arrays["vectors"].shape == (30, 7)
    assert model.facts == {
        "file": "v.npz",
        "sha256": sha256_of(path),
        "dtype": np.dtype(dtype).name,
    }


def test_arrays_can_be_named_and_bytes_are_text(tmp_path):
    path = save_npz(tmp_path, who=IDS.astype("S"), what=VECTORS, X=np.zeros(3), index=IDS)
    model = freeze(path=path, ids="who", values="what")
    assert np.array_equal(vectors_of(model), VECTORS.astype(np.float32))


def test_ids_beyond_ascii_survive_the_files(tmp_path):
    ids = np.array(["a:é", "b:細胞", "c"])
    model = freeze(ids, path=save_npz(tmp_path, ids=ids, X=VECTORS[:3]))
    save_model(model, tmp_path)
    found = vectors_of(load_model(tmp_path), ids[::-1])
    assert np.array_equal(found, VECTORS[2::-1].astype(np.float32))


@pytest.mark.parametrize("layout", ["list", "fixed", "columns", "index"])
def test_parquet_holds_lists_or_columns(tmp_path, layout):
    path = tmp_path / "v.parquet"
    wide = pd.DataFrame(VECTORS, columns=[f"d{i}" for i in range(7)], index=IDS)
    if layout == "index":
        wide.to_parquet(path)
    elif layout == "columns":
        wide.rename_axis("cell_id").reset_index().to_parquet(path)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        of = pa.list_(pa.float64(), 7) if layout == "fixed" else pa.list_(pa.float64())
        lists = pa.array(VECTORS.tolist(), type=of)
        pq.write_table(pa.table({"sample_idx": IDS, "embedding": lists, "n": range(60)}), path)
    model = freeze(path=str(path))
    assert np.array_equal(vectors_of(model), VECTORS.astype(np.float32))


@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_obsm_of_the_sources(tmp_path, suffix):
    adata = make_cells(60)
    adata.obsm["X_theirs"] = VECTORS
    path = tmp_path / f"raw.{suffix}"
    write_zarr(adata, path) if suffix == "zarr" else adata.write_h5ad(path)
    model = freeze(files=[raw_file(path)], obsm="X_theirs")
    assert np.array_equal(vectors_of(model), VECTORS.astype(np.float32))
    assert model.facts == {"obsm": "X_theirs", "dtype": "float64"}
    assert embedder(obsm="X_theirs").takes_raw_files
    assert not embedder(path="v.npz").takes_raw_files


def test_obsm_of_several_sources_has_their_names_before_the_ids(tmp_path):
    files = [
        raw_file(write_obsm(tmp_path, VECTORS + i, f"{name}.h5ad"), name)
        for i, name in enumerate("ab")
    ]
    model = freeze(["b:cell00003", "a:cell00003"], files=files, obsm="X_theirs")
    found = vectors_of(model, ["a:cell00003", "b:cell00003"])
    assert np.array_equal(found, np.stack([VECTORS[3], VECTORS[3] + 1]).astype(np.float32))
    narrow = raw_file(write_obsm(tmp_path, VECTORS[:, :2], "c.h5ad"), "c")
    with pytest.raises(InputError, match=r"2 values per cell, .*a\.h5ad.* has 7"):
        freeze(["a:cell00003"], files=[files[0], narrow], obsm="X_theirs")


def test_an_h5ad_path_is_relative_to_the_yaml(tmp_path):
    path = write_obsm(tmp_path, VECTORS)
    model = freeze(path="raw.h5ad", obsm="X_theirs", folder=tmp_path, sha256=sha256_of(path))
    assert np.array_equal(vectors_of(model), VECTORS.astype(np.float32))
    with pytest.raises(InputError, match="has sha256 .*, the YAML states 00"):
        freeze(path="raw.h5ad", obsm="X_theirs", folder=tmp_path, sha256="0" * 64)
    with pytest.raises(InputError, match="no file at"):
        freeze(path="other.h5ad", obsm="X_theirs", folder=tmp_path)


def test_only_published_cells_count(tmp_path):
    """Neither other rows nor their values change what is frozen."""
    path = save_npz(tmp_path, ids=IDS, X=VECTORS)
    whole = freeze(IDS[:40], path=path)
    changed = VECTORS.copy()
    changed[40:] = np.nan
    save_npz(tmp_path, ids=IDS, X=changed)
    assert np.array_equal(whole.arrays["vectors"], freeze(IDS[:40], path=path).arrays["vectors"])


def test_missing_cells_are_counted_and_named(tmp_path):
    path = save_npz(tmp_path, ids=IDS[:50], X=VECTORS[:50])
    with pytest.raises(InputError, match=r"10 of 60 published cells .* cell00050, cell00051"):
        freeze(path=path)
    model = freeze(IDS[:50], path=path)
    with pytest.raises(InputError, match="1 cells have no vector in the model, such as stranger"):
        vectors_of(model, ["cell00001", "stranger"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_values_that_are_not_finite_in_float32_are_refused(tmp_path, value):
    vectors = VECTORS.copy()
    vectors[33, 2] = value
    with pytest.raises(InputError, match="'cell00033' .*not finite"):
        freeze(path=save_npz(tmp_path, ids=IDS, X=vectors))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ids": IDS.astype(object), "X": VECTORS}, r"never unpickled: save\s+ids as text"),
        ({"ids": IDS, "X": VECTORS.astype(object)}, "never unpickled"),
        ({"ids": np.arange(60), "X": VECTORS}, r"ids are int64 \(0\), expected text"),
        ({"ids": IDS, "X": VECTORS[:, 0]}, r"shape \(60,\), expected numbers"),
        ({"ids": IDS, "X": VECTORS + 1j}, "values are complex128"),
        ({"ids": IDS[:59], "X": VECTORS}, "59 ids for 60 vectors"),
        ({"ids": np.repeat(IDS[:30], 2), "X": VECTORS}, "30 ids occur more than once.*cell00000"),
        ({"ids": IDS, "index": IDS, "X": VECTORS}, r"for ids, found \['ids', 'index'\]"),
        ({"ids": IDS, "Y": VECTORS}, r"for values, found none among \['ids', 'Y'\]"),
    ],
)
def test_p15_other_npz_are_refused(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        freeze(path=save_npz(tmp_path, **arrays))


@pytest.mark.parametrize("name", ["v.npz", "v.parquet", "v.h5ad"])
def test_damaged_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 no such thing")
    settings = {"obsm": "X_theirs"} if name == "v.h5ad" else {}
    with pytest.raises(InputError, match=r"cannot be read|HDF5"):
        freeze(path=str(tmp_path / name), **settings)


def test_other_parquet_is_refused(tmp_path):
    path = tmp_path / "v.parquet"
    pd.DataFrame({"ids": IDS, "a": 1.0, "label": "x"}).to_parquet(path)
    with pytest.raises(InputError, match=r"others \(\['label'\]\)"):
        freeze(path=str(path))
    pd.DataFrame({"ids": IDS[:2], "X": [[1.0, 2.0], [1.0]]}).to_parquet(path)
    with pytest.raises(InputError, match=r"vectors have \[1, 2\]"):
        freeze(IDS[:2], path=str(path))


def test_other_suffixes_are_refused(tmp_path):
    (tmp_path / "v.pkl").touch()
    with pytest.raises(InputError, match=r"\.pkl is none of \.npz, \.parquet and \.h5ad"):
        freeze(path=str(tmp_path / "v.pkl"))


def test_other_obsm_is_refused(tmp_path):
    path = write_obsm(tmp_path, VECTORS)
    with pytest.raises(InputError, match=r"X_ours'\] is not there; obsm keys are \['X_theirs'\]"):
        freeze(files=[raw_file(path)], obsm="X_ours")
    for values in (
        sp.csr_matrix(VECTORS),
        pd.DataFrame(VECTORS, columns=list("abcdefg"), index=IDS),
    ):
        path = write_obsm(tmp_path, values)
        with pytest.raises(InputError, match="is no dense 2-D array"):
            freeze(files=[raw_file(path)], obsm="X_theirs")
    ad.AnnData(obs=pd.DataFrame(index=IDS)).write_h5ad(tmp_path / "v.h5ad")
    with pytest.raises(UnsafeFileError, match="no matrix"):
        freeze(path=str(tmp_path / "v.h5ad"), obsm="X_theirs")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give obsm .* or path"),
        ({"path": "a.h5ad"}, "an h5ad path needs obsm"),
        ({"path": "a.npz", "obsm": "X"}, "use values for others"),
        ({"obsm": "X", "ids": "a"}, "go with path"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        embedder(**settings)
