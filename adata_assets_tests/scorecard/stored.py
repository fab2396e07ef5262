"""Generated cells with labels, and embeddings of them stored chunk by chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.embedders.base.draws import draw_uniform
from adata_assets.scorecard.cells import Cells
from adata_assets.scorecard.vectors import TABLE, StoredEmbedding
from adata_assets.splitting.chunks import deal_chunks
from adata_assets.tables import write_table

SIZES = {"train": 400, "validation": 150, "test": 150}
N_TYPES, N_BATCHES = 4, 2


def make_cells(sizes: dict[str, int] | None = None, *, n_types: int = N_TYPES) -> Cells:
    """Return cells of some types and two batches, both dealt out evenly."""
    sizes = SIZES if sizes is None else sizes
    n_obs = sum(sizes.values())
    ids = np.array([f"cell{i:05d}" for i in range(n_obs)], dtype=object)
    label = np.array([f"type {i % n_types}" for i in range(n_obs)], dtype=object)
    batch = np.array([f"batch {i // n_types % N_BATCHES}" for i in range(n_obs)], dtype=object)
    draw = draw_uniform(ids, 1, seed=0, purpose="scorecard sample")[:, 0]
    return Cells(sizes, ids, label, batch, draw)


def signal_of(cells: Cells, *, n_dims: int = 8, strength: float = 3.0, seed: int = 0) -> np.ndarray:
    """Return float32 vectors whose mean is another one for each type; ``strength`` 0 is noise."""
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(cells.label)
    centres = rng.normal(size=(len(names) + 1, n_dims)) * strength
    return (centres[codes] + rng.normal(size=(len(codes), n_dims))).astype(np.float32)


def store(
    folder: Path,
    cells: Cells,
    vectors: np.ndarray,
    name: str,
    *,
    method: str = "hvg",
    n_chunks: int = 4,
    is_control: bool = False,
    is_random: bool = False,
) -> StoredEmbedding:
    """Write an embedding as its asset does, in ``n_chunks`` chunks."""
    chunks = {}
    for chunk in deal_chunks(cells.split_sizes, n_chunks):
        part = slice(chunk.start, chunk.stop)
        place = folder / f"{name}-{chunk.partition_key}"
        place.mkdir()
        columns = {"sample_idx": cells.sample_ids[part], "embedding": list(vectors[part])}
        write_table(pd.DataFrame(columns), place / TABLE)
        chunks[chunk.partition_key] = Artefact(
            dataset_id="cells",
            stage=f"embeddings/{name}",
            partition_key=chunk.partition_key,
            folder=UPath(place),
            files={TABLE: {}},
            data_version="",
            code_version="",
            inputs={},
            generation={},
            metadata={},
        )
    return StoredEmbedding(name, method, is_control, is_random, chunks)
