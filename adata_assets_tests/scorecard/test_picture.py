"""Pictures are small, the same every time, and show any name as it is."""

from __future__ import annotations

import numpy as np

from adata_assets.scorecard.picture import draw_embedding, project

MAX_BYTES = 100_000


def test_the_largest_picture_is_small_and_the_same_twice():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5000, 30)).astype(np.float32)
    labels = np.array([f"type {i % 25} of $cells$_{'x' * 30}" for i in range(5000)], dtype=object)
    labels[:100] = None
    batches = np.array([f"_batch {i % 30}" for i in range(5000)], dtype=object)
    drawn = draw_embedding(vectors, labels, batches, title="pca")
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < MAX_BYTES
    assert drawn == draw_embedding(vectors, labels, batches, title="pca")


def test_cells_without_labels_and_batches_are_drawn():
    vectors = np.random.default_rng(0).normal(size=(30, 1)).astype(np.float32)
    nothing = np.full(30, None, dtype=object)
    assert draw_embedding(vectors, nothing, nothing, title="x").startswith(b"\x89PNG")


def test_components_are_those_of_largest_variance_with_fixed_signs():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(500, 4)) * [1, 9, 0.1, 4] + 3
    found = project(vectors)
    for component, column in ((0, 1), (1, 3)):
        assert np.corrcoef(found[:, component], vectors[:, column])[0, 1] > 0.99
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
