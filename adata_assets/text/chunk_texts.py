"""The cell sentences of one chunk: artefacts in, a table out."""

from __future__ import annotations

import pandas as pd

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_genes, read_in_order
from adata_assets.artefact import Artefact
from adata_assets.matrix.counts import open_counts
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table
from adata_assets.text.cell_sentences import (
    build_cell_sentences,
    build_vocabulary,
    count_sentence_genes,
)


def build_chunk_texts(
    chunk: ChunkSlice,
    annotated: Artefact,
    counts: Artefact,
    gene_stats: Artefact,
    *,
    max_genes: int,
) -> pd.DataFrame:
    """Return ``CellTextSchema`` rows of one chunk."""
    tables = annotated.local(OBS).parent
    stats = read_table(gene_stats.local("gene_stats.parquet"), ["total_counts"])
    vocabulary = build_vocabulary(read_genes(tables).var, stats["total_counts"].to_numpy())
    rows = open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop)
    sentences = build_cell_sentences(rows, vocabulary, max_genes=max_genes)
    return pd.DataFrame(
        {
            "sample_idx": read_in_order(tables, "sample_idx", chunk.start, chunk.stop),
            "cell_sentence_2": sentences.to_pandas(),
            "n_genes": count_sentence_genes(sentences).astype("int64"),
        }
    )
