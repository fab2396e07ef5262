"""A given PCA model on one chunk: the sparse product, and a Python loop over the model's genes.

Run with `python -m benchmarks.pca_given` from the repository's root: 9,000 cells x 30,000 genes,
about 1,900 counts above 0 per cell, a model of 10,000 genes and 50 components. The loop takes each
gene out of the cells (CSR, as they are stored), standardises it and adds its part to the scores;
every 50th gene is timed. All scores are compared with those of the same loop over a copy by gene
(CSC), which is timed as well. Exits 1 if the ratio is below 200 or the values differ by over 1e-4.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import lognorm
from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.embedders.pca_given import Embedder, Settings

N_OBS, N_VARS, N_MODEL, N_DIMS = 9_000, 30_000, 10_000, 50
COUNTS_PER_CELL = 3_000
EVERY = 50
MIN_RATIO, MAX_DIFFERENCE = 200, 1e-4


def make_cells() -> CellBlock:
    """Return cells whose genes are expressed as unevenly as real ones."""
    rng = np.random.default_rng(0)
    weights = rng.lognormal(sigma=2.0, size=N_VARS)
    bounds = np.cumsum(weights / weights.sum())
    genes = np.searchsorted(bounds, rng.random(N_OBS * COUNTS_PER_CELL)).clip(max=N_VARS - 1)
    cells = np.repeat(np.arange(N_OBS), COUNTS_PER_CELL)
    counts = sp.coo_matrix((np.ones(len(genes), np.int32), (cells, genes)), (N_OBS, N_VARS)).tocsr()
    ids = np.array([f"cell{i}" for i in range(N_OBS)])
    totals = np.full(N_OBS, COUNTS_PER_CELL)
    return CellBlock(counts, totals, pd.Index([f"ENSG{i:011d}" for i in range(N_VARS)]), ids, ids)


def make_model(gene_ids: pd.Index) -> FrozenModel:
    """Return a model of genes in an order of its own, 200 of which the cells do not have."""
    rng = np.random.default_rng(1)
    known = rng.permutation(gene_ids)[: N_MODEL - 200]
    genes = rng.permutation([*known, *(f"OTHER{i}" for i in range(200))]).tolist()
    components = np.linalg.qr(rng.normal(size=(N_MODEL, N_DIMS)))[0].T
    arrays = {
        "means": rng.gamma(0.2, size=N_MODEL),
        "scales": rng.uniform(0.2, 1, N_MODEL),
        "components": components,
    }
    return FrozenModel(arrays, {GENE_IDS: genes})


def loop_over_genes(
    values: Any, position: dict[str, int], model: FrozenModel, which: Sequence[int]
) -> np.ndarray:
    """Add up the scores gene by gene."""
    scores, genes = np.zeros((values.shape[0], N_DIMS)), model.gene_ids
    for i in which:
        gene = genes[i]
        value = np.zeros(values.shape[0])
        if gene in position:
            value = values[:, [position[gene]]].toarray().ravel()
        standard = (value - model.arrays["means"][i]) / model.arrays["scales"][i]
        scores += np.outer(standard, model.arrays["components"][:, i])
    return scores


def timed(work: Callable[[], np.ndarray], n_times: int = 1) -> tuple[float, np.ndarray]:
    """Return the fewest seconds that something took, and its result."""
    seconds = []
    for _ in range(n_times):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def peak_bytes(work: Callable[[], np.ndarray]) -> int:
    """Return the most memory that something held beside its input."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    """Measure both, compare their values, exit 1 on a breach."""
    cells = make_cells()
    model = make_model(cells.gene_ids)
    embedder = Embedder(Settings(model="generated", sha256="0" * 64))
    ours_s, ours = timed(lambda: embedder.embed(cells, model), 3)
    n_bytes = peak_bytes(lambda: embedder.embed(cells, model))

    position = {gene: i for i, gene in enumerate(cells.gene_ids)}
    values = lognorm(cells.counts, cells.totals)
    some = range(0, N_MODEL, EVERY)
    loop_s, _ = timed(lambda: loop_over_genes(values, position, model, some))
    by_gene = values.tocsc()
    csc_s, expected = timed(lambda: loop_over_genes(by_gene, position, model, range(N_MODEL)))
    difference = float(np.abs(ours - expected).max())
    ratio = loop_s * EVERY / ours_s
    dense = N_OBS * N_MODEL * 8
    print(
        f"{N_OBS:,} cells, {cells.counts.nnz / N_OBS:,.0f} counts above 0 each, {N_MODEL:,} genes"
    )
    print(f"sparse product {ours_s:.2f} s, {n_bytes / 1e6:,.0f} MB beside the cells", end="")
    print(f" (the dense values alone: {dense / 1e6:,.0f} MB)")
    print(f"loop over genes {loop_s * EVERY:,.0f} s: ratio {ratio:,.0f} (promised: {MIN_RATIO})")
    print(f"loop over a copy by gene {csc_s:,.1f} s: ratio {csc_s / ours_s:,.0f}")
    print(f"largest difference {difference:.1e}, scores to {np.abs(expected).max():.0f}")
    if ratio < MIN_RATIO or difference > MAX_DIFFERENCE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
