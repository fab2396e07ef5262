"""``hvg``: the values themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.embedders.hvg import Embedder, Settings
from adata_assets_tests.embedders.stored import StoredCells


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract."""
    return {"n_genes": 12}


def test_values_are_lognorm_of_the_variable_genes(stored: StoredCells) -> None:
    embedder = Embedder(Settings(n_genes=7))
    model, cells = stored.fit(embedder), stored.cells()
    ranked = stored.gene_stats.set_index("gene_id")["hvg_rank"]
    assert ranked[model.gene_ids].tolist() == list(range(7))
    dense = cells.counts.toarray()[:, cells.columns_of(model.gene_ids)]
    expected = np.log1p(dense / cells.totals[:, None] * 1e4)
    np.testing.assert_allclose(embedder.embed(cells, model), expected, rtol=1e-6)
