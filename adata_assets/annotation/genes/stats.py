"""Statistics of every gene over the train cells, from one stream of counts.

Belongs here: sums, moments, medians, the gene mask and the highly variable genes. Only train cells
are ever read, so cells of other splits cannot change what is learnt.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.counts.forms import SCALE
from adata_assets.matrix.spill import RowSpill, spill_folder

_N_BINS = 20
# Files of values by gene: exact medians need one range of genes in memory, and read it once.
_N_BUCKETS = 256


def normalise(block: sp.csr_matrix, totals: np.ndarray) -> sp.csr_matrix:
    """Return counts per 10,000 as float64 CSR.

    Parameters
    ----------
    block
        Counts ``(n_obs, n_vars)``.
    totals
        ``total_counts_source`` of the same cells, ``(n_obs,)``.
    """
    factor = np.repeat(SCALE / totals, np.diff(block.indptr))
    return sp.csr_matrix((block.data * factor, block.indices, block.indptr), shape=block.shape)


def lognorm(block: sp.csr_matrix, totals: np.ndarray) -> sp.csr_matrix:
    """Return ``log1p(count / total_counts_source * 1e4)`` as float64 CSR."""
    result = normalise(block, totals)
    np.log1p(result.data, out=result.data)
    return result


def measure_genes(
    blocks: Iterable[tuple[int, sp.csr_matrix]],
    totals: np.ndarray,
    gene_ids: pd.Series,
    *,
    min_cells: int,
    n_top_genes: int,
    scratch: Path,
    in_all_sources: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return ``GeneStatsSchema`` over the cells of the stream.

    Parameters
    ----------
    blocks
        ``(first row, int32 CSR)`` of the train cells, rows counted from 0.
    totals
        ``total_counts_source`` of the train cells.
    gene_ids
        Ids of the columns.
    min_cells
        Genes in fewer cells are outside of the mask.
    n_top_genes
        Number of highly variable genes (flavor ``seurat``, Satija et al. 2015,
        doi:10.1038/nbt.3192), ranked within the mask.
    scratch
        Folder for temporary files.
    in_all_sources
        bool ``(n_vars,)``: genes that every source file has; the others are outside of the mask,
        because a missing gene is not a gene without counts. None: all.
    """
    n_vars = len(gene_ids)
    n_cells, total = np.zeros(n_vars, np.int64), np.zeros(n_vars, np.int64)
    first, second = np.zeros(n_vars), np.zeros(n_vars)
    n_obs = 0
    with spill_folder(scratch) as folder:
        spill = RowSpill(
            folder,
            n_rows=n_vars,
            n_columns=len(totals),
            rows_per_bucket=-(-n_vars // _N_BUCKETS),
            dtype=np.dtype("<f4"),
        )
        for start, block in blocks:
            rates = normalise(block, totals[start : start + block.shape[0]])
            _add_moments(block.indices, block.data, rates.data, n_cells, total, first, second)
            cells = np.arange(start, start + block.shape[0], dtype=np.int32)
            of_value = np.repeat(cells, np.diff(block.indptr))
            spill.append(block.indices, of_value, rates.data.astype(np.float32))
            n_obs += block.shape[0]
        medians = _medians(spill, n_vars)
    # A dataset that has only a test split has no train cells: every statistic is then 0.
    mean = first / max(n_obs, 1)
    variance = np.maximum(second / max(n_obs, 1) - mean**2, 0) * (n_obs / max(n_obs - 1, 1))
    in_mask = n_cells >= min_cells
    if in_all_sources is not None:
        in_mask &= in_all_sources
    return pd.DataFrame(
        {
            "gene_id": gene_ids.to_numpy(dtype=object),
            "n_cells": n_cells,
            "total_counts": total,
            "mean": mean,
            "variance": variance,
            "nonzero_median": medians,
            "in_mask": in_mask,
            "hvg_rank": rank_variable_genes(mean, variance, in_mask, n_top_genes=n_top_genes),
        }
    )


def rank_variable_genes(
    mean: np.ndarray, variance: np.ndarray, in_mask: np.ndarray, *, n_top_genes: int
) -> np.ndarray:
    """Rank genes by normalised dispersion within 20 bins of the mean (flavor ``seurat``).

    Parameters
    ----------
    mean, variance
        Of the counts per 10,000, ``(n_vars,)``.
    in_mask
        Genes that take part.

    Returns
    -------
    int64 ``(n_vars,)``: 0 for the most variable gene, -1 for genes that are not among the top.
    """
    if not in_mask.any():
        return np.full(len(mean), -1, np.int64)
    mu, var = mean[in_mask], variance[in_mask]
    with np.errstate(divide="ignore", invalid="ignore"):
        dispersion = np.log(np.where(var > 0, var / np.where(mu > 0, mu, 1e-12), np.nan))
    frame = pd.DataFrame({"bin": pd.cut(np.log1p(mu), bins=_N_BINS), "dispersion": dispersion})
    by_bin = frame.groupby("bin", observed=True)["dispersion"]
    centre, spread = by_bin.transform("mean"), by_bin.transform("std")
    # A bin of one gene has no spread: its gene gets 1, as in the reference implementation.
    alone = spread.isna() & centre.notna()
    spread, centre = spread.where(~alone, centre), centre.where(~alone, 0.0)
    score = ((frame["dispersion"] - centre) / spread).fillna(-np.inf).to_numpy()
    order = np.lexsort((np.arange(len(score)), -score))[:n_top_genes]
    order = order[np.isfinite(score[order])]
    rank = np.full(len(mean), -1, np.int64)
    rank[np.flatnonzero(in_mask)[order]] = np.arange(len(order))
    return rank


@numba.njit(cache=True, nogil=True)
def _add_moments(
    genes: np.ndarray,
    counts: np.ndarray,
    rates: np.ndarray,
    n_cells: np.ndarray,
    total: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    for k in range(len(genes)):
        gene = genes[k]
        n_cells[gene] += 1
        total[gene] += counts[k]
        first[gene] += rates[k]
        second[gene] += rates[k] * rates[k]


def _medians(spill: RowSpill, n_vars: int) -> np.ndarray:
    medians = np.full(n_vars, np.nan)
    for first, genes in spill.iter_blocks():
        for i in np.flatnonzero(np.diff(genes.indptr)):
            values = genes.data[genes.indptr[i] : genes.indptr[i + 1]]
            medians[first + i] = float(np.median(values))
    return medians
