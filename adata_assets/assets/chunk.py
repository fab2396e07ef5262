"""Which cells a partition holds."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.splitting.chunks import ChunkSlice, find_chunk


def chunk_of(context: dg.AssetExecutionContext, annotated_obs: Artefact) -> ChunkSlice:
    """Return the slice of the run's partition, computed from the current ``annotated_obs``."""
    return find_chunk(annotated_obs.metadata["split_sizes"], context.partition_key)
