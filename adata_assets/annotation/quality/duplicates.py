"""Cells that were published twice: equal counts of equal genes, within a file and across files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.annotation.measure import CellMetrics

# Below this many genes two cells can have equal counts by chance.
MIN_GENES_OF_DUPLICATES = 200


@dataclass(frozen=True)
class Duplicates:
    """Which cells are copies.

    Attributes
    ----------
    earlier
        Per cell the id of the cell that is kept instead of it, None where it is no copy; object.
    conflicts
        Copies that do not agree on their label, one row per cell of such a group: ``kept`` (id of
        the one that stays), ``sample_idx``, ``source``, ``label``; ordered by them.
    """

    earlier: pd.Series
    conflicts: pd.DataFrame


def find_duplicates(
    metrics: CellMetrics, *, sample_idx: pd.Series, source: pd.Series, labels: pd.Series | None
) -> Duplicates:
    """Find exact copies among cells with at least 200 genes.

    The smallest (source, cell id) stays. Copies are found by the fingerprint of all counts before
    any gene is left out. Limit: two files with different gene sets (another annotation, genes
    filtered) hold different counts of the same cell, which is then not found; nor is a cell whose
    counts were changed, for example by removing ambient RNA.

    Parameters
    ----------
    metrics
        Of the cells that are looked at; ``n_genes`` and ``fingerprint`` are read.
    sample_idx, source
        Unique id of each cell, and name of the file that it is from; same order as the metrics.
    labels
        Cell type of each cell, None where it is not known; None without labels. Only known labels
        can differ.
    """
    frame = pd.DataFrame(
        {
            "a": metrics.fingerprint[:, 0],
            "b": metrics.fingerprint[:, 1],
            "source": source.to_numpy(dtype=object),
            "sample_idx": sample_idx.to_numpy(dtype=object),
            "label": None if labels is None else labels.to_numpy(dtype=object),
        }
    )
    frame = frame[np.asarray(metrics.n_genes) >= MIN_GENES_OF_DUPLICATES]
    frame = frame[frame.duplicated(["a", "b"], keep=False)].sort_values(["source", "sample_idx"])
    groups = frame.groupby(["a", "b"], sort=False)
    frame["kept"] = groups["sample_idx"].transform("first")
    copies = frame["kept"] != frame["sample_idx"]
    earlier = np.full(len(sample_idx), None, dtype=object)
    earlier[frame.index[copies]] = frame.loc[copies, "kept"].to_numpy(dtype=object)
    disagree = groups["label"].transform("nunique") > 1
    columns = ["kept", "sample_idx", "source", "label"]
    conflicts = frame.loc[disagree, columns].sort_values(columns[:-1]).reset_index(drop=True)
    return Duplicates(pd.Series(earlier, index=sample_idx.index, dtype=object), conflicts)


def name_copies(metrics: CellMetrics, ids: pd.Series, rows: np.ndarray) -> pd.Series:
    """Return for cells that have an equal the smallest id among them, None for all others.

    Unlike ``find_duplicates`` this also sees cells of files with different gene sets: of several
    files, only genes that all of them have are compared.

    Parameters
    ----------
    metrics
        Of all cells; ``n_genes_shared`` and ``fingerprint_shared`` are read.
    ids
        Ids of the cells to compare, str ``(n,)``.
    rows
        Their numbers among all cells, int64 ``(n,)``.
    """
    fingerprint = metrics.fingerprint_shared[rows]
    frame = pd.DataFrame({"a": fingerprint[:, 0], "b": fingerprint[:, 1], "id": ids.to_numpy()})
    frame = frame[metrics.n_genes_shared[rows] >= MIN_GENES_OF_DUPLICATES]
    frame = frame[frame.duplicated(["a", "b"], keep=False)].sort_values("id")
    found = np.full(len(ids), None, dtype=object)
    found[frame.index] = frame.groupby(["a", "b"], sort=False)["id"].transform("first")
    return pd.Series(found, index=ids.index, dtype=object)
