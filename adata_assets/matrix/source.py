"""What an ``.h5ad`` file or zarr folder holds: matrices as streams of rows, obs and var as frames.

Files of anndata before 0.7 (compound ``obs``, ``raw.X``) are read too; run
`adata_assets.matrix.safe.require_safe_h5ad` first on every file that came from outside.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata._io.specs.registry import IORegistryError
from anndata.io import read_elem

from adata_assets.errors import InputError
from adata_assets.matrix.encodings import CscMatrix, CsrMatrix, DenseMatrix, SourceMatrix
from adata_assets.matrix.store import (
    Group,
    StoredArray,
    encoding_of,
    find_node,
    frame_length,
    list_slots,
    open_store,
    var_name,
)

__all__ = ["SourceMatrix", "list_matrices", "open_source_matrix", "read_obs", "read_var"]

# What anndata, h5py and zarr raise over damaged or foreign elements.
_FRAME_ERRORS = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError),
    *(IORegistryError, zlib.error),
)


def list_matrices(path: Path) -> list[str]:
    """List the slots of a file that hold a matrix.

    Returns
    -------
    list of str
        ``layers/counts`` first where there is one, then ``raw/X``, ``X`` and the other layers by
        name.
    """
    with open_store(path) as store:
        return list_slots(store)


def read_obs(path: Path) -> pd.DataFrame:
    """Read obs as anndata does; the index holds the obs_names as str.

    Raises
    ------
    InputError
        If it cannot be read as a frame.
    """
    with open_store(path) as store:
        return _read_frame(path, store, "obs")


def read_var(path: Path, slot: str) -> pd.DataFrame:
    """Read the var that belongs to a slot (``raw/var`` for ``raw/X``); the index holds str.

    Raises
    ------
    InputError
        If it cannot be read as a frame.
    """
    with open_store(path) as store:
        return _read_frame(path, store, var_name(slot))


@contextmanager
def open_source_matrix(path: Path, slot: str, *, scratch: Path) -> Iterator[SourceMatrix]:
    """Open one matrix of a file for reading row by row.

    Parameters
    ----------
    path
        A local ``.h5ad`` file or zarr folder.
    slot
        One of `list_matrices`.
    scratch
        Folder for temporary files: a matrix stored by columns is dealt into row ranges there
        (12 to 16 bytes per stored value), which are removed after each pass.

    Raises
    ------
    InputError
        If there is no such matrix, or its parts contradict each other.
    """
    with open_store(path) as store:
        found = find_node(store, slot)
        encoding = encoding_of(found)
        if found is None or encoding is None:
            raise InputError(
                f"{path} has no matrix {slot!r}; choose one of {list_slots(store) or 'none'}"
            )
        matrix = _build_matrix(path, slot, found, encoding, scratch)
        _require_axes(path, store, matrix)
        yield matrix


def _build_matrix(
    path: Path, slot: str, found: Group | StoredArray, encoding: str, scratch: Path
) -> SourceMatrix:
    if isinstance(found, StoredArray):
        return DenseMatrix(path, slot, found)
    lacking = [name for name in ("data", "indices", "indptr") if not _is_vector(found, name)]
    shape = np.asarray(found.attrs.get("shape", found.attrs.get("h5sparse_shape", ())))
    if lacking or shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any():
        raise InputError(
            f"{path}, {slot}: lacks {lacking or 'nothing'}, shape {shape.tolist()}; "
            "write the file again"
        )
    if encoding == "csr":
        return CsrMatrix(path, slot, found, (int(shape[0]), int(shape[1])))
    return CscMatrix(path, slot, found, (int(shape[0]), int(shape[1])), scratch)


def _is_vector(group: Group, name: str) -> bool:
    found = group.get(name)
    return isinstance(found, StoredArray) and found.shape is not None and len(found.shape) == 1


def _require_axes(path: Path, store: Group, matrix: SourceMatrix) -> None:
    for name, found in (("obs", matrix.n_obs), (var_name(matrix.slot), matrix.n_vars)):
        expected = frame_length(store, name)
        if found != expected:
            raise InputError(
                f"{path}, {matrix.slot}: {found} where {name} has {expected} rows; write it again"
            )


def _read_frame(path: Path, store: Group, name: str) -> pd.DataFrame:
    found = find_node(store, name)
    try:
        is_old = isinstance(found, h5py.Dataset) and found.dtype.names is not None
        frame = _read_records(store, found) if is_old else read_elem(found)
    except _FRAME_ERRORS as error:
        raise InputError(
            f"{path}, {name} cannot be read ({error}); write the file again with anndata"
        ) from error
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}, {name} is a {type(frame).__name__}, not a frame; write it again")
    frame.index = frame.index.astype(str)
    return frame


def _read_records(file: h5py.Group, dataset: h5py.Dataset) -> pd.DataFrame:
    records = dataset[()]
    frame = pd.DataFrame({name: _decode(records[name]) for name in records.dtype.names})
    frame = frame.set_index(frame.columns[0])
    for name in frame.columns:
        # anndata before 0.7 kept the categories of all columns in uns.
        stored = file.get(f"uns/{name}_categories")
        if isinstance(stored, h5py.Dataset) and frame[name].dtype.kind == "i":
            categories = _decode(np.atleast_1d(stored[()]))
            codes = frame[name].to_numpy()
            if (codes < len(categories)).all():
                frame[name] = pd.Categorical.from_codes(codes, pd.Index(categories))
    return frame


def _decode(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        texts = [text.decode() if isinstance(text, bytes) else text for text in values]
        return np.array(texts, dtype=object)
    return values
