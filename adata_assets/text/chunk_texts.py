"""The cell sentences of one chunk: artefacts in, a table out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.markers import MARKERS
from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_genes, read_in_order
from adata_assets.artefact import Artefact
from adata_assets.matrix.counts import open_counts
from adata_assets.spec import Sentences
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table
from adata_assets.text.cell_sentences import build_vocabulary, count_sentence_genes
from adata_assets.text.ranking import build_set_sentences, choose_genes, divide_by_median
from adata_assets.text.semantic_sentences import (
    LabelledCells,
    build_marker_sentences,
    draw_labels,
    find_marker_tokens,
    insert_labels,
)


@dataclass(frozen=True)
class ChunkTexts:
    """The sentences of a chunk.

    Attributes
    ----------
    table
        Rows of ``cell_text_schema``.
    n_labelled
        For each semantic sentence the number of cells whose cell type stands in it.
    n_outside_gene_set
        Cells that express no gene of the gene set.
    """

    table: pd.DataFrame
    n_labelled: dict[str, int] = field(default_factory=dict)
    n_outside_gene_set: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        """Small facts for the manifest and the card."""
        n_genes = self.table["n_genes"]
        facts: dict[str, Any] = {
            "n_genes_min": int(n_genes.min()),
            "n_genes_max": int(n_genes.max()),
        }
        if self.n_outside_gene_set:
            facts["n_outside_gene_set"] = self.n_outside_gene_set
        if self.n_labelled:
            facts["n_labelled"] = self.n_labelled
            facts["contains_label"] = [key for key, n in self.n_labelled.items() if n]
        return facts


def build_chunk_texts(
    chunk: ChunkSlice,
    annotated: Artefact,
    counts: Artefact,
    gene_stats: Artefact,
    *,
    rules: Sentences,
    seed: int,
) -> ChunkTexts:
    """Return the sentences that the rules ask for, for the cells of one chunk.

    Parameters
    ----------
    rules
        Of the dataset's spec: length, keys, and what semantic sentences need.
    seed
        The dataset's seed, for semantic sentences only.
    """
    tables = annotated.local(OBS).parent
    columns = ["total_counts", "hvg_rank", "nonzero_median"]
    stats = read_table(gene_stats.local("gene_stats.parquet"), columns)
    var = read_genes(tables).var
    vocabulary = build_vocabulary(var, stats["total_counts"].to_numpy())
    rows = open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop)
    if rules.rank_by == "counts_over_median":
        rows = divide_by_median(rows, stats["nonzero_median"].to_numpy(np.float64))
    is_in_set = choose_genes(rules.gene_set, var, stats["hvg_rank"].to_numpy())
    sample_idx = read_in_order(tables, "sample_idx", chunk.start, chunk.stop)
    genes, n_outside = build_set_sentences(rows, vocabulary, is_in_set, max_genes=rules.length)
    table = pd.DataFrame(
        {
            "sample_idx": sample_idx,
            "cell_sentence_2": genes.to_pandas(),
            "n_genes": count_sentence_genes(genes).astype("int64"),
        }
    )
    if len(rules.keys) == 2:
        return ChunkTexts(table, n_outside_gene_set=n_outside)
    cells = LabelledCells(
        sample_idx=sample_idx,
        cell_type=read_in_order(tables, "cell_type", chunk.start, chunk.stop),
        split=chunk.split,
    )
    markers = find_marker_tokens(read_table(gene_stats.local(MARKERS)), var["gene_id"], vocabulary)
    bare = {
        "cell_sentence_3": build_marker_sentences(rows, vocabulary, markers, genes, rules=rules),
        "cell_sentence_4": genes,
    }
    n_labelled = {}
    for key in rules.keys[2:]:
        labels = draw_labels(cells, key=key, probability=rules.label_probability, seed=seed)
        table[key] = insert_labels(bare[key], labels, markers).to_pandas()
        n_labelled[key] = int(pd.notna(labels).sum())
    return ChunkTexts(table, n_labelled, n_outside)
