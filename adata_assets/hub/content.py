"""What published tables hold, independent of how parquet stores it: rows and a hash per column.

Two files with the same values in the same order have the same hashes, whatever their row groups,
compression and library versions are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_SHARD = re.compile(r"(?P<table>.+)-\d{5}-of-\d{5}\.parquet")
_FIXED = (pa.int64(), pa.float64())


@dataclass(frozen=True)
class TableContent:
    """Rows of one table and a sha256 (hex) for each of its columns, in the order of the columns."""

    n_rows: int
    columns: Mapping[str, str]


def group_shards(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the shards of each table, ``<folder>/<split>``, in their order.

    Examples
    --------
    >>> group_shards(["README.md", "data/test-00000-of-00001.parquet"])
    {'data/test': ['data/test-00000-of-00001.parquet']}
    """
    tables: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        if shard := _SHARD.fullmatch(name):
            tables[shard["table"]].append(name)
    return dict(tables)


class ContentHasher:
    """Takes the rows of one table in order, in pieces of any size."""

    def __init__(self) -> None:
        self._columns: dict[str, _ColumnHasher] = {}
        self._n_rows = 0

    def add_file(self, path: Path) -> None:
        """Add the rows of one parquet file, whose page checksums are verified."""
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                self.add(file.read_row_group(group))

    def add(self, rows: pa.Table) -> None:
        """Add rows."""
        self._n_rows += rows.num_rows
        for name in rows.column_names:
            hasher = self._columns.setdefault(name, _ColumnHasher())
            for chunk in rows[name].chunks:
                hasher.add(chunk)

    def finish(self) -> TableContent:
        """Return what was added."""
        return TableContent(
            self._n_rows, {name: c.hexdigest() for name, c in self._columns.items()}
        )


def hash_table(shards: Iterable[Path]) -> TableContent:
    """Return the content of one table that is stored in several files."""
    hasher = ContentHasher()
    for shard in shards:
        hasher.add_file(shard)
    return hasher.finish()


class _ColumnHasher:
    """The lengths of all values (-1: null) and their bytes, hashed apart: no piece can shift."""

    def __init__(self) -> None:
        self._lengths, self._values = hashlib.sha256(), hashlib.sha256()

    def add(self, values: pa.Array) -> None:
        if values.type in _FIXED:
            plain = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
            lengths = np.where(values.is_valid().to_numpy(zero_copy_only=False), 8, -1)
            self._values.update(plain.astype(plain.dtype.newbyteorder("<")).tobytes())
        else:
            texts = _to_texts(values)
            lengths = pc.fill_null(pc.binary_length(texts), -1).to_numpy(zero_copy_only=False)
            self._values.update(_bytes_of(texts))
        self._lengths.update(lengths.astype("<i8").tobytes())

    def hexdigest(self) -> str:
        return hashlib.sha256(self._lengths.digest() + self._values.digest()).hexdigest()


def _to_texts(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return values.cast(pa.large_string())
    plain = (None if v is None else json.dumps(v, sort_keys=True) for v in values.to_pylist())
    return pa.array(plain, type=pa.large_string())


def _bytes_of(texts: pa.Array) -> bytes:
    filled = pc.fill_null(texts, "")
    _, offsets, values = filled.buffers()
    if values is None:
        return b""
    ends = np.frombuffer(offsets, dtype=np.int64)[[filled.offset, filled.offset + len(filled)]]
    return bytes(values[ends[0] : ends[1]])
