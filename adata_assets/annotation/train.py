"""The train cells of stored artefacts: the only cells that anything is learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.markers import rank_markers
from adata_assets.annotation.genes.stats import measure_genes
from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_genes, read_in_order, read_totals
from adata_assets.artefact import Artefact
from adata_assets.matrix.counts import open_counts
from adata_assets.spec import DatasetSpec


def count_train(annotated: Artefact) -> int:
    """Return the number of train cells: they are first in the dataset order."""
    return int(annotated.metadata["split_sizes"].get("train", 0))


def measure_train_genes(
    annotated: Artefact, counts: Artefact, spec: DatasetSpec, *, scratch: Path
) -> pd.DataFrame:
    """Return ``GeneStatsSchema`` over the train cells of a dataset."""
    tables, n_train = annotated.local(OBS).parent, count_train(annotated)
    matrix = open_counts(counts.local(COUNTS))
    var = read_genes(tables).var
    shared = var["in_all_sources"].to_numpy(bool) if "in_all_sources" in var else None
    return measure_genes(
        matrix.iter_blocks(0, n_train),
        read_totals(tables, 0, n_train),
        var["gene_id"],
        min_cells=spec.min_cells,
        n_top_genes=spec.n_top_genes,
        scratch=scratch,
        in_all_sources=shared,
    )


def rank_train_markers(
    annotated: Artefact, counts: Artefact, in_mask: np.ndarray, *, n_markers: int
) -> pd.DataFrame:
    """Return ``MarkerSchema`` over the train cells of a dataset.

    Parameters
    ----------
    in_mask
        The gene mask, bool ``(n_vars,)``; only features of class ``gene`` within it are ranked.
    n_markers
        Genes per cell type at most.
    """
    tables, n_train = annotated.local(OBS).parent, count_train(annotated)
    var = read_genes(tables).var
    return rank_markers(
        open_counts(counts.local(COUNTS)).iter_blocks(0, n_train),
        read_totals(tables, 0, n_train),
        read_in_order(tables, "cell_type", 0, n_train),
        gene_ids=var["gene_id"],
        is_eligible=in_mask & (var["feature_class"] == "gene").to_numpy(),
        n_markers=n_markers,
    )
