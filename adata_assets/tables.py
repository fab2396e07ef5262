"""Tables on disk: parquet with page checksums, read in row groups.

Belongs here: reading and writing of intermediate tables. Published shards have rules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_PER_GROUP = 20_000
# Texts of so many rows are some ten MB as objects, of which two parts are alive at a time.
ROWS_PER_PART = 10_000


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; columns of mixed objects become text.

    Parameters
    ----------
    frame
        Its index is written as a column when it has a name.
    path
        A new file.
    """
    table = pa.Table.from_pandas(_without_mixed(frame), preserve_index=frame.index.name is not None)
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        write_page_checksum=True,
    )


def iter_parts(path: Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield the table in parts of at most ``ROWS_PER_PART`` rows; a flipped bit raises ``OSError``."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.num_row_groups == 0 or file.metadata.num_rows == 0:
            yield file.schema_arrow.empty_table().to_pandas()[list(columns or file.schema.names)]
            return
        for group in range(file.num_row_groups):
            # Not iter_batches: a damaged page header makes it end early without an error.
            table = file.read_row_group(group, columns=columns)
            for first in range(0, table.num_rows, ROWS_PER_PART):
                yield table.slice(first, ROWS_PER_PART).to_pandas()


def count_rows(path: Path) -> int:
    """Return the number of rows of a table, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def read_head(path: Path, n_rows: int) -> pd.DataFrame:
    """Return the first rows of a table, for people to look at."""
    with pq.ParquetFile(path) as file:
        first = next(file.iter_batches(n_rows), None)
    return (file.schema_arrow.empty_table() if first is None else first).to_pandas()


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    *,
    categories: Sequence[str] = (),
    rows: np.ndarray | None = None,
) -> pd.DataFrame:
    """Read a table, or some columns and rows of it.

    Parameters
    ----------
    columns
        Those to read, all by default.
    categories
        Columns of repeated text to read as categoricals, which are small in memory.
    rows
        int64, the numbers of the rows, in the order asked for; all by default.
    """
    with pq.ParquetFile(
        path, read_dictionary=list(categories), page_checksum_verification=True
    ) as file:
        table = file.read(columns=list(columns) if columns else None)
    if rows is not None:
        table = table.unify_dictionaries().take(pa.array(rows))
    return table.to_pandas()


def read_rows(path: Path, rows: np.ndarray) -> pd.DataFrame:
    """Read some rows in the order asked for, holding one row group and the result in memory.

    Parameters
    ----------
    rows
        int64, row numbers of the table.
    """
    ordered = np.sort(rows)
    parts, first = [], 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            inside = ordered[(ordered >= first) & (ordered < last)] - first
            if len(inside):
                parts.append(file.read_row_group(group).take(pa.array(inside)))
            first = last
        table = pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()
    back = np.empty(len(rows), np.int64)
    back[np.argsort(rows, kind="stable")] = np.arange(len(rows))
    frame = table.unify_dictionaries().take(pa.array(back)).to_pandas()
    for name in frame.select_dtypes("category"):
        frame[name] = frame[name].cat.remove_unused_categories()
    return frame


def find_rows(path: Path, column: str, start: int, stop: int) -> np.ndarray:
    """Return the rows whose integer ``column`` is in ``start … stop``, ordered by it."""
    values = pq.read_table(path, columns=[column])[column]
    inside = pc.and_(pc.greater_equal(values, start), pc.less(values, stop))
    rows = np.flatnonzero(inside.to_numpy())
    return rows[np.argsort(values.to_numpy()[rows], kind="stable")]


def _without_mixed(frame: pd.DataFrame) -> pd.DataFrame:
    mixed = {
        name: column.where(column.isna(), column.astype(str))
        for name, column in frame.items()
        if column.dtype == object and _is_mixed(column)
    }
    return frame.assign(**mixed) if mixed else frame


def _is_mixed(column: pd.Series) -> bool:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    return kind.startswith("mixed") and not isinstance(column.iloc[0], np.ndarray)
