"""Fit a method on a dataset's train cells and apply it to a chunk: artefacts in, arrays out."""

from __future__ import annotations

import pandas as pd

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_genes, read_in_order, read_totals
from adata_assets.annotation.train import count_train
from adata_assets.artefact import Artefact
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.contract import Embedder
from adata_assets.matrix.counts import open_counts
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table


def fit_embedder(
    embedder: Embedder, annotated: Artefact, counts: Artefact, gene_stats: Artefact, *, seed: int
) -> FrozenModel:
    """Return what the method learns from the train cells."""
    tables, n_train = annotated.local(OBS).parent, count_train(annotated)
    stream = TrainStream(
        open_counts(counts.local(COUNTS)),
        read_totals(tables, 0, n_train),
        read_in_order(tables, "sample_idx", 0, n_train),
        read_in_order(tables, "batch", 0, n_train),
        read_table(gene_stats.local("gene_stats.parquet")),
        seed,
        read_genes(tables).var["symbol"].to_numpy(),
    )
    return embedder.fit(stream)


def read_chunk(chunk: ChunkSlice, annotated: Artefact, counts: Artefact) -> CellBlock:
    """Read the cells of a chunk."""
    tables = annotated.local(OBS).parent
    return CellBlock(
        open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop),
        read_totals(tables, chunk.start, chunk.stop),
        pd.Index(read_genes(tables).var["gene_id"]),
        read_in_order(tables, "sample_idx", chunk.start, chunk.stop),
        read_in_order(tables, "batch", chunk.start, chunk.stop),
    )


def embed_chunk(embedder: Embedder, model: FrozenModel, cells: CellBlock) -> pd.DataFrame:
    """Return ``EmbeddingSchema`` rows of one chunk."""
    vectors = embedder.embed(cells, model)
    return pd.DataFrame({"sample_idx": cells.sample_ids, "embedding": list(vectors)})


def match_genes(model: FrozenModel, cells: CellBlock) -> float | None:
    """Return the share of the model's genes that the dataset has; None if it names no genes."""
    if not model.gene_ids:
        return None
    return float((cells.columns_of(model.gene_ids) >= 0).mean())
