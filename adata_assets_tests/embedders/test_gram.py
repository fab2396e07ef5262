"""Sums of outer products: sparse and dense blocks, in any pieces."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.embedders.base import gram


def drawn(density: float, n_obs: int = 60, n_genes: int = 25) -> sp.csr_matrix:
    rng = np.random.default_rng(4)
    return sp.random(n_obs, n_genes, density=density, format="csr", random_state=rng)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.2, 0.6, 1.0])
def test_it_is_the_product_of_the_dense_values(density: float) -> None:
    values = drawn(density)
    found = gram.Gram(25)
    for part in (values[:7], values[7:7], values[7:]):
        found.add(part)
    dense = values.toarray()
    np.testing.assert_allclose(found.total, dense.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.product(), dense.T @ dense, rtol=1e-12, atol=1e-15)


def test_sparse_blocks_give_the_same_bits_in_any_pieces() -> None:
    values = drawn(0.1)
    whole, parts = gram.Gram(25), gram.Gram(25)
    whole.add(values)
    for start in range(0, 60, 11):
        parts.add(values[start : start + 11])
    assert (whole.product() == parts.product()).all()


def test_dense_blocks_are_cut_into_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gram, "ROWS_AT_ONCE", 8)
    values = drawn(0.9)
    found = gram.Gram(25)
    found.add(values)
    dense = values.toarray()
    np.testing.assert_allclose(found.product(), dense.T @ dense, rtol=1e-12)
