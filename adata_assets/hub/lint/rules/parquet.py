"""Rules for parquet: what `datasets` and the Hub's viewer can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adata_assets.errors import InputError
from adata_assets.hub.lint.folder import ROWS, PublishedFolder
from adata_assets.hub.lint.registry import rule
from adata_assets.rows.parquet import require_intact

_TYPES = (pa.string(), pa.float64(), pa.int64(), pa.bool_())


@rule("parquet-is-intact", "Every parquet file opens, and every page has its checksum.")
def _intact(folder: PublishedFolder) -> Iterator[str]:
    for name, path in folder.files.items():
        if name.endswith(".parquet") and path.is_file():
            try:
                require_intact(path)
            except InputError as error:
                yield str(error).splitlines()[0]


@rule("parquet-is-compressed", "Columns are compressed with zstd.")
def _compressed(folder: PublishedFolder) -> Iterator[str]:
    for name, shard in folder.shards.items():
        codecs = {
            shard.row_group(g).column(c).compression
            for g in range(shard.num_row_groups)
            for c in range(shard.num_columns)
        }
        if codecs - {"ZSTD"}:
            yield f"{name} is compressed with {sorted(codecs)}"


@rule("parquet-has-a-page-index", "Files have a page index, by which the viewer finds rows.")
def _page_index(folder: PublishedFolder) -> Iterator[str]:
    for name, shard in folder.shards.items():
        if shard.num_row_groups and not shard.row_group(0).column(0).has_offset_index:
            yield f"{name} has no page index"


@rule("row-groups-are-below-the-limit", "Row groups are small enough for the viewer.")
def _row_groups(folder: PublishedFolder) -> Iterator[str]:
    for name, shard in folder.shards.items():
        sizes = [shard.row_group(g).total_byte_size for g in range(shard.num_row_groups)]
        if sizes and max(sizes) > folder.limits.row_group_bytes:
            yield f"{name} has a row group of {max(sizes)} bytes"


@rule("rows-are-below-the-limit", "Rows are small enough for the viewer.")
def _row_size(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.tables:
        names = [f.name for f in folder.schema(table) if f.type == pa.string()]
        rows = folder.rows(table, *names)
        if not names or not rows.num_rows:
            continue
        n_bytes = sum(pc.fill_null(pc.binary_length(c), 0).to_numpy() for c in rows.columns)
        if (largest := int(np.max(n_bytes))) > folder.limits.row_bytes:
            yield f"{table} has a row of {largest} bytes"


@rule("columns-are-below-the-limit", "There are not more columns than the viewer shows.")
def _n_columns(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.tables:
        if (n := len(folder.schema(table).names)) > folder.limits.n_columns:
            yield f"{table} has {n} columns"


@rule("column-names-are-plain", "Names of columns hold letters, digits and _ only.")
def _column_names(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        for name in folder.schema(table).names:
            if not re.fullmatch(r"[A-Za-z]\w*", name, flags=re.ASCII):
                yield f"{table} has a column {name!r}"


@rule("splits-have-one-set-of-columns", "All splits of a config have the same columns (C3).")
def _same_columns(folder: PublishedFolder) -> Iterator[str]:
    first: dict[str, tuple[str, pa.Schema]] = {}
    for table in folder.tables:
        schema = folder.schema(table)
        seen, expected = first.setdefault(table.rpartition("/")[0], (table, schema))
        if not schema.equals(expected, check_metadata=False):
            yield f"{table} has other columns than {seen}"


@rule("shards-have-one-set-of-columns", "All shards of a table have the same columns.")
def _same_in_shards(folder: PublishedFolder) -> Iterator[str]:
    for table, shards in folder.tables.items():
        for shard in shards:
            if not folder.schema(shard).equals(folder.schema(table), check_metadata=False):
                yield f"{shard} has other columns than {shards[0]}"


@rule("column-types-are-plain", "Rows hold strings and 64-bit numbers only.")
def _types(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        for field in folder.schema(table):
            if field.type not in _TYPES:
                yield f"{table}: {field.name} is {field.type}"


@rule("features-are-stored", "Each file tells `datasets` the features of its columns.")
def _features(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.tables:
        if not table.startswith(ROWS):
            continue
        schema = folder.schema(table)
        text = (schema.metadata or {}).get(b"huggingface")
        told = json.loads(text)["info"]["features"] if text else {}
        if list(told) != schema.names:
            yield f"{table} tells features {list(told)}"


@rule("no-split-is-empty", "Every table has rows.")
def _not_empty(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.tables:
        if folder.n_rows(table) == 0:
            yield f"{table} has no rows"
