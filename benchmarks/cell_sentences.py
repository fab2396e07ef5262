"""Cell sentences per second: the compiled kernel, and the same rule in plain Python.

Run with `python -m benchmarks.cell_sentences [n_obs]` from the repository's root.
"""

from __future__ import annotations

import resource
import sys
import time
import tracemalloc

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, vstack

from adata_assets.text.cell_sentences import (
    SentenceVocabulary,
    build_cell_sentences,
    build_vocabulary,
)

N_GENES, MAX_GENES, MEAN_TOTAL = 30_000, 100, 3_000
N_PLAIN = 500


def make_counts(n_obs: int) -> csr_matrix:
    """Counts with about 1,500 to 2,000 genes per cell and the ties of real data."""
    rng = np.random.default_rng(0)
    usage = rng.pareto(1.2, N_GENES) + 0.05
    rates = MEAN_TOTAL * usage / usage.sum()
    blocks = [min(500, n_obs - i) for i in range(0, n_obs, 500)]
    return vstack(
        [csr_matrix(rng.poisson(rates, (n, N_GENES)).astype(np.int32)) for n in blocks]
    ).tocsr()


def plain_sentences(counts: csr_matrix, vocabulary: SentenceVocabulary) -> list[str]:
    """The documented rule, one cell after the other; no gene shares its symbol here."""
    tokens, rank = vocabulary.tokens.to_pylist(), vocabulary.rank.tolist()
    token_of_gene = vocabulary.token_of_gene.tolist()
    sentences = []
    for row in range(counts.shape[0]):
        span = slice(counts.indptr[row], counts.indptr[row + 1])
        genes, values = counts.indices[span].tolist(), counts.data[span].tolist()
        found = [(-v, rank[token_of_gene[g]], g) for g, v in zip(genes, values, strict=True)]
        top = sorted(found)[:MAX_GENES]
        sentences.append(" ".join(tokens[token_of_gene[gene]] for _, _, gene in top))
    return sentences


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(n_obs: int) -> None:
    counts = make_counts(n_obs)
    ids = [f"ENSG{i:011d}" for i in range(N_GENES)]
    var = pd.DataFrame(
        {"gene_id": ids, "symbol": [f"GENE{i}" for i in range(N_GENES)], "feature_class": "gene"}
    )
    vocabulary = build_vocabulary(var, np.asarray(counts.sum(axis=0)).ravel())
    build_cell_sentences(counts[:10], vocabulary, max_genes=MAX_GENES)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        sentences = build_cell_sentences(counts, vocabulary, max_genes=MAX_GENES)
        seconds.append(time.perf_counter() - start)
    # The largest resident size was reached while the counts were made: trace the arrays instead.
    tracemalloc.start()
    build_cell_sentences(counts, vocabulary, max_genes=MAX_GENES)
    traced = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    start = time.perf_counter()
    plain = plain_sentences(counts[:N_PLAIN], vocabulary)
    plain_rate = len(plain) / (time.perf_counter() - start)
    if sentences[: len(plain)].to_pylist() != plain:
        raise SystemExit("the two ways of writing sentences differ")
    rate = n_obs / min(seconds)
    print(f"{n_obs} cells, {counts.nnz / n_obs:.0f} non-zeros per cell, {MAX_GENES} genes each")
    print(f"kernel {rate:,.0f} cells/s on one core; plain Python {plain_rate:,.0f} cells/s")
    print(f"ratio {rate / plain_rate:.0f}; sentences {sentences.nbytes / 2**20:.0f} MiB")
    print(
        f"peak memory {peak_mib():.0f} MiB with the counts, {traced:.0f} MiB traced for the sentences"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
