"""Vectors of a split on disk, for negatives that are near: read chunk by chunk, brought to length 1."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.artefact import Artefact
from adata_assets.errors import InputError
from adata_assets.rows.nearest import N_LOOKED_AT, unit_vectors
from adata_assets.scorecard.vectors import TABLE, read_chunk_vectors
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice


@contextmanager
def open_split_vectors(
    embedding: Mapping[str, Artefact],
    chunks: Sequence[ChunkSlice],
    ids: pa.Array,
    *,
    scratch: Path | None,
) -> Iterator[np.ndarray]:
    """Offer the unit vectors of the cells of some chunks, int16 ``(n_obs, n_dims)``, mapped from disk.

    Holds one chunk in memory; the file is gone when the block ends.

    Parameters
    ----------
    embedding
        By partition key.
    chunks
        Those of the split, in order.
    ids
        Of all cells of these chunks.
    scratch
        An existing folder; None: the system's temporary one.

    Raises
    ------
    InputError
        If a chunk holds other cells, or vectors of another width than the first one.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix="vectors-") as folder:
        path, first, n_dims = Path(folder) / "vectors.bin", chunks[0].start, 0
        with open(path, "wb") as file:
            for chunk in chunks:
                stored = embedding[chunk.partition_key]
                vectors = read_chunk_vectors(stored)
                n_dims = n_dims or vectors.shape[1]
                own = ids.slice(chunk.start - first, chunk.n_obs)
                _require_fitting(stored, own, vectors, n_dims)
                unit_vectors(vectors).tofile(file)
        yield np.memmap(path, np.int16, "r", shape=(len(ids), n_dims))


def state_space(spec: DatasetSpec, embedding: Mapping[str, Artefact]) -> dict[str, Any] | None:
    """Return what a manifest says of the space in which negatives are near; None: none are.

    Parameters
    ----------
    embedding
        That of ``negatives.hard_by`` by partition key; all of one model.
    """
    if spec.negatives.hard_by is None:
        return None
    told = next(iter(embedding.values())).metadata
    return {
        "embedder": spec.negatives.hard_by,
        "measure": "cosine",
        "method": told["method"],
        "model_hash": told["model_hash"],
        "n_looked_at": N_LOOKED_AT,
    }


def _require_fitting(stored: Artefact, ids: pa.Array, vectors: np.ndarray, n_dims: int) -> None:
    found = pq.read_table(stored.local(TABLE), columns=["sample_idx"])["sample_idx"]
    if not found.combine_chunks().cast(ids.type).equals(ids) or vectors.shape[1] != n_dims:
        raise InputError(
            f"{stored.name} holds {vectors.shape[0]} cells of {vectors.shape[1]} values, expected "
            f"are the {len(ids)} cells of the chunk of {n_dims}: materialize the embedding again"
        )
