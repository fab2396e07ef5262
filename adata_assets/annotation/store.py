"""The files of the ``annotated_obs`` artefact, and how later stages read them.

Belongs here: file names and slices of the dataset order. Files are in source order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.annotation.annotate import AnnotatedObs
from adata_assets.annotation.captions.configs import IS_IN
from adata_assets.annotation.genes.build import Genes
from adata_assets.tables import find_rows, read_rows, read_table, write_table

OBS = "obs.parquet"
SOURCE_OBS = "source_obs.parquet"
VAR = "var.parquet"
HARMONISED = "harmonised.parquet"
HARMONISATION = "harmonisation.parquet"
GENE_REPORT = "gene_report.parquet"
GENE_INDEX = "gene_index.npy"
_CAPTIONS = ("caption", "caption_facts", "caption_id", "caption_source")
_KNOWN = ("known_facts", "known_terms")


def write_annotated(annotated: AnnotatedObs, folder: Path) -> None:
    """Write all tables into an empty folder."""
    write_table(annotated.obs, folder / OBS)
    write_table(annotated.source_obs, folder / SOURCE_OBS)
    write_table(annotated.genes.var, folder / VAR)
    write_table(annotated.harmonised.table, folder / HARMONISED)
    write_table(annotated.harmonised.report, folder / HARMONISATION)
    write_table(annotated.gene_report, folder / GENE_REPORT)
    for name, captions in annotated.configs.items():
        write_table(captions, folder / file_of_config(name))
    np.save(folder / GENE_INDEX, annotated.genes.gene_index, allow_pickle=False)


def file_of_config(name: str) -> str:
    """Return the file with the captions of a config that has its own."""
    return f"config_{name}.parquet"


def read_genes(folder: Path) -> Genes:
    """Return the gene table and the way from source features to genes."""
    return Genes(read_table(folder / VAR), np.load(folder / GENE_INDEX, allow_pickle=False))


def read_positions(folder: Path) -> np.ndarray:
    """Return each raw cell's place in the dataset order, int64; -1 for a removed one."""
    return pq.read_table(folder / OBS, columns=["position"])["position"].to_numpy()


def read_totals(folder: Path, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Return ``total_counts_source`` of cells ``start … stop`` of the dataset order, int64."""
    return read_in_order(folder, "total_counts_source", start, stop)


def read_in_order(folder: Path, column: str, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Return one column of cells ``start … stop`` of the dataset order (all kept cells by default)."""
    return read_arrow_in_order(folder, column, start, stop).to_numpy()


def read_arrow_in_order(
    folder: Path, column: str, start: int = 0, stop: int | None = None
) -> pa.ChunkedArray:
    """Return what ``read_in_order`` does as Arrow: text takes a fifth of the memory."""
    table = pq.read_table(folder / OBS, columns=["position", column])
    position = table["position"].to_numpy()
    kept = np.flatnonzero(position >= 0)
    order = kept[np.argsort(position[kept])]
    return table[column].take(order[start:stop])


@dataclass(frozen=True)
class Cells:
    """The obs tables of some cells, all in the same order.

    Attributes
    ----------
    obs
        ``ObsSchema`` rows.
    source_obs
        The files' own columns.
    harmonised
        The columns beside them.
    """

    obs: pd.DataFrame
    source_obs: pd.DataFrame
    harmonised: pd.DataFrame


def read_cells(folder: Path, start: int, stop: int) -> Cells:
    """Return the tables of cells ``start … stop`` of the dataset order."""
    rows = find_rows(folder / OBS, "position", start, stop)
    return Cells(*(read_rows(folder / name, rows) for name in (OBS, SOURCE_OBS, HARMONISED)))


def read_facts(folder: Path, start: int, stop: int, config: str | None = None) -> pd.DataFrame:
    """Return captions and facts of cells ``start … stop`` of the dataset order, as categoricals.

    Of a config with captions of its own they are those, with ``is_in``: whether it holds the cell.
    """
    rows = find_rows(folder / OBS, "position", start, stop)
    if config is None:
        repeated = [*_KNOWN, *_CAPTIONS]
        return read_table(folder / OBS, repeated, categories=repeated, rows=rows)
    known = read_table(folder / OBS, _KNOWN, categories=_KNOWN, rows=rows)
    file = folder / file_of_config(config)
    own = read_table(file, [*_CAPTIONS, IS_IN], categories=_CAPTIONS, rows=rows)
    return known.join(own)
