"""Batch mixing and silhouette of the scorecard beside those of scib-metrics, on generated cells.

Run with `python -m benchmarks.scorecard_scib` from the repository's root; it needs the extra `scib`.
Both are given the same vectors and, for iLISI, the same 90 neighbours. Prints every pair and exits 1
if two differ by more than 1e-4.
"""

from __future__ import annotations

import numpy as np

from adata_assets.scorecard.structure import PERPLEXITY, measure_ilisi, measure_silhouette

# Distance of the batches, number of batches, cells, values per cell, units of the vectors.
CASES = (
    (0.0, 2, 2_000, 20, 1.0),
    (1.0, 3, 2_000, 20, 1.0),
    (50.0, 2, 2_000, 20, 1.0),
    (0.3, 4, 5_000, 50, 1.0),
    (0.5, 3, 2_000, 200, 30.0),
)
MAX_DIFFERENCE = 1e-4


def compare(vectors: np.ndarray, batches: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return each figure as ours and as theirs."""
    import scib_metrics
    from scib_metrics.nearest_neighbors import NeighborsResults
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=3 * PERPLEXITY, algorithm="brute").fit(vectors)
    distances, nearest = index.kneighbors(vectors)
    theirs = scib_metrics.ilisi_knn(NeighborsResults(nearest, distances), batches)
    silhouette = 2 * scib_metrics.silhouette_label(vectors, batches) - 1
    return {
        "iLISI": (measure_ilisi(vectors, batches) or 0.0, float(theirs)),
        "silhouette": (measure_silhouette(vectors, batches) or 0.0, float(silhouette)),
    }


def main() -> int:
    """Print a line per case and figure; return 1 if one differs."""
    rng, largest = np.random.default_rng(0), 0.0
    for shift, n_batches, n_obs, n_dims, unit in CASES:
        batches = rng.integers(0, n_batches, n_obs)
        vectors = (rng.normal(size=(n_obs, n_dims)) + shift * batches[:, None]) * unit
        for name, (ours, theirs) in compare(vectors.astype(np.float32), batches).items():
            print(f"{name}, {n_batches} batches {shift:g} apart: {ours:.6f}, scib {theirs:.6f}")
            largest = max(largest, abs(ours - theirs))
    print(f"largest difference {largest:.1e}")
    return int(largest > MAX_DIFFERENCE)


if __name__ == "__main__":
    raise SystemExit(main())
