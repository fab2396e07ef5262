"""`pca` from the stream of train cells, and scanpy's with `svd_solver="arpack"` in memory.

Run with `python -m benchmarks.pca` from the repository's root: 100,000 cells of 40 kinds x 6,000
genes, about 600 counts above 0 per cell, 2,000 variable genes, 50 components. Both start from the
same stored counts, each in a process of its own, in turns; what a process takes before it reads the
counts is not counted as its memory. Exits 1 if a component correlates below 0.99999 (of components
with nearly equal variances: their subspace), or if more time or more than a quarter of the memory
is taken.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import measure_genes
from adata_assets.embedders.base.cells import TrainStream
from adata_assets.embedders.pca import Embedder, Settings
from adata_assets.matrix.counts import open_counts, write_counts

N_VARS, N_GENES, N_DIMS, N_KINDS = 6_000, 2_000, 50, 40
OBS_PER_BLOCK = 5_000
MIN_CORRELATION, MAX_MEMORY_RATIO, NEAR_VARIANCES = 0.99999, 0.25, 1e-4


def draw_blocks(n_obs: int) -> Iterator[tuple[int, sp.csr_matrix]]:
    """Yield counts of cells whose kinds express genes at different rates."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.15, 1.0, size=(N_KINDS, N_VARS)) * rng.lognormal(size=(1, N_VARS))
    for start in range(0, n_obs, OBS_PER_BLOCK):
        kinds = rng.integers(0, N_KINDS, min(OBS_PER_BLOCK, n_obs - start))
        depth = rng.lognormal(sigma=0.3, size=(len(kinds), 1))
        yield start, sp.csr_matrix(rng.poisson(rates[kinds] * depth).astype(np.int32))


def store(folder: Path, n_obs: int) -> None:
    """Write counts and the statistics of genes."""
    write_counts(
        draw_blocks(n_obs),
        position=np.arange(n_obs),
        gene_index=np.arange(N_VARS, dtype=np.int32),
        n_genes=N_VARS,
        path=folder / "counts.zarr",
        scratch=folder,
    )
    counts = open_counts(folder / "counts.zarr")
    blocks = list(counts.iter_blocks(0, n_obs))
    totals = np.concatenate([np.asarray(block.sum(axis=1)).ravel() for _, block in blocks])
    ids = pd.Series([f"G{i}" for i in range(N_VARS)])
    stats = measure_genes(blocks, totals, ids, min_cells=3, n_top_genes=N_GENES, scratch=folder)
    stats.to_parquet(folder / "stats.parquet")
    np.save(folder / "totals.npy", totals)


def held_mb(field: str) -> float:
    """Return what this process holds (``VmRSS``), or the most that it held (``VmHWM``), MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def fit_ours(folder: Path) -> np.ndarray:
    """Fit on the stream and embed chunk by chunk."""
    totals = np.load(folder / "totals.npy")
    ids = np.arange(len(totals))
    stats = pd.read_parquet(folder / "stats.parquet")
    stream = TrainStream(open_counts(folder / "counts.zarr"), totals, ids, ids, stats)
    embedder = Embedder(Settings(n_dims=N_DIMS, n_genes=N_GENES))
    model = embedder.fit(stream)
    return np.concatenate([embedder.embed(cells, model) for cells in stream.blocks()])


def fit_scanpy(folder: Path) -> np.ndarray:
    """Do what a notebook does: load, normalise, take the variable genes, decompose."""
    import anndata as ad
    import scanpy as sc

    totals = np.load(folder / "totals.npy")
    stats = pd.read_parquet(folder / "stats.parquet")
    adata = ad.AnnData(open_counts(folder / "counts.zarr").rows(0, len(totals)).astype(np.float32))
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    adata = adata[:, (stats["hvg_rank"] >= 0).to_numpy()].copy()
    sc.pp.pca(adata, n_comps=N_DIMS, svd_solver="arpack")
    return np.asarray(adata.obsm["X_pca"])


def run_child(folder: Path, name: str) -> None:
    """Import everything, then measure one way."""
    import anndata  # noqa: F401
    import scanpy  # noqa: F401

    # Linux counts the peak anew from here.
    Path("/proc/self/clear_refs").write_text("5")
    before, start = held_mb("VmRSS"), time.perf_counter()
    scores = {"ours": fit_ours, "scanpy": fit_scanpy}[name](folder)
    seconds = time.perf_counter() - start
    np.save(folder / f"{name}.npy", scores)
    print(f"{seconds} {held_mb('VmHWM') - before}")


def measure(folder: Path, name: str) -> tuple[float, float]:
    """Return seconds and MB of one way, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.pca", "--child", name, str(folder)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, mb = map(float, printed.split()[-2:])
    return seconds, mb


def compare(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the smallest correlation of a component, or of a subspace of near variances."""
    variances = theirs.var(axis=0)
    is_near = np.abs(np.diff(variances)) < NEAR_VARIANCES * variances[1:]
    edges = [0, *(np.flatnonzero(~is_near) + 1), N_DIMS]
    worst = 1.0
    for low, high in itertools.pairwise(edges):
        bases = [
            np.linalg.qr(x[:, low:high] - x[:, low:high].mean(axis=0))[0] for x in (ours, theirs)
        ]
        worst = min(worst, float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).min()))
    return worst


def main() -> None:
    """Read the arguments, measure, report; exit 1 on a breach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-obs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--child", nargs=2)
    given = parser.parse_args()
    if given.child:
        run_child(Path(given.child[1]), given.child[0])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store(folder, given.n_obs)
        found: dict[str, list[tuple[float, float]]] = {"ours": [], "scanpy": []}
        for _ in range(given.repeats):
            for way, seen in found.items():
                seen.append(measure(folder, way))
        worst = compare(np.load(folder / "ours.npy"), np.load(folder / "scanpy.npy"))
    best = {way: np.min(seen, axis=0) for way, seen in found.items()}
    time_ratio, memory_ratio = best["ours"] / best["scanpy"]
    for way, (seconds, mb) in best.items():
        print(f"{way}: {seconds:.1f} s, {mb:,.0f} MB beside what is imported")
    print(f"time ratio {time_ratio:.2f}, memory ratio {memory_ratio:.2f}, correlation {worst:.10f}")
    if worst < MIN_CORRELATION or time_ratio > 1 or memory_ratio > MAX_MEMORY_RATIO:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
