"""Marker genes of each cell type, learnt from one stream of train counts.

Belongs here: Welch's t of every gene, one type against all other labelled cells, and the ranks
that follow from it. Cells without a label are in neither group: they may be of the type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.stats import lognorm

MARKERS = "markers.parquet"
# A mean and a variance from fewer cells say little of a type.
MIN_CELLS_PER_TYPE = 10


@dataclass(frozen=True)
class _Sums:
    """Per type and gene: sum and sum of squares of the lognorm values; cells per type."""

    first: np.ndarray
    second: np.ndarray
    n_obs: np.ndarray


def rank_markers(
    blocks: Iterable[tuple[int, sp.csr_matrix]],
    totals: np.ndarray,
    labels: np.ndarray,
    *,
    gene_ids: pd.Series,
    is_eligible: np.ndarray,
    n_markers: int,
    min_cells: int = MIN_CELLS_PER_TYPE,
) -> pd.DataFrame:
    """Rank the genes that are higher in one cell type than in all others.

    The score is Welch's t on ``log1p(count / total_counts_source * 1e4)``, as in scanpy's
    ``rank_genes_groups(method="t-test")``; ties go to the smaller gene id. A gene with a score of 0
    or below is no marker, so a type may have fewer than ``n_markers``, or none.

    Parameters
    ----------
    blocks
        ``(first row, int32 CSR)`` of the train cells, rows counted from 0.
    totals
        ``total_counts_source`` of the train cells, ``(n_obs,)``.
    labels
        Cell type of the train cells, str or None, ``(n_obs,)``.
    gene_ids
        Ids of the columns.
    is_eligible
        bool ``(n_vars,)``: genes that may be markers.
    n_markers
        Genes per type at most.
    min_cells
        Types with fewer train cells get no markers; they count among the others.

    Returns
    -------
    ``MarkerSchema``: by cell type, then rank.
    """
    types, genes = _types_of(labels), np.flatnonzero(is_eligible)
    # Unlabelled cells get the code -1 and are not summed.
    code = pd.Categorical(labels, categories=types).codes.astype(np.int32)
    sums = _sum_by_type(blocks, totals, code, genes, n_types=len(types), n_vars=len(is_eligible))
    ids = gene_ids.to_numpy(dtype=object)[genes]
    id_order = np.argsort(np.argsort(ids.astype(str)))
    tables = []
    for number in np.flatnonzero(sums.n_obs >= min_cells) if len(types) > 1 else []:
        score = _welch_t(sums, int(number))
        best = np.lexsort((id_order, -score))[:n_markers]
        best = best[score[best] > 0]
        tables.append(
            pd.DataFrame(
                {
                    "cell_type": types[number],
                    "gene_id": ids[best],
                    "rank": np.arange(len(best)),
                    "score": score[best],
                }
            )
        )
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else _no_markers()


def _no_markers() -> pd.DataFrame:
    texts = {name: pd.Series(dtype=object) for name in ("cell_type", "gene_id")}
    return pd.DataFrame(
        {**texts, "rank": pd.Series(dtype=np.int64), "score": pd.Series(dtype=float)}
    )


def _types_of(labels: np.ndarray) -> list[str]:
    return sorted({label for label in pd.unique(labels) if isinstance(label, str)})


def _sum_by_type(
    blocks: Iterable[tuple[int, sp.csr_matrix]],
    totals: np.ndarray,
    code: np.ndarray,
    genes: np.ndarray,
    *,
    n_types: int,
    n_vars: int,
) -> _Sums:
    place_of_gene = np.full(n_vars, -1, np.int32)
    place_of_gene[genes] = np.arange(len(genes), dtype=np.int32)
    first, second = np.zeros((n_types, len(genes))), np.zeros((n_types, len(genes)))
    for start, block in blocks:
        stop = start + block.shape[0]
        values = lognorm(block, totals[start:stop])
        _add(
            values.indptr,
            values.indices,
            values.data,
            code[start:stop],
            place_of_gene,
            first,
            second,
        )
    return _Sums(first, second, np.bincount(code[code >= 0], minlength=n_types))


@numba.njit(cache=True, nogil=True)
def _add(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    code: np.ndarray,
    place_of_gene: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    for cell in range(len(code)):
        if code[cell] < 0:
            continue
        for entry in range(indptr[cell], indptr[cell + 1]):
            place = place_of_gene[indices[entry]]
            if place >= 0:
                first[code[cell], place] += values[entry]
                second[code[cell], place] += values[entry] * values[entry]


def _welch_t(sums: _Sums, number: int) -> np.ndarray:
    """Welch's t of one type against the rest, ``(n_genes,)`` (Welch 1947, 10.1093/biomet/34.1-2.28).

    A gene without variance in both groups has 0.
    """
    n = int(sums.n_obs[number])
    n_rest = int(sums.n_obs.sum()) - n
    # Summed without the type itself: a difference of sums would cancel digits.
    others = np.arange(len(sums.n_obs)) != number
    mean, spread = _mean_and_error(sums.first[number], sums.second[number], n)
    mean_rest, spread_rest = _mean_and_error(
        sums.first[others].sum(axis=0), sums.second[others].sum(axis=0), n_rest
    )
    error = np.sqrt(spread + spread_rest)
    return np.divide(mean - mean_rest, error, out=np.zeros(len(mean)), where=error > 0)


def _mean_and_error(first: np.ndarray, second: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean and its squared standard error (ddof 1)."""
    mean = first / n
    variance = np.maximum(second / n - mean**2, 0) * (n / max(n - 1, 1))
    return mean, variance / n
