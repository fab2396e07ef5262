"""The one streaming pass over raw counts: what every cell and every feature holds.

Belongs here: numbers per cell and per feature. Rules that judge them are in ``quality``, the
compiled loop is in ``measure_kernels``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.build import Genes
from adata_assets.annotation.measure_kernels import IS_GENE, IS_MT, IS_SHARED, measure_rows


@dataclass(frozen=True)
class CellMetrics:
    """What one pass over the counts tells.

    Attributes
    ----------
    n_counts
        int64 ``(n_obs,)``, sum of the counts of a cell.
    n_genes
        int64 ``(n_obs,)``, genes with a count.
    n_counts_mt
        int64 ``(n_obs,)``, counts of mitochondrial genes.
    n_counts_top20
        int64 ``(n_obs,)``, sum of the 20 largest counts of genes.
    n_sentence_genes
        int64 ``(n_obs,)``, features of class gene with a count.
    fingerprint
        uint64 ``(n_obs, 2)``: equal for cells with equal counts of equal genes.
    n_genes_shared, fingerprint_shared
        The same as ``n_genes`` and ``fingerprint`` of those genes that all source files have.
    feature_counts, feature_cells
        int64 ``(n_source_features,)``: sum of the counts of a source feature over all cells, and
        the cells that have one.
    """

    n_counts: np.ndarray
    n_genes: np.ndarray
    n_counts_mt: np.ndarray
    n_counts_top20: np.ndarray
    n_sentence_genes: np.ndarray
    fingerprint: np.ndarray
    n_genes_shared: np.ndarray
    fingerprint_shared: np.ndarray
    feature_counts: np.ndarray
    feature_cells: np.ndarray

    @classmethod
    def zeros(cls, n_obs: int, n_source_features: int = 0) -> CellMetrics:
        """Return metrics of cells without counts."""
        cells = [np.zeros(n_obs, np.int64) for _ in range(6)]
        features = [np.zeros(n_source_features, np.int64) for _ in range(2)]
        fingerprints = [np.zeros((n_obs, 2), np.uint64) for _ in range(2)]
        return cls(
            *(cells[0], cells[1], cells[2], cells[3], cells[4], fingerprints[0]),
            *(cells[5], fingerprints[1], features[0], features[1]),
        )


def measure_cells(
    blocks: Iterable[tuple[int, sp.csr_matrix]], genes: Genes, *, n_obs: int
) -> CellMetrics:
    """Measure every cell and feature in one pass over int32 count blocks.

    Features that share a gene id count as one gene: their counts are summed before anything else.
    Stored zeros count as absent. The result does not depend on the order of the features, nor on
    where blocks begin.

    Parameters
    ----------
    blocks
        ``(first cell, counts)``; the columns are the source features.
    genes
        Uses ``gene_id``, ``is_mt``, ``feature_class`` and ``in_all_sources`` of ``var``, and
        ``gene_index``.
    n_obs
        Number of cells of all blocks.

    Examples
    --------
    >>> var = pd.DataFrame({"gene_id": ["a", "MT-b"], "is_mt": [False, True],
    ...                     "feature_class": "gene", "in_all_sources": True})
    >>> genes = Genes(var, np.array([0, 1, 0], np.int32))
    >>> found = measure_cells([(0, sp.csr_matrix([[1, 2, 3]]))], genes, n_obs=1)
    >>> found.n_counts.tolist(), found.n_genes.tolist(), found.n_counts_mt.tolist()
    ([6], [2], [2])
    """
    metrics = CellMetrics.zeros(n_obs, len(genes.gene_index))
    # Compiled code checks for each signed index whether it counts from the end.
    gene_index = genes.gene_index.astype(np.uint32)
    flags = np.where(genes.var["is_mt"].to_numpy(bool), IS_MT, 0).astype(np.uint8)
    flags |= np.where(genes.var["feature_class"] == "gene", IS_GENE, 0).astype(np.uint8)
    flags |= np.where(genes.var["in_all_sources"].to_numpy(bool), IS_SHARED, 0).astype(np.uint8)
    gene_key = pd.util.hash_array(genes.var["gene_id"].to_numpy(dtype=object))
    # Room for the genes of one cell; the sums are zero between cells.
    room = (np.zeros(len(flags), np.int64), np.empty(len(flags), np.uint32))
    per_feature = np.zeros((len(gene_index), 2), np.int64)
    for start, block in blocks:
        rows = slice(start, start + block.shape[0])
        measure_rows(
            (block.indptr, _unsigned(block.indices), block.data),
            (gene_index, flags, gene_key),
            room,
            metrics.n_counts[rows],
            metrics.n_genes[rows],
            metrics.n_counts_mt[rows],
            metrics.n_counts_top20[rows],
            metrics.n_sentence_genes[rows],
            metrics.fingerprint[rows],
            metrics.n_genes_shared[rows],
            metrics.fingerprint_shared[rows],
            per_feature,
        )
    metrics.feature_counts[:], metrics.feature_cells[:] = per_feature.T
    return metrics


def _unsigned(indices: np.ndarray) -> np.ndarray:
    return indices.astype(np.int32, copy=False).view(np.uint32)
