"""The contract that every embedder in the folder inherits, present and future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from adata_assets.embedders.base.model import ARRAYS, FrozenModel, load_model, save_model
from adata_assets.embedders.contract import Embedder, load_embedder
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.embedders.stored import StoredCells


@pytest.fixture(scope="module")
def model(embedder: Embedder, stored: StoredCells) -> FrozenModel:
    return stored.fit(embedder)


def test_s9_vectors_are_float32_finite_and_not_constant(
    embedder: Embedder, stored: StoredCells, model: FrozenModel
) -> None:
    vectors = embedder.embed(stored.cells(), model)
    assert vectors.shape == (200, embedder.n_dims or vectors.shape[1])
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0


def test_s9_chunks_and_row_order_change_nothing(
    embedder: Embedder, stored: StoredCells, model: FrozenModel
) -> None:
    whole = embedder.embed(stored.cells(), model)
    rows = np.random.default_rng(0).permutation(200)
    parts = np.concatenate(
        [embedder.embed(stored.cells(part), model) for part in np.array_split(rows, 7)]
    )
    assert np.abs(parts - whole[rows]).max() <= embedder.tolerance * max(1.0, np.abs(whole).max())


def test_embedding_twice_gives_the_same_bytes(
    embedder: Embedder, stored: StoredCells, model: FrozenModel
) -> None:
    first, second = (embedder.embed(stored.cells(), model) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_fit_gives_the_same_bytes_twice(
    embedder: Embedder, stored: StoredCells, model: FrozenModel, tmp_path: Path
) -> None:
    hashes = []
    for name, found in (("a", model), ("b", stored.fit(embedder))):
        (tmp_path / name).mkdir()
        hashes.append(save_model(found, tmp_path / name))
    assert hashes[0] == hashes[1]
    assert (tmp_path / "a" / ARRAYS).read_bytes() == (tmp_path / "b" / ARRAYS).read_bytes()


def test_the_input_is_left_as_it_is(
    embedder: Embedder, stored: StoredCells, model: FrozenModel
) -> None:
    cells = stored.cells(np.arange(50))
    before = cells.counts.copy(), cells.totals.copy()
    embedder.embed(cells, model)
    assert (cells.counts != before[0]).nnz == 0
    assert np.array_equal(cells.totals, before[1])


def test_p15_a_model_survives_its_files_and_holds_no_objects(
    embedder: Embedder, stored: StoredCells, model: FrozenModel, tmp_path: Path
) -> None:
    assert all(array.dtype.kind in "biuf" for array in model.arrays.values())
    stated = save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.content_hash == stated
    cells = stored.cells(np.arange(30))
    assert np.array_equal(embedder.embed(cells, model), embedder.embed(cells, loaded))


def test_what_a_method_declares_is_complete(embedder: Embedder) -> None:
    assert embedder.version
    assert embedder.role in ("input", "control")
    assert embedder.reads in ("counts", "lognorm", "given")
    assert 0 < embedder.tolerance <= 1e-3


def test_p15_a_model_with_objects_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(2)}, tmp_path / ARRAYS)
    with pytest.raises(InputError, match=r"holds no readable model .*model\.json"):
        load_model(tmp_path)
    np.savez(tmp_path / ARRAYS, evil=np.array([object()], dtype=object))
    (tmp_path / f"{ARRAYS}.npz").rename(tmp_path / ARRAYS)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(InputError, match="holds no readable model"):
        load_model(tmp_path)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown method 'pcaa'; known: \[.*'hvg'.*'pca'"):
        load_embedder(EmbedderSpec(name="e", method="pcaa"))


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(InputError, match=r"n_dimz.*settings are \['n_dims', 'n_genes'\]"):
        load_embedder(EmbedderSpec(name="e", method="pca", n_dimz=3))
