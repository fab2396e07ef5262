"""The config ``cells``: what is known of every published cell, by its id, without texts.

Belongs here: which columns it has. Obs columns of the source stand under their own names; where one
is named like a column made here, it gets the prefix ``obs_``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.annotation.harmonised.privacy import select_published
from adata_assets.annotation.keys import DEPTH_MODE
from adata_assets.annotation.store import HARMONISED, OBS, SOURCE_OBS, read_cells
from adata_assets.artefact import Artefact
from adata_assets.rows.parquet import ShardInfo, SplitWriter
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice

TABLE = "cells"
SOURCE_PREFIX = "obs_"
# Name in the config to name in ``ObsSchema``.
OWN_COLUMNS = {
    "sample_idx": "sample_idx",
    "split": "split",
    "source": "source",
    "label_id": "cell_type",
    "caption_id": "caption_id",
    "caption_source": "caption_source",
    "caption_template": "caption_template",
    "caption_facts": "caption_facts",
    "known_facts": "known_facts",
    "known_terms": "known_terms",
    "group": "group",
    "batch": "batch",
    "total_counts_source": "total_counts_source",
    "n_genes_source": "n_genes_source",
}


def label_id_of(label: str) -> str:
    """Return the id of a cell type, 16 hex digits that depend on its words alone.

    Examples
    --------
    >>> label_id_of("B cell")
    '11311d8e7a28571e'
    """
    return hashlib.sha256(label.encode()).hexdigest()[:16]


def write_cells_table(
    spec: DatasetSpec, annotated: Artefact, chunks: Sequence[ChunkSlice], folder: Path
) -> dict[str, list[ShardInfo]]:
    """Write the config's files, one chunk in memory at a time; return them by split."""
    tables = annotated.local(OBS).parent
    columns = _plan_columns(spec, tables, annotated.metadata["keys"])
    shards: dict[str, list[ShardInfo]] = {}
    for split in dict.fromkeys(chunk.split for chunk in chunks):
        with SplitWriter(folder, split, table=TABLE) as writer:
            for chunk in (chunk for chunk in chunks if chunk.split == split):
                writer.write(_read_chunk(tables, chunk, columns))
        shards[split] = writer.close()
    return shards


def _plan_columns(
    spec: DatasetSpec, tables: Path, keys: Mapping[str, str | None]
) -> dict[str, tuple[str, str, pa.DataType]]:
    """Name of each column to its file, its name there and its type, the same for every split."""
    source = pq.read_schema(tables / SOURCE_OBS).remove_metadata()
    harmonised = pq.read_schema(tables / HARMONISED).remove_metadata()
    obs = pq.read_schema(tables / OBS).remove_metadata()
    # Whoever stands behind a key is told only if its own column is.
    published = select_published(source.names, spec.publish_obs, spec.drop_obs)
    groups = spec.keys.groups or tuple(filter(None, [keys["group"]]))
    batch = tuple(filter(None, [keys["batch"]]))
    hidden = {
        name
        for name, behind in {"group": groups, "batch": batch}.items()
        if not behind or set(behind) - {*published, DEPTH_MODE}
    }
    own = {name: column for name, column in OWN_COLUMNS.items() if name not in hidden}
    plan = {name: (OBS, column, _plain(obs.field(column).type)) for name, column in own.items()}
    for name in published:
        free = f"{SOURCE_PREFIX}{name}" if name in {*plan, *harmonised.names} else name
        plan[free] = (SOURCE_OBS, name, _plain(source.field(name).type))
    for name in harmonised.names:
        plan[name] = (HARMONISED, name, pa.string())
    return plan


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) else pa.string()


def _read_chunk(
    tables: Path, chunk: ChunkSlice, columns: Mapping[str, tuple[str, str, pa.DataType]]
) -> pa.Table:
    cells = read_cells(tables, chunk.start, chunk.stop)
    files = {OBS: cells.obs, SOURCE_OBS: cells.source_obs, HARMONISED: cells.harmonised}
    table = {
        name: _to_arrow(files[file][column], kind) for name, (file, column, kind) in columns.items()
    }
    labels = {label: label_id_of(label) for label in cells.obs["cell_type"].dropna().unique()}
    table["label_id"] = pa.array(cells.obs["cell_type"].map(labels), pa.string(), from_pandas=True)
    return pa.table(table)


def _to_arrow(column: pd.Series, kind: pa.DataType) -> pa.Array:
    values = column.astype(object).to_numpy()
    if kind == pa.string():
        is_text = np.array([isinstance(value, str) for value in values], dtype=bool)
        known = column.notna().to_numpy()
        odd = np.flatnonzero(known & ~is_text)
        values[odd] = [str(value) for value in values[odd]]
    return pa.array(values, kind, from_pandas=True)
