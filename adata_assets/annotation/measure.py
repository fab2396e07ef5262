"""The one streaming pass over a raw file: what every cell and every feature holds.

Belongs here: numbers per cell and per feature. Rules that judge them are in ``quality``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes import Genes


@dataclass(frozen=True)
class CellMetrics:
    """Per source cell, each of shape ``(n_obs,)``.

    Attributes
    ----------
    n_counts
        int64, sum of the counts.
    n_genes
        int64, genes with a count.
    n_counts_mt
        int64, counts of mitochondrial genes.
    n_sentence_genes
        int64, features of class gene with a count.
    fingerprint
        uint64 ``(n_obs, 2)``: equal for cells with equal counts of equal genes.
    """

    n_counts: np.ndarray
    n_genes: np.ndarray
    n_counts_mt: np.ndarray
    n_sentence_genes: np.ndarray
    fingerprint: np.ndarray

    @classmethod
    def zeros(cls, n_obs: int) -> CellMetrics:
        """Return metrics of cells without counts."""
        sums = [np.zeros(n_obs, np.int64) for _ in range(4)]
        return cls(sums[0], sums[1], sums[2], sums[3], np.zeros((n_obs, 2), np.uint64))


def measure_cells(
    blocks: Iterable[tuple[int, sp.csr_matrix]], genes: Genes, *, n_obs: int
) -> CellMetrics:
    """Measure every cell in one pass over int32 count blocks.

    Features that share a gene id count as one gene.
    """
    metrics = CellMetrics.zeros(n_obs)
    is_mt = genes.var["is_mt"].to_numpy(bool)
    is_gene = (genes.var["feature_class"] == "gene").to_numpy(bool)
    gene_key = pd.util.hash_array(genes.var["gene_id"].to_numpy(dtype=object))
    for start, block in blocks:
        merged = merge_genes(block, genes)
        rows = slice(start, start + block.shape[0])
        _measure(
            merged.indptr,
            merged.indices,
            merged.data,
            is_mt,
            is_gene,
            gene_key,
            metrics.n_counts[rows],
            metrics.n_genes[rows],
            metrics.n_counts_mt[rows],
            metrics.n_sentence_genes[rows],
            metrics.fingerprint[rows],
        )
    return metrics


def merge_genes(block: sp.csr_matrix, genes: Genes) -> sp.csr_matrix:
    """Return the block over genes: counts of features that share a gene id are summed."""
    if len(genes.var) == len(genes.gene_index):
        return block
    merged = sp.csr_matrix(
        (block.data.astype(np.int64), genes.gene_index[block.indices], block.indptr),
        shape=(block.shape[0], len(genes.var)),
    )
    merged.sum_duplicates()
    return merged


@numba.njit(cache=True, nogil=True)
def _mix(value: np.uint64) -> np.uint64:
    """Finalise 64 bits (splitmix64, Steele et al. 2014, doi:10.1145/2660193.2660195)."""
    value = np.uint64(value)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _measure(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    is_mt: np.ndarray,
    is_gene: np.ndarray,
    gene_key: np.ndarray,
    n_counts: np.ndarray,
    n_genes: np.ndarray,
    n_mt: np.ndarray,
    n_sentence: np.ndarray,
    fingerprint: np.ndarray,
) -> None:
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            gene, count = indices[k], data[k]
            n_counts[row] += count
            n_genes[row] += 1
            n_mt[row] += count * is_mt[gene]
            n_sentence[row] += is_gene[gene]
            # A sum does not depend on the order of the genes in the file.
            entry = _mix(gene_key[gene] + _mix(np.uint64(count)))
            fingerprint[row, 0] += entry
            fingerprint[row, 1] += _mix(entry ^ np.uint64(0x9E3779B97F4A7C15))
