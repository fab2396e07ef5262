"""``scvi``: what scvi-tools learns, whichever cells come together afterwards.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with pbmc3k_raw.h5ad, that file is tried as well.
"""

from __future__ import annotations

import os
import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest

from adata_assets.embedders.scvi import Embedder, Settings, gather_counts
from adata_assets.embedders.vae.isolation import seeded
from adata_assets.embedders.vae.training import train_scvi
from adata_assets.errors import InputError
from adata_assets_tests.embedders.stored import StoredCells

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
CASES = ("generated", *(("pbmc3k",) if REAL_DATA else ()))
SMALL: dict[str, Any] = {"n_dims": 4, "n_genes": 40, "n_hidden": 16, "max_epochs": 2}


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract."""
    return SMALL


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(Settings(**SMALL))


@pytest.fixture(scope="module")
def model(embedder, stored):
    return stored.fit(embedder)


def plain_latent(cells: StoredCells, genes: list[str], settings: Settings) -> np.ndarray:
    """Train on the train cells and embed all, as a script without this package would."""
    with warnings.catch_warnings(), seeded(0):
        warnings.simplefilter("ignore")
        import scvi

        block = cells.cells()
        counts = block.counts[:, block.columns_of(genes)].astype(np.float32)
        whole = ad.AnnData(counts, obs={"batch": cells.batches.astype(str)})
        whole.obs_names = cells.sample_ids.astype(str)
        adata = whole[: cells.n_train].copy()
        scvi.settings.seed = 0
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        model = scvi.model.SCVI(adata, n_latent=settings.n_dims, n_hidden=settings.n_hidden)
        model.train(
            max_epochs=settings.max_epochs,
            early_stopping=True,
            enable_progress_bar=False,
            accelerator="cpu",
        )
        return model.get_latent_representation(whole)


def require_equal_to_plain(cells: StoredCells, settings: Settings) -> None:
    """Compare with a plain script; both train on the CPU."""
    embedder = Embedder(settings)
    found = cells.fit(embedder)
    expected = plain_latent(cells, found.gene_ids, settings)
    assert np.abs(embedder.embed(cells.cells(), found) - expected).max() <= 1e-4
    assert expected.std(axis=0).max() > 0.01


@pytest.fixture
def on_cpu(monkeypatch):
    """Lightning finds no GPU."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("case", CASES)
def test_the_latent_equals_that_of_a_plain_script(case, stored, tmp_path, on_cpu):
    if case == "generated":
        require_equal_to_plain(stored, Settings(**SMALL))
        return
    adata = ad.read_h5ad(Path(str(REAL_DATA)) / "pbmc3k_raw.h5ad")
    cells = StoredCells.store(adata, tmp_path, n_train=2400, n_top_genes=1000)
    require_equal_to_plain(cells, Settings(n_genes=1000, max_epochs=5))


def test_the_latent_knows_no_batch(embedder, model, stored):
    """Any batch, an unseen one and none at all are the same to the encoder."""
    cells = stored.cells()
    expected = embedder.embed(cells, model)
    for batches in (cells.batches[::-1], np.full(200, "unseen"), np.full(200, None)):
        others = replace(cells, batches=batches)
        assert embedder.embed(others, model).tobytes() == expected.tobytes()


def test_a_cell_alone_has_the_latent_that_it_has_in_its_chunk(embedder, model, stored):
    whole = embedder.embed(stored.cells(), model)
    alone = [embedder.embed(stored.cells(np.array([i])), model)[0] for i in range(0, 200, 9)]
    assert np.abs(np.array(alone) - whole[::9]).max() <= 1e-6
    assert embedder.embed(stored.cells(np.arange(0)), model).shape == (0, 4)


def test_the_decoder_is_told_the_batches_where_there_are_some(embedder, model, stored):
    assert model.facts["n_batches"] == 2
    without = stored.fit(Embedder(Settings(**SMALL, use_batch=False)))
    assert without.facts["n_batches"] == 1
    assert without.content_hash != model.content_hash
    one = replace(stored.train, batches=np.full(150, None))
    assert embedder.fit(one).content_hash == without.content_hash
    some = replace(stored.train, batches=np.array(["a", "b", None] * 50, dtype=object))
    assert embedder.fit(some).facts["n_batches"] == 3


def test_another_seed_learns_something_else(embedder, model, stored):
    assert embedder.fit(replace(stored.train, seed=1)).content_hash != model.content_hash


def test_a_seeded_tenth_of_the_train_cells_is_held_back(stored):
    counts = gather_counts(stored.train, list(stored.train.gene_ids), np.ones(150, bool))
    trained = train_scvi(counts, None, Settings(max_epochs=1, n_hidden=4), seed=0)
    held_back = trained.model.validation_indices
    assert len(held_back) == 15
    assert held_back.tolist() == np.random.RandomState(0).permutation(150)[:15].tolist()
    assert len(trained.model.train_indices) == 135


def test_at_most_so_many_train_cells_are_in_memory(stored, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "adata_assets.embedders.scvi.train_scvi",
        lambda counts, batches, settings, *, seed: (
            seen.append(counts) or train_scvi(counts, batches, settings, seed=seed)
        ),
    )
    embedder = Embedder(Settings(**SMALL, max_train_cells=60))
    found = stored.fit(embedder)
    assert found.facts["n_cells"] == 60
    assert seen[0].shape == (60, 40)
    whole = stored.cells().counts_of(found.gene_ids).toarray()
    rows = [np.flatnonzero((whole == row).all(axis=1))[0] for row in seen[0].toarray()]
    assert rows == sorted(set(rows))
    assert max(rows) < 150


def test_training_leaves_nothing_behind(embedder, stored, tmp_path, monkeypatch, capfd):
    import scvi
    import torch

    monkeypatch.chdir(tmp_path)
    before = (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        dict(os.environ),
        scvi.settings.seed,
        torch.backends.cudnn.deterministic,
    )
    stored.fit(embedder)
    after = (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        dict(os.environ),
        scvi.settings.seed,
        torch.backends.cudnn.deterministic,
    )
    assert after == before
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_too_few_train_cells_are_refused(embedder, stored):
    few = replace(
        stored.train,
        totals=stored.totals[:19],
        sample_ids=stored.sample_ids[:19],
        batches=stored.batches[:19],
    )
    with pytest.raises(InputError, match="19 train cells; at least 20"):
        embedder.fit(few)
