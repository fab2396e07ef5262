"""The contract that every embedder in the folder inherits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.gene_stats import measure_genes
from adata_assets.embedders.apply import load_model, save_model
from adata_assets.embedders.contract import (
    CellBlock,
    Embedder,
    TrainStream,
    embedder_names,
    load_embedder,
)
from adata_assets.errors import InputError
from adata_assets.matrix.counts import open_counts, write_counts
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.datasets import make_cells

SETTINGS = {"pca": {"n_dims": 6, "n_genes": 60}, "hvg": {"n_genes": 12}}
N_TRAIN = 150


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedders")
    adata = make_cells(200, 90, seed=5)
    counts = adata.X.astype(np.int32)
    write_counts(
        [(0, counts)],
        position=np.arange(200),
        gene_index=np.arange(90, dtype=np.int32),
        n_genes=90,
        path=folder / "counts.zarr",
        scratch=folder,
    )
    totals = np.asarray(counts.sum(axis=1)).ravel()
    stats = measure_genes(
        [(0, counts[:N_TRAIN])],
        totals[:N_TRAIN],
        pd.Series(adata.var_names.to_numpy()),
        min_cells=3,
        n_top_genes=60,
        scratch=folder,
    )
    return open_counts(folder / "counts.zarr"), totals, stats


@pytest.fixture(params=embedder_names())
def embedder(request) -> Embedder:
    return load_embedder(
        EmbedderSpec(name="e", method=request.param, **SETTINGS.get(request.param, {}))
    )


def cells_of(stored, rows):
    counts, totals, _ = stored
    return CellBlock(counts.rows(0, counts.n_obs)[rows], totals[rows])


def fit(embedder, stored):
    counts, totals, stats = stored
    return embedder.fit(TrainStream(counts, totals, N_TRAIN, stats))


def test_s9_vectors_are_float32_finite_and_not_constant(embedder, stored):
    vectors = embedder.embed(cells_of(stored, np.arange(200)), fit(embedder, stored))
    assert vectors.shape == (200, embedder.n_dims)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert np.ptp(vectors, axis=0).max() > 0


def test_s9_chunks_and_row_order_change_nothing(embedder, stored):
    model = fit(embedder, stored)
    whole = embedder.embed(cells_of(stored, np.arange(200)), model)
    rows = np.random.default_rng(0).permutation(200)
    parts = np.concatenate(
        [embedder.embed(cells_of(stored, part), model) for part in np.array_split(rows, 7)]
    )
    assert np.abs(parts - whole[rows]).max() <= 1e-6 * max(1.0, np.abs(whole).max())


def test_a_fit_gives_the_same_bytes_twice(embedder, stored, tmp_path):
    hashes = [save_model(fit(embedder, stored), tmp_path / f"{i}.npz") for i in range(2)]
    assert hashes[0] == hashes[1]
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()


def test_the_input_is_left_as_it_is(embedder, stored):
    cells = cells_of(stored, np.arange(50))
    before = cells.counts.copy(), cells.totals.copy()
    embedder.embed(cells, fit(embedder, stored))
    assert (cells.counts != before[0]).nnz == 0
    assert np.array_equal(cells.totals, before[1])


def test_a_model_survives_its_file(embedder, stored, tmp_path):
    model = fit(embedder, stored)
    save_model(model, tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz")
    cells = cells_of(stored, np.arange(30))
    assert np.array_equal(embedder.embed(cells, model), embedder.embed(cells, loaded))


def test_p15_a_model_with_objects_is_refused(tmp_path):
    np.savez(tmp_path / "model.npz", evil=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_model(tmp_path / "model.npz")


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(InputError, match=r"unknown method 'pcaa'; known: \['hvg', 'pca'"):
        load_embedder(EmbedderSpec(name="e", method="pcaa"))


def test_a_wrong_setting_is_named():
    with pytest.raises(InputError, match=r"n_dimz.*settings are \['n_dims', 'n_genes'\]"):
        load_embedder(EmbedderSpec(name="e", method="pca", n_dimz=3))
