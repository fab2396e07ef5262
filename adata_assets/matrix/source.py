"""What an ``.h5ad`` file holds: its matrices as streams of rows, its obs and var as frames.

Files of anndata before 0.7 (compound ``obs``, ``raw.X``) are read too; run
`adata_assets.matrix.safe.require_safe_h5ad` first on every file that came from outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem

from adata_assets.errors import InputError
from adata_assets.matrix.encodings import CscMatrix, CsrMatrix, DenseMatrix, SourceMatrix

__all__ = ["SourceMatrix", "list_matrices", "open_source_matrix", "read_obs", "read_var"]

_PREFERRED = "layers/counts"
# Neighbouring blocks share a chunk; without room for it the chunk is decompressed twice.
_CHUNK_CACHE_BYTES = 16 << 20


def list_matrices(path: Path) -> list[str]:
    """List the slots of a file that hold a matrix.

    Returns
    -------
    list of str
        ``layers/counts`` first where there is one, then ``raw/X``, ``X`` and the other layers by
        name.
    """
    with _open(path) as file:
        layers = file.get("layers")
        names = sorted(layers) if isinstance(layers, h5py.Group) else []
        others = [f"layers/{name}" for name in names if f"layers/{name}" != _PREFERRED]
        candidates = [_PREFERRED, "raw/X", "X", *others]
        return [slot for slot in candidates if _encoding(_find(file, slot))]


def read_obs(path: Path) -> pd.DataFrame:
    """Read obs as anndata does; the index holds the obs_names as str.

    Raises
    ------
    InputError
        If it cannot be read as a frame.
    """
    with _open(path) as file:
        return _read_frame(path, file, "obs")


def read_var(path: Path, slot: str) -> pd.DataFrame:
    """Read the var that belongs to a slot (``raw/var`` for ``raw/X``); the index holds str.

    Raises
    ------
    InputError
        If it cannot be read as a frame.
    """
    with _open(path) as file:
        return _read_frame(path, file, _var_name(file, slot))


@contextmanager
def open_source_matrix(path: Path, slot: str, *, scratch: Path) -> Iterator[SourceMatrix]:
    """Open one matrix of a file for reading row by row.

    Parameters
    ----------
    path
        A local ``.h5ad`` file.
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
    with _open(path) as file:
        found = _find(file, slot)
        encoding = _encoding(found)
        if encoding is None:
            raise InputError(
                f"{path} has no matrix {slot!r}; choose one of {list_matrices(path) or 'none'}"
            )
        matrix = _build_matrix(path, slot, found, encoding, scratch)
        _require_axes(path, file, matrix)
        yield matrix


def _build_matrix(
    path: Path, slot: str, found: h5py.Group | h5py.Dataset, encoding: str, scratch: Path
) -> SourceMatrix:
    if isinstance(found, h5py.Dataset):
        return DenseMatrix(path, slot, found)
    lacking = {"data", "indices", "indptr"} - set(found)
    shape = np.asarray(found.attrs.get("shape", found.attrs.get("h5sparse_shape", ())))
    if lacking or shape.shape != (2,) or (shape < 0).any():
        raise InputError(
            f"{path}, {slot}: lacks {sorted(lacking) or 'nothing'}, shape {shape.tolist()}; "
            "write the file again"
        )
    if encoding == "csr":
        return CsrMatrix(path, slot, found, (int(shape[0]), int(shape[1])))
    return CscMatrix(path, slot, found, (int(shape[0]), int(shape[1])), scratch)


def _require_axes(path: Path, file: h5py.File, matrix: SourceMatrix) -> None:
    var_name = _var_name(file, matrix.slot)
    for name, found in (("obs", matrix.n_obs), (var_name, matrix.n_vars)):
        expected = _frame_length(file, name)
        if found != expected:
            raise InputError(
                f"{path}, {matrix.slot}: {found} where {name} has {expected} rows; write it again"
            )


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be opened as HDF5 ({error}); fetch it again") from error
    with file:
        yield file


def _find(file: h5py.File, slot: str) -> h5py.Group | h5py.Dataset | None:
    if slot == "raw/X" and "raw.X" in file:
        return file["raw.X"]
    return file.get(slot)


def _encoding(found: h5py.Group | h5py.Dataset | None) -> str | None:
    if isinstance(found, h5py.Dataset):
        is_matrix = found.shape is not None and found.ndim == 2 and found.dtype.kind in "biuf"
        return "dense" if is_matrix else None
    if not isinstance(found, h5py.Group):
        return None
    stated = str(found.attrs.get("encoding-type", found.attrs.get("h5sparse_format", "")))
    return {"csr": "csr", "csc": "csc"}.get(stated.removesuffix("_matrix"))


def _var_name(file: h5py.File, slot: str) -> str:
    if slot != "raw/X":
        return "var"
    return "raw.var" if "raw.var" in file else "raw/var"


def _frame_length(file: h5py.File, name: str) -> int | None:
    found = file.get(name)
    if isinstance(found, h5py.Group):
        found = found.get(str(found.attrs.get("_index", "_index")))
    if isinstance(found, h5py.Group):
        found = found.get("codes", found.get("values"))
    return len(found) if isinstance(found, h5py.Dataset) and found.shape else None


def _read_frame(path: Path, file: h5py.File, name: str) -> pd.DataFrame:
    found = file.get(name)
    try:
        is_old = isinstance(found, h5py.Dataset) and found.dtype.names is not None
        frame = _read_records(file, found) if is_old else read_elem(found)
    except (OSError, RuntimeError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}, {name} cannot be read ({error}); write the file again with anndata"
        ) from error
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}, {name} is a {type(frame).__name__}, not a frame; write it again")
    frame.index = frame.index.astype(str)
    return frame


def _read_records(file: h5py.File, dataset: h5py.Dataset) -> pd.DataFrame:
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
