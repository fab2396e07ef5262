"""Published shards: rows in, parquet files out whose bytes depend on the rows only.

Row groups and shards are cut by a rule on the rows themselves, so it does not matter in which
pieces they arrive. Files get their final names, which hold the number of shards, when the split is
closed; until then the folder holds temporary names that no reader of the split looks at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adata_assets.errors import InputError

# `datasets` writes shards of so many bytes and row groups of at most 100 MB; a third of that also
# bounds the memory of whoever writes or reads one.
MAX_SHARD_BYTES = 500_000_000
ROW_GROUP_BYTES = 32_000_000

_FEATURE_DTYPES = {
    pa.string(): "string",
    pa.float64(): "float64",
    pa.int64(): "int64",
    pa.bool_(): "bool",
}


@dataclass(frozen=True)
class ShardInfo:
    """One finished file: name relative to the split's folder, rows, bytes, sha256.

    `n_bytes` is the size of the file, `n_bytes_raw` that of its rows before compression.
    """

    file_name: str
    n_rows: int
    n_bytes: int
    n_bytes_raw: int
    sha256: str


class SplitWriter:
    """Writes `folder/data/{split}-00000-of-0000N.parquet`; a context manager.

    Files of the same split that an earlier run left in the folder are removed when the new ones
    have their names. If the block is left by an error, nothing new remains.

    Parameters
    ----------
    folder
        A local folder, made if missing.
    split
        Letters, digits, ``_`` and ``.``.
    table
        Name of the folder below `folder`, one for each config of the dataset.
    max_shard_bytes, row_group_bytes
        Upper limits in bytes before compression, strings with 4 bytes each for their offset; a
        single row may exceed them.

    Raises
    ------
    InputError
        A bad split name or limit; tables of different columns; a column of another type than
        string, float64, int64 or bool; no row at all.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        *,
        table: str = "data",
        max_shard_bytes: int = MAX_SHARD_BYTES,
        row_group_bytes: int = ROW_GROUP_BYTES,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.]+", split):
            raise InputError(f"split name {split!r}: use letters, digits, '_' and '.' only")
        if not 0 < row_group_bytes <= max_shard_bytes:
            raise InputError(
                f"row_group_bytes {row_group_bytes} and max_shard_bytes {max_shard_bytes}: "
                "both are above 0 and a shard holds at least one row group"
            )
        self._data_folder = Path(folder) / table
        self._split = split
        self._max_shard_bytes = max_shard_bytes
        self._row_group_bytes = row_group_bytes
        self._schema: pa.Schema | None = None
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._writer: pq.ParquetWriter | None = None
        self._shard_bytes = 0
        self._raw_bytes: list[int] = []
        self._temporary: list[Path] = []
        self._shards: list[ShardInfo] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._discard()

    def write(self, table: pa.Table) -> None:
        """Add rows; all tables of a split have the same columns in the same order."""
        if self._shards is not None:
            raise InputError(f"split {self._split!r} is closed: write its rows before close()")
        table = self._require_schema(table)
        row_bytes = _row_bytes(table)
        start = 0
        while start < table.num_rows:
            room = self._row_group_bytes - self._pending_bytes
            filled = np.cumsum(row_bytes[start:])
            n_fitting = int(np.searchsorted(filled, room, side="right"))
            if n_fitting == 0 and not self._pending:
                n_fitting = 1
            if n_fitting:
                self._pending.append(table.slice(start, n_fitting))
                self._pending_bytes += int(filled[n_fitting - 1])
                start += n_fitting
            if start < table.num_rows:
                self._flush()

    def close(self) -> list[ShardInfo]:
        """Finish the files, name them, verify every page by its checksum; the same list again."""
        if self._shards is None:
            self._flush()
            self._end_shard()
            if not self._temporary:
                raise InputError(f"split {self._split!r} has no rows: publish only filled splits")
            try:
                self._shards = self._name_shards()
            except InputError:
                self._discard()
                raise
        return self._shards

    def _require_schema(self, table: pa.Table) -> pa.Table:
        plain = table.schema.remove_metadata()
        if self._schema is None:
            self._schema = plain.with_metadata(_hugging_face_metadata(plain))
        elif not plain.equals(self._schema, check_metadata=False):
            raise InputError(
                f"rows of split {self._split!r} have the columns {_describe(plain)} after rows "
                f"with {_describe(self._schema)}: a split has one set of columns"
            )
        return table.replace_schema_metadata(self._schema.metadata)

    def _flush(self) -> None:
        """Write the pending rows as one row group, in a new shard if this one would overflow."""
        if not self._pending:
            return
        if self._writer and self._shard_bytes + self._pending_bytes > self._max_shard_bytes:
            self._end_shard()
        writer = self._writer or self._begin_shard()
        group = pa.concat_tables(self._pending).combine_chunks()
        writer.write_table(group, row_group_size=group.num_rows)
        self._shard_bytes += self._pending_bytes
        self._pending, self._pending_bytes = [], 0

    def _begin_shard(self) -> pq.ParquetWriter:
        self._data_folder.mkdir(parents=True, exist_ok=True)
        number = len(self._temporary)
        # `load_dataset` passes over names that begin with a dot.
        path = self._data_folder / f".{self._split}-{number:05d}.{os.getpid()}.tmp"
        self._temporary.append(path)
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            write_page_index=True,
            write_page_checksum=True,
            use_content_defined_chunking=True,
        )
        return self._writer

    def _end_shard(self) -> None:
        if self._writer:
            self._writer.close()
            self._raw_bytes.append(self._shard_bytes)
        self._writer, self._shard_bytes = None, 0

    def _name_shards(self) -> list[ShardInfo]:
        shards = []
        for number, temporary in enumerate(self._temporary):
            name = f"{self._split}-{number:05d}-of-{len(self._temporary):05d}.parquet"
            n_rows = require_intact(temporary)
            with temporary.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
            n_bytes = temporary.stat().st_size
            shards.append(
                ShardInfo(
                    f"{self._data_folder.name}/{name}",
                    n_rows,
                    n_bytes,
                    self._raw_bytes[number],
                    sha256,
                )
            )
        for temporary, shard in zip(self._temporary, shards, strict=True):
            temporary.replace(self._data_folder.parent / shard.file_name)
        self._remove_older({Path(shard.file_name).name for shard in shards})
        return shards

    def _remove_older(self, current: set[str]) -> None:
        pattern = re.compile(rf"{re.escape(self._split)}-\d{{5}}-of-\d{{5}}\.parquet")
        for path in self._data_folder.iterdir():
            if pattern.fullmatch(path.name) and path.name not in current:
                path.unlink()

    def _discard(self) -> None:
        self._end_shard()
        for path in self._temporary:
            path.unlink(missing_ok=True)


def require_intact(path: Path) -> int:
    """Read every page of a shard against its checksum; the number of rows.

    The footer has no checksum: only the file's sha256 covers it.

    Raises
    ------
    InputError
        A page cannot be read or its checksum differs.
    """
    n_rows = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                n_rows += file.read_row_group(group).num_rows
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"shard {path.name} is damaged ({error}): write the split again"
        ) from error
    return n_rows


def _row_bytes(table: pa.Table) -> np.ndarray:
    """Bytes of each row before compression, int64 `(n_rows,)`."""
    n_bytes = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        if column.type == pa.string():
            n_bytes += pc.fill_null(pc.binary_length(column), 0).to_numpy() + 4
        else:
            n_bytes += max(column.type.bit_width // 8, 1)
    return n_bytes


def _hugging_face_metadata(schema: pa.Schema) -> dict[str, str]:
    """The schema metadata in which `datasets` finds the features."""
    features = {}
    for field in schema:
        if field.type not in _FEATURE_DTYPES:
            raise InputError(
                f"column {field.name!r} is {field.type}: published rows hold "
                f"{', '.join(map(str, _FEATURE_DTYPES))} only"
            )
        features[field.name] = {"dtype": _FEATURE_DTYPES[field.type], "_type": "Value"}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def list_features(schema: pa.Schema) -> list[dict[str, str]]:
    """Return the columns as ``dataset_info`` of `datasets` names them."""
    return [{"name": field.name, "dtype": _FEATURE_DTYPES[field.type]} for field in schema]


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
