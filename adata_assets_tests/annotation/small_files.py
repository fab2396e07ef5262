"""Tiny ``.h5ad`` files of any content, written value by value, and how their values compare.

Belongs here: what anndata's writer would make tidy first, and is therefore written with h5py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.sources.raw import RawFile

TEXT = h5py.string_dtype()
# What each kind of column is stored as; the rest are groups of arrays.
DTYPES = {
    "float": "f8",
    "float32": "f4",
    "integer": "i8",
    "byte": "u1",
    "bool": "?",
    "bytes": "S12",
}
KINDS = (*DTYPES, "text", "category", "nullable-text", "nullable-integer", "nullable-boolean")


@dataclass(frozen=True)
class Column:
    """Values of one obs or var column; None is missing where the kind can say so."""

    kind: str
    values: tuple[object, ...]
    unused: tuple[object, ...] = ()
    ordered: bool = False

    def taken(self, rows: Sequence[int]) -> Column:
        """Return the column of other rows."""
        return replace(self, values=tuple(self.values[row] for row in rows))


@dataclass(frozen=True)
class SmallFile:
    """One raw file; ``counts`` are the whole numbers that its values stand for."""

    name: str
    counts: np.ndarray
    obs_names: Sequence[object]
    var_names: Sequence[object]
    obs: Mapping[str, Column] = field(default_factory=dict)
    var: Mapping[str, Column] = field(default_factory=dict)
    encoding: str = "csr"
    dtype: str = "f4"
    noise: float = 0.0
    slot: str = "X"

    def with_genes(self, columns: Sequence[int]) -> SmallFile:
        """Return the file with its genes in another order; a numbering stays with the places."""
        is_numbered = all(isinstance(name, int) for name in self.var_names)
        names = self.var_names if is_numbered else [self.var_names[i] for i in columns]
        var = {name: column.taken(columns) for name, column in self.var.items()}
        return replace(self, counts=self.counts[:, columns], var_names=names, var=var)


def write_small(file: SmallFile, folder: Path) -> RawFile:
    """Write a file and return what ``raw_h5ad`` would say of it."""
    path = folder / f"{file.name}.h5ad"
    with h5py.File(path, "w") as store:
        _mark(store, "anndata", "0.1.0")
        _write_frame(store, "obs", file.obs_names, file.obs)
        _write_frame(store, "var", file.var_names, file.var)
        if file.slot == "raw/X":
            _mark(store.create_group("raw"), "raw", "0.1.0")
            _write_frame(store, "raw/var", file.var_names, file.var)
        _write_matrix(store, file.slot, file)
        if file.slot != "X":
            logged = np.log1p(file.counts * 0.37)
            _write_matrix(store, "X", replace(file, counts=logged, dtype="f4", noise=0))
    return RawFile(file.name, str(path), "v1", str(path), None, 0, 0, "")


def plain(value: object) -> object:
    """Return a value such that equal ones compare equal, whatever type a table gave them."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    value = value.decode() if isinstance(value, bytes) else value
    try:
        number = float(value)
    except ValueError:
        return value
    return None if math.isnan(number) else number


def _mark(node: h5py.Group | h5py.Dataset, encoding: str, version: str) -> None:
    node.attrs["encoding-type"], node.attrs["encoding-version"] = encoding, version


def _write_array(
    group: h5py.Group, name: str, values: Sequence[object], dtype: object = None
) -> None:
    array = np.asarray(values, dtype=object if dtype is TEXT else dtype)
    found = group.create_dataset(name, data=array, dtype=dtype)
    _mark(found, "string-array" if dtype is TEXT else "array", "0.2.0")


def _write_frame(
    store: h5py.Group, name: str, index: Sequence[object], columns: Mapping[str, Column]
) -> None:
    group = store.create_group(name)
    _mark(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs.create("column-order", list(columns), shape=(len(columns),), dtype=TEXT)
    is_text = not all(isinstance(value, int) for value in index)
    _write_array(group, "_index", list(index), TEXT if is_text else "i8")
    for column_name, column in columns.items():
        _write_column(group, column_name, column)


def _write_column(group: h5py.Group, name: str, column: Column) -> None:
    values = column.values
    if column.kind == "text":
        _write_array(group, name, ["" if value is None else value for value in values], TEXT)
    elif column.kind in DTYPES:
        filled = [math.nan if value is None else value for value in values]
        _write_array(group, name, filled, DTYPES[column.kind])
    elif column.kind == "category":
        _write_categories(group.create_group(name), column)
    else:
        part = group.create_group(name)
        is_text = column.kind == "nullable-text"
        _mark(part, "nullable-string-array" if is_text else column.kind, "0.1.0")
        dtype = TEXT if is_text else "i8" if column.kind == "nullable-integer" else bool
        filler = "" if is_text else 0
        _write_array(part, "values", [filler if v is None else v for v in values], dtype)
        _write_array(part, "mask", [value is None for value in values], bool)


def _write_categories(group: h5py.Group, column: Column) -> None:
    _mark(group, "categorical", "0.2.0")
    group.attrs["ordered"] = column.ordered
    values = column.values
    used = dict.fromkeys([*column.unused, *(value for value in values if value is not None)])
    numbers = {value: code for code, value in enumerate(used)}
    is_text = not used or isinstance(next(iter(used)), str)
    _write_array(group, "categories", list(used), TEXT if is_text else None)
    _write_array(group, "codes", [-1 if v is None else numbers[v] for v in values], "i1")


def _write_matrix(store: h5py.Group, slot: str, file: SmallFile) -> None:
    values = file.counts.astype(file.dtype)
    if file.noise:
        values = values + np.where(values > 0, file.noise, 0).astype(file.dtype)
    if file.encoding == "dense":
        _mark(store.create_dataset(slot, data=values), "array", "0.2.0")
        return
    matrix = (sp.csr_matrix if file.encoding == "csr" else sp.csc_matrix)(values)
    group = store.create_group(slot)
    _mark(group, f"{file.encoding}_matrix", "0.1.0")
    group.attrs["shape"] = values.shape
    for part in ("data", "indices", "indptr"):
        group.create_dataset(part, data=getattr(matrix, part))
