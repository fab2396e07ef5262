"""scVI on the CPU and on a GPU: seconds per epoch, peak memory, and how far the latents are apart.

Run from the repository's root:

    python -m benchmarks.scvi_gpu                             # 20,000 cells x 2,000 genes, 5 epochs
    python -m benchmarks.scvi_gpu --cpu --n-obs 2000          # the CPU's half, without a GPU

Without a GPU that torch can see it says so and ends. Each training is a process of its own, so that
its peak memory is its own. One model that was trained on the CPU embeds the same cells three ways:
scvi-tools on the CPU, scvi-tools on the GPU, and this package's encoder. On the GPU the training is
done twice, to see whether the same seed gives the same weights there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.vae.encoder import encode, freeze_encoder
from adata_assets.embedders.vae.training import Trained, TrainingSettings, train_scvi

COUNTS_PER_CELL = 1_500
N_GROUPS = 8


def make_counts(n_obs: int, n_genes: int) -> sp.csr_matrix:
    """Return float32 counts of cells of eight kinds."""
    rng = np.random.default_rng(0)
    rates = rng.lognormal(sigma=1.5, size=(N_GROUPS, n_genes))
    bounds = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    kind = rng.integers(0, N_GROUPS, n_obs)
    genes = np.concatenate(
        [
            np.searchsorted(bounds[k], rng.random(COUNTS_PER_CELL)).clip(max=n_genes - 1)
            for k in kind
        ]
    )
    cells = np.repeat(np.arange(n_obs), COUNTS_PER_CELL)
    ones = np.ones(len(genes), np.float32)
    return sp.coo_matrix((ones, (cells, genes)), (n_obs, n_genes)).tocsr()


def hash_weights(trained: Trained) -> str:
    """Return a hash of all weights."""
    state = trained.state
    return hashlib.sha256(b"".join(state[name].tobytes() for name in sorted(state))).hexdigest()


def measure(accelerator: str, n_obs: int, n_genes: int, n_epochs: int) -> dict[str, Any]:
    """Train in this process; return seconds, memory and, for the CPU, how far latents are apart."""
    import torch

    counts = make_counts(n_obs, n_genes)
    batches = np.array(["one", "two"])[np.arange(n_obs) % 2]
    # What is started once (CUDA, kernels) is no part of an epoch.
    train(counts[:256], batches[:256], 1, accelerator)
    start = time.perf_counter()
    trained = train(counts, batches, n_epochs, accelerator)
    seconds = (time.perf_counter() - start) / n_epochs
    found: dict[str, Any] = {"accelerator": accelerator, "seconds_per_epoch": seconds}
    found["weights"] = hash_weights(trained)
    found["host_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    if accelerator == "gpu":
        found["gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
    else:
        found |= compare_latents(trained, counts, has_gpu=torch.cuda.is_available())
    return found


def train(counts: sp.csr_matrix, batches: np.ndarray, n_epochs: int, accelerator: str) -> Trained:
    """Train without early stopping."""
    settings = TrainingSettings(max_epochs=n_epochs, early_stopping=False)
    return train_scvi(counts, batches, settings, seed=0, accelerator=accelerator)


def compare_latents(trained: Trained, counts: sp.csr_matrix, *, has_gpu: bool) -> dict[str, float]:
    """Embed with one model in several ways; return the largest differences from the CPU's."""
    genes = pd.Index([f"G{i}" for i in range(counts.shape[1])])
    nothing = np.zeros(counts.shape[0])
    cells = CellBlock(counts.astype(np.int32), nothing, genes, nothing, nothing)
    on_cpu = trained.model.get_latent_representation()
    start = time.perf_counter()
    ours = encode(cells, freeze_encoder(trained.state, list(genes)))
    found = {
        "embed_seconds": time.perf_counter() - start,
        "largest_value": float(np.abs(on_cpu).max()),
        "ours_minus_cpu": float(np.abs(ours - on_cpu).max()),
    }
    if has_gpu:
        trained.model.to_device("cuda:0")
        on_gpu = trained.model.get_latent_representation()
        found["gpu_minus_cpu"] = float(np.abs(on_gpu - on_cpu).max())
        found["ours_minus_gpu"] = float(np.abs(ours - on_gpu).max())
    return found


def measure_apart(accelerator: str, sizes: argparse.Namespace) -> dict[str, Any]:
    """Measure in a process of its own."""
    numbers = [str(each) for each in (sizes.n_obs, sizes.n_genes, sizes.n_epochs)]
    command = [sys.executable, "-m", "benchmarks.scvi_gpu", "--child", accelerator]
    command += ["--n-obs", numbers[0], "--n-genes", numbers[1], "--n-epochs", numbers[2]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Read the arguments, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-obs", type=int, default=20_000)
    parser.add_argument("--n-genes", type=int, default=2_000)
    parser.add_argument("--n-epochs", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="measure the CPU though there is no GPU")
    parser.add_argument("--child", choices=["cpu", "gpu"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child, given.n_obs, given.n_genes, given.n_epochs)))
        return
    import torch

    has_gpu = torch.cuda.is_available()
    if not has_gpu:
        print("no GPU is visible to torch: nothing to compare")
        if not given.cpu:
            return
    print(f"{given.n_obs:,} cells x {given.n_genes:,} genes, {given.n_epochs} epochs")
    for accelerator in ("cpu", "gpu", "gpu") if has_gpu else ("cpu",):
        found = measure_apart(accelerator, given)
        print(
            json.dumps(
                {k: v if isinstance(v, str) else float(f"{v:.4g}") for k, v in found.items()}
            )
        )


if __name__ == "__main__":
    main()
