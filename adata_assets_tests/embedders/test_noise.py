"""``noise`` knows the cell's id and the seed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adata_assets.embedders.base.draws import draw_normal, draw_uniform
from adata_assets.embedders.noise import Embedder, Settings
from adata_assets_tests.embedders.stored import StoredCells


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract."""
    return {"n_dims": 7}


def test_it_is_a_control():
    assert Embedder.role == "control"


def test_counts_do_not_matter(stored):
    embedder = Embedder(Settings(n_dims=3))
    model, cells = stored.fit(embedder), stored.cells()
    others = replace(cells, counts=cells.counts * 2, totals=cells.totals * 2)
    assert np.array_equal(embedder.embed(cells, model), embedder.embed(others, model))


def test_another_seed_gives_other_values(stored):
    embedder = Embedder(Settings(n_dims=3))
    first = embedder.embed(stored.cells(), embedder.fit(stored.train))
    second = embedder.embed(stored.cells(), embedder.fit(replace(stored.train, seed=1)))
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("purpose", ["a", "b"])
def test_draws_are_standard_normal_and_independent(purpose):
    ids = [f"cell-{i}" for i in range(20_000)]
    drawn = draw_normal(ids, 5, seed=3, purpose=purpose)
    assert np.abs(drawn.mean(axis=0)).max() < 0.03
    assert np.abs(drawn.std(axis=0) - 1).max() < 0.03
    assert np.abs(np.corrcoef(drawn.T) - np.eye(5)).max() < 0.03
    neighbours = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in drawn.T]
    assert np.abs(neighbours).max() < 0.03


def test_more_draws_begin_with_the_same():
    few, many = (draw_uniform(["a", "b"], n, seed=0, purpose="p") for n in (2, 5))
    assert np.array_equal(many[:, :2], few)
    assert ((many > 0) & (many < 1)).all()
