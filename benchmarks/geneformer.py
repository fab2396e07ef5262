"""Geneformer's tokens and vectors: cells per second, and a GPU against the CPU.

Run from the repository's root:

    python -m benchmarks.geneformer                            # tokens, then both devices
    python -m benchmarks.geneformer --hidden-size 512 --n-layers 6 --n-obs 64

The model is random and as large as the published one of gc95M (12 layers, 768 wide). Cells are
generated. On each precision of a GPU the largest difference to the CPU's float32 vectors is told,
absolute and relative to the largest value, with the lowest cosine, cells per second and peak memory
of the GPU. Without a GPU the CPU alone is measured.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from adata_assets.embedders.rank_tokens.bert import (
    CONFIG,
    embed_tokens,
    load_bert,
    read_shape,
)
from adata_assets.embedders.rank_tokens.encode import RankTokens, encode_ranks
from adata_assets.embedders.rank_tokens.flavour import GC95M

N_GENES, N_SPECIAL = 20_271, 4
PAD, CLS, EOS = 0, 2, 3
PRECISIONS = ("float32", "bfloat16", "float16")


def make_counts(n_obs: int, mean_total: float) -> sp.csr_matrix:
    """Return generated counts of the dictionary's genes, int32 CSR."""
    rng = np.random.default_rng(0)
    usage = rng.pareto(1.2, N_GENES) + 0.05
    depth = mean_total * rng.lognormal(0, 0.7, n_obs)
    rows = [rng.poisson(usage / usage.sum() * total).astype(np.int32) for total in depth]
    return sp.vstack([sp.csr_matrix(row[None]) for row in rows]).tocsr()


def tokenize(counts: sp.csr_matrix) -> RankTokens:
    """Return the tokens of generated genes with generated medians."""
    medians = np.random.default_rng(1).gamma(2.0, 1.0, N_GENES)
    token_ids = np.arange(N_SPECIAL, N_SPECIAL + N_GENES, dtype=np.int32)
    return encode_ranks(counts, token_ids, medians, max_genes=GC95M.max_genes, around=(CLS, EOS))


def write_model(folder: Path, *, hidden_size: int, n_layers: int) -> None:
    """Write a random model as transformers saves one."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=N_GENES + N_SPECIAL,
        hidden_size=hidden_size,
        num_hidden_layers=n_layers,
        num_attention_heads=hidden_size // 64,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=GC95M.max_tokens,
        hidden_act="relu",
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)


def measure_tokens(n_obs: int) -> None:
    """Print how fast cells become tokens."""
    tokenize(make_counts(2, 100))
    counts = make_counts(n_obs, 6_000)
    start = time.perf_counter()
    tokens = tokenize(counts)
    seconds = time.perf_counter() - start
    print(
        f"tokens: {n_obs:,} cells of {tokens.lengths.mean():,.0f} tokens, "
        f"{n_obs / seconds:,.0f} cells/s"
    )


def embed(folder: Path, tokens: RankTokens, *, device: str, precision: str) -> np.ndarray:
    """Return the vectors of one device, and print how fast they came."""
    import torch

    bert = load_bert(folder, read_shape(folder / CONFIG))
    settings = {"pad": PAD, "pooling": "cls", "batch_size": 32, "device": device}
    if device == "cuda":
        embed_tokens(bert, tokens, **settings, gpu_precision=precision)
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    vectors = embed_tokens(bert, tokens, **settings, gpu_precision=precision)
    seconds = time.perf_counter() - start
    if device == "cuda":
        memory = f"GPU memory {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB"
    else:
        memory = f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    print(f"{device} {precision}: {len(vectors) / seconds:,.2f} cells/s, {memory}")
    return vectors


def compare(found: np.ndarray, expected: np.ndarray) -> str:
    """Return how far two sets of vectors are apart."""
    apart = float(np.abs(found - expected).max())
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = float(((found * expected).sum(axis=1) / norms).min())
    return (
        f"apart by at most {apart:.2e} ({apart / np.abs(expected).max():.2e} of the largest value), "
        f"lowest cosine {cosine:.6f}"
    )


def main() -> None:
    """Measure tokens, the CPU, and the GPU if there is one."""
    import torch

    asked = argparse.ArgumentParser()
    asked.add_argument("--n-obs", type=int, default=32, help="cells to embed")
    asked.add_argument("--n-obs-tokens", type=int, default=5_000, help="cells to tokenize")
    asked.add_argument("--mean-total", type=float, default=6_000, help="counts of a cell")
    asked.add_argument("--hidden-size", type=int, default=768)
    asked.add_argument("--n-layers", type=int, default=12)
    given = asked.parse_args()
    measure_tokens(given.n_obs_tokens)
    tokens = tokenize(make_counts(given.n_obs, given.mean_total))
    print(
        f"{given.n_obs} cells of {tokens.lengths.mean():,.0f} tokens (longest "
        f"{tokens.lengths.max():,}), {given.n_layers} layers, {given.hidden_size} wide"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder, hidden_size=given.hidden_size, n_layers=given.n_layers)
        expected = embed(folder, tokens, device="cpu", precision="float32")
        if not torch.cuda.is_available():
            print("no GPU here: only the CPU was measured")
            return
        for precision in PRECISIONS:
            found = embed(folder, tokens, device="cuda", precision=precision)
            print(f"  {compare(found, expected)}")


if __name__ == "__main__":
    main()
