"""The files of the ``leakage`` artefact: artefacts in, three tables out.

Belongs here: file names, which columns are looked at, and what breaks the promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.build import Genes
from adata_assets.annotation.harmonised.privacy import select_published
from adata_assets.annotation.measure import measure_cells
from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.quality.duplicates import name_copies
from adata_assets.annotation.store import (
    OBS,
    SOURCE_OBS,
    read_genes,
    read_in_order,
    read_positions,
    read_totals,
)
from adata_assets.annotation.values import clean_values
from adata_assets.artefact import Artefact
from adata_assets.leakage.probe import probe_splits
from adata_assets.leakage.shared import count_shared_values, find_shared_cells, looks_like_key
from adata_assets.matrix.counts import Counts, open_counts
from adata_assets.scorecard.cells import read_labelled_cells
from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table, write_table

KEYS, CELLS, PROBE = "shared_keys.parquet", "shared_cells.parquet", "probe.parquet"


def write_leakage(
    spec: DatasetSpec, annotated: Artefact, counts: Artefact, gene_stats: Artefact, folder: Path
) -> dict[str, Any]:
    """Write the three tables into an empty folder.

    The counts are read twice, block by block; of the obs one column is held at a time.

    Returns
    -------
    ``n_groups_shared``, ``n_cells_shared`` and ``gap`` per held-out split (None: not applicable).
    """
    tables, matrix = annotated.local(OBS).parent, open_counts(counts.local(COUNTS))
    sizes = annotated.metadata["split_sizes"]
    split = np.repeat(np.array(list(sizes), dtype=object), list(sizes.values()))
    groups = annotated.metadata["dealing"]["group_columns"]
    keys = count_shared_values(_read_keys(spec, annotated, tables), split, groups=groups)
    ids = read_in_order(tables, "sample_idx")
    shared = find_shared_cells(_name_copies(tables, matrix, ids), ids, split)
    n_groups = annotated.metadata["n_groups"]
    probe = probe_splits(
        read_labelled_cells(annotated, seed=spec.seed),
        matrix.iter_blocks(0, matrix.n_obs),
        read_totals(tables),
        read_table(gene_stats.local("gene_stats.parquet"), ["hvg_rank"])["hvg_rank"].to_numpy(),
        n_groups=None if n_groups is None else sum(n_groups.values()),
        seed=spec.seed,
    )
    for name, table in ((KEYS, keys), (CELLS, shared), (PROBE, probe)):
        write_table(table, folder / name)
    return {
        "n_groups_shared": int(keys.loc[keys["is_group"], "n_shared"].sum()),
        "n_cells_shared": len(shared),
        "gap": {
            row.split: None if np.isnan(row.gap) else float(row.gap) for row in probe.itertuples()
        },
    }


def read_leakage(leakage: Artefact) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return shared keys, shared cells and the probe."""
    keys, cells, probe = (read_table(leakage.local(name)) for name in (KEYS, CELLS, PROBE))
    return keys, cells, probe


def find_leakage_breaches(leakage: Artefact) -> tuple[list[str], int]:
    """Name the group columns and the equal cells that are in two splits; the number looked at."""
    keys, cells, _ = read_leakage(leakage)
    breaches = [
        f"{row.n_shared} groups of obs column {row.column!r} are in several splits"
        for row in keys[keys["is_group"]].itertuples()
        if row.n_shared
    ]
    breaches += [
        f"{row.sample_idx!r} ({row.split}) has the counts of {row.equal_to!r} ({row.equal_split})"
        for row in cells.itertuples()
    ]
    return breaches, len(keys) + len(cells)


def _read_keys(
    spec: DatasetSpec, annotated: Artefact, tables: Path
) -> Iterator[tuple[str, pd.Series]]:
    import pyarrow.parquet as pq

    names = pq.read_schema(tables / SOURCE_OBS).names
    public = select_published(names, spec.publish_obs, spec.drop_obs)
    groups = annotated.metadata["dealing"]["group_columns"]
    batch = annotated.metadata["keys"]["batch"]
    wanted = [
        name for name in public if looks_like_key(name) or name == batch or name in groups
    ] + [name for name in groups if name not in public]
    position = read_positions(tables)
    rows = np.flatnonzero(position >= 0)
    rows = rows[np.argsort(position[rows])]
    for name in wanted:
        column = read_table(tables / SOURCE_OBS, [name])[name]
        yield name, clean_values(column.iloc[rows].reset_index(drop=True))


def _name_copies(tables: Path, matrix: Counts, ids: np.ndarray) -> np.ndarray:
    genes = Genes(read_genes(tables).var, np.arange(matrix.n_vars, dtype=np.int32))
    metrics = measure_cells(matrix.iter_blocks(0, matrix.n_obs), genes, n_obs=matrix.n_obs)
    copies = name_copies(metrics, pd.Series(ids, dtype=object), np.arange(matrix.n_obs))
    return copies.to_numpy(dtype=object)
