"""Vectors of chosen cells, read chunk by chunk.

Belongs here: from the stored embeddings of a dataset to one matrix of the cells that are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from adata_assets.artefact import Artefact
from adata_assets.errors import InputError
from adata_assets.splitting.chunks import deal_chunks

TABLE, COLUMN = "embedding.parquet", "embedding"


@dataclass(frozen=True)
class StoredEmbedding:
    """One embedding of a dataset, as it is stored.

    Attributes
    ----------
    name, method
        Of the embedder.
    is_control
        Whether it is there to be compared with.
    is_random
        Whether its model's weights are random on purpose.
    chunks
        Partition key to what is stored.
    """

    name: str
    method: str
    is_control: bool
    is_random: bool
    chunks: Mapping[str, Artefact]

    @property
    def is_exempt(self) -> bool:
        """Whether nothing is expected of it."""
        return self.is_control or self.is_random


def read_vectors(
    embedding: StoredEmbedding, split_sizes: Mapping[str, int], positions: np.ndarray
) -> np.ndarray:
    """Return the vectors of some cells, float32 ``(n_obs, n_dims)``.

    Holds one chunk and the result in memory.

    Parameters
    ----------
    split_sizes
        Cells of each split, in dataset order.
    positions
        Places in the dataset order, sorted, int64 ``(n_obs,)``.

    Raises
    ------
    InputError
        If a chunk holds other cells than the dataset order says, or vectors of another width.
    """
    found = np.empty((len(positions), 0), np.float32)
    for chunk in deal_chunks(split_sizes, len(embedding.chunks)):
        first, last = np.searchsorted(positions, [chunk.start, chunk.stop])
        if first == last:
            continue
        vectors = read_chunk_vectors(embedding.chunks[chunk.partition_key])
        if found.shape[1] == 0:
            found = np.empty((len(positions), vectors.shape[1]), np.float32)
        if vectors.shape != (chunk.n_obs, found.shape[1]):
            raise InputError(
                f"embeddings/{embedding.name}@{chunk.partition_key} holds {vectors.shape[0]} cells "
                f"of {vectors.shape[1]} values, expected are {chunk.n_obs} of {found.shape[1]}: "
                "materialize the embedding again"
            )
        found[first:last] = vectors[positions[first:last] - chunk.start]
    return found


def read_chunk_vectors(artefact: Artefact) -> np.ndarray:
    """Return the vectors of one chunk, float32 ``(n_obs, n_dims)``.

    Raises
    ------
    InputError
        If they are of several widths.
    """
    table = pq.read_table(artefact.local(TABLE), columns=[COLUMN], page_checksum_verification=True)
    column = table[COLUMN].combine_chunks()
    lengths = np.unique(column.value_lengths().to_numpy())
    if len(lengths) != 1:
        raise InputError(
            f"{artefact.name}: vectors are {lengths.tolist()} values wide, not one width"
        )
    values = np.asarray(column.flatten().to_numpy(), np.float32)
    return values.reshape(len(column), -1)
