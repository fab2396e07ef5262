"""One reader per format that vectors by cell id come in: npz, parquet, h5ad. Nothing is unpickled.

Belongs here: where ids and values are in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.embedders.vectors.found import FoundVectors, require_text
from adata_assets.errors import InputError
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.matrix.source import read_obs
from adata_assets.matrix.store import Group, encoding_of, find_node, open_store

IDS = ("obs_names", "index", "ids", "sample_idx", "cell_id", "__index_level_0__")
VALUES = ("X", "emb", "embedding", "embeddings", "values", "vectors")


@contextmanager
def open_vectors(
    path: Path, *, ids: str | None, values: str | None, obsm: str | None
) -> Iterator[FoundVectors]:
    """Open a file of vectors by cell id; its suffix says what it is.

    Parameters
    ----------
    ids, values
        Names of the array or column of ids, and of the vectors; None: one of the usual names.
    obsm
        The key of an h5ad file.

    Raises
    ------
    InputError
        If it is of another format, cannot be read, or does not hold what was named.
    """
    if path.suffix == ".npz":
        yield _read_npz(path, ids, values)
    elif path.suffix == ".parquet":
        yield _read_parquet(path, ids, values)
    elif path.suffix == ".h5ad":
        require_safe_h5ad(path)
        with open_obsm(path, obsm or "") as found:
            yield found
    else:
        raise InputError(
            f"{path}: {path.suffix or 'no suffix'} is none of .npz, .parquet and .h5ad; save the "
            "vectors as one of them"
        )


@contextmanager
def open_obsm(path: Path, key: str, *, prefix: str = "") -> Iterator[FoundVectors]:
    """Open an obsm of an h5ad file or zarr folder that was found safe.

    Parameters
    ----------
    prefix
        What stands before the ids of this file's cells.

    Raises
    ------
    InputError
        If there is no such obsm (lists those that there are), or it is no dense array.
    """
    place = f"{path}, obsm[{key!r}]"
    ids = require_text(read_obs(path).index.to_numpy(dtype=object), place)
    with open_store(path) as store:
        known = _keys_of(store)
        found = find_node(store, f"obsm/{key}") if key in known else None
        if encoding_of(found) != "dense":
            what = "is no dense 2-D array; store it as one" if key in known else "is not there"
            raise InputError(f"{place} {what}; obsm keys are {known or 'none'}")
        yield FoundVectors(place, np.array([prefix + name for name in ids], dtype=object), found)


def _keys_of(store: Group) -> list[str]:
    obsm = find_node(store, "obsm")
    return sorted(obsm) if isinstance(obsm, Group) else []


def _read_npz(path: Path, ids: str | None, values: str | None) -> FoundVectors:
    try:
        # numpy leaves a file open that it cannot read.
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = list(file)
            found_ids = file[_choose(names, ids, IDS, "ids", path)]
            found_values = file[_choose(names, values, VALUES, "values", path)]
    except InputError:
        raise
    # What numpy raises over other files, damaged ones, and arrays of objects.
    except (OSError, EOFError, TypeError, AttributeError, BadZipFile, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as npz ({error}); arrays of objects are never unpickled: save "
            "ids as text (adata.obs_names.to_numpy(dtype=str)) and values as numbers"
        ) from error
    return FoundVectors(str(path), require_text(found_ids, str(path)), found_values)


def _read_parquet(path: Path, ids: str | None, values: str | None) -> FoundVectors:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        names = list(file.schema_arrow.names)
        id_column = _choose(names, ids, IDS, "ids", path)
        columns = _value_columns(file.schema_arrow, values, id_column, path)
        table = file.read(columns=[id_column, *columns])
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as parquet ({error}); save it again") from error
    found = require_text(table[id_column].to_numpy(zero_copy_only=False), str(path))
    return FoundVectors(str(path), found, _stack(table.select(columns), path))


def _value_columns(schema: pa.Schema, values: str | None, ids: str, path: Path) -> list[str]:
    lists = [field.name for field in schema if _is_list(field.type)]
    if values is not None:
        return [_choose(lists, values, (), "values", path)]
    if lists:
        return [_choose(lists, None, VALUES if len(lists) > 1 else tuple(lists), "values", path)]
    numbers = [
        field.name
        for field in schema
        if field.name != ids
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
    others = sorted(set(schema.names) - {ids, *numbers})
    if not numbers or others:
        raise InputError(
            f"{path}: no column of lists, and beside {ids!r} {len(numbers)} columns of numbers and "
            f"others ({others[:5]}); keep one column of ids and the vectors, or name values"
        )
    return numbers


def _is_list(of: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(of) or pa.types.is_large_list(of) or pa.types.is_fixed_size_list(of)
    )


def _stack(table: pa.Table, path: Path) -> np.ndarray:
    if not _is_list(table.schema.field(0).type):
        return np.column_stack([column.to_numpy() for column in table.columns])
    column = table.column(0).combine_chunks()
    lengths = column.value_lengths().unique().to_pylist()
    if len(lengths) != 1 or column.null_count or not lengths[0]:
        raise InputError(
            f"{path}, column {table.column_names[0]!r}: vectors have {sorted(lengths, key=str)[:5]} "
            "values, expected as many for every cell"
        )
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), -1)


def _choose(
    names: list[str], stated: str | None, usual: tuple[str, ...], setting: str, path: Path
) -> str:
    found = [name for name in names if name == stated or (stated is None and name in usual)]
    if len(found) != 1:
        wanted = repr(stated) if stated else f"one of {', '.join(usual)}"
        raise InputError(
            f"{path}: {wanted} is needed for {setting}, found {found or 'none'} among "
            f"{names[:20]}; name it ({setting}: <name>)"
        )
    return found[0]
