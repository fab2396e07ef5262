"""Fit a method on a dataset's train cells and apply it to a chunk: artefacts in, arrays out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_in_order, read_totals
from adata_assets.annotation.train import count_train
from adata_assets.artefact import Artefact
from adata_assets.embedders.contract import CellBlock, Embedder, TrainStream
from adata_assets.errors import InputError
from adata_assets.matrix.counts import open_counts
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table

MODEL = "model.npz"


def fit_embedder(
    embedder: Embedder, annotated: Artefact, counts: Artefact, gene_stats: Artefact
) -> dict[str, np.ndarray]:
    """Return what the method learns from the train cells."""
    stream = TrainStream(
        open_counts(counts.local(COUNTS)),
        read_totals(annotated.local(OBS).parent),
        count_train(annotated),
        read_table(gene_stats.local("gene_stats.parquet")),
    )
    return embedder.fit(stream)


def embed_chunk(
    embedder: Embedder,
    model: Mapping[str, np.ndarray],
    chunk: ChunkSlice,
    annotated: Artefact,
    counts: Artefact,
) -> pd.DataFrame:
    """Return ``EmbeddingSchema`` rows of one chunk."""
    tables = annotated.local(OBS).parent
    cells = CellBlock(
        open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop),
        read_totals(tables, chunk.start, chunk.stop),
    )
    vectors = embedder.embed(cells, model)
    ids = read_in_order(tables, "sample_idx", chunk.start, chunk.stop)
    return pd.DataFrame({"sample_idx": ids, "embedding": list(vectors)})


def save_model(arrays: Mapping[str, np.ndarray], path: Path) -> str:
    """Write the arrays as npz without objects; return the hash of their content (hex)."""
    np.savez(path, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.data)
    return digest.hexdigest()


def load_frozen(model: Artefact) -> dict[str, np.ndarray]:
    """Read a stored model.

    Raises
    ------
    InputError
        If its bytes are not those that its manifest states.
    """
    if damaged := model.damaged_files():
        raise InputError(
            f"{model.dataset_id}/{model.name}: {'; '.join(damaged)}; run "
            f"adata-assets materialize {model.dataset_id} --force {model.stage}"
        )
    return load_model(model.local(MODEL))


def load_model(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a model; a file that holds pickled objects raises ``ValueError``."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
