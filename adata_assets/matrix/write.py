"""A chunk as files: ``.h5ad`` and a zipped zarr, the same bytes for the same AnnData.

Nothing here is atomic: write into the draft folder of an artefact.
"""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anndata
import h5py
import pandas as pd
import zarr
from anndata import AnnData
from anndata.io import write_elem
from scipy.sparse import csr_array, csr_matrix

# Level 4 made a chunk 6 % smaller than level 1 for half as much time again (16 M non-zeros).
_HDF5_FILTERS = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
_MAPPINGS = ("obsm", "varm", "obsp", "varp", "layers")
# The oldest date that a zip can hold; a real one would change the bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_COPY_BYTES = 1 << 20


def write_chunk_h5ad(adata: AnnData, path: Path) -> None:
    """Write a chunk as ``.h5ad`` that stock h5py and anndata read without plugins.

    gzip with shuffle; obs and var columns of repeated strings are stored as categories; elements
    without a value (None) are left out. The same input gives the same bytes with the same
    versions of anndata, h5py and zlib.

    Raises
    ------
    TypeError
        If X is not CSR.
    """
    _require_csr(adata)
    with h5py.File(path, "w") as file:
        _write_elements(file, adata, _HDF5_FILTERS)


def write_chunk_zarr_zip(adata: AnnData, path: Path, *, scratch: Path) -> None:
    """Write a chunk as a zip whose root is a zarr v3 group with consolidated metadata.

    The entries are sorted and stored with one fixed date, so that the same input gives the same
    bytes with the same versions of anndata and zarr. What is stored is as in `write_chunk_h5ad`.

    Parameters
    ----------
    adata
        The chunk.
    path
        The zip to write.
    scratch
        Folder for the zarr before it is zipped; needs as many bytes as the zip.

    Raises
    ------
    TypeError
        If X is not CSR.
    """
    _require_csr(adata)
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="zarr-") as folder:
        _write_zarr_folder(adata, Path(folder))
        _zip_folder(Path(folder), path)


def _write_zarr_folder(adata: AnnData, folder: Path) -> None:
    with anndata.settings.override(zarr_write_format=3, auto_shard_zarr_v3=False):
        group = zarr.open_group(folder, mode="w", zarr_format=3)
        _write_elements(group, adata, {})
    with warnings.catch_warnings():
        # Every zarr 3 reader in use understands it; the specification lags behind.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(group.store)


def _zip_folder(folder: Path, path: Path) -> None:
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*")}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(name for name, file in files.items() if file.is_file()):
            entry = zipfile.ZipInfo(name, date_time=_ZIP_DATE)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            entry.file_size = files[name].stat().st_size
            with open(files[name], "rb") as source, archive.open(entry, "w") as target:
                while part := source.read(_COPY_BYTES):
                    target.write(part)


def _write_elements(
    store: h5py.File | zarr.Group, adata: AnnData, array_options: Mapping[str, Any]
) -> None:
    # Element by element: whole AnnData objects are written with a null where raw is not set,
    # and h5py refuses filters on the scalars of uns.
    store.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    write_elem(store, "X", adata.X, dataset_kwargs=array_options)
    for name in ("obs", "var"):
        frame = _categorise(getattr(adata, name))
        write_elem(store, name, frame, dataset_kwargs=array_options)
    for name in _MAPPINGS:
        write_elem(store, name, dict(getattr(adata, name)), dataset_kwargs=array_options)
    if adata.raw is not None:
        write_elem(store, "raw", adata.raw, dataset_kwargs=array_options)
    write_elem(store, "uns", _drop_nulls(adata.uns))


def _categorise(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{str(name): _storable(column) for name, column in frame.items()})


def _storable(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind == "boolean":
            return column.astype("boolean")
        if kind in ("string", "empty"):
            # Readers before anndata 0.11 do not know the nullable strings of pandas.
            texts = column.astype(object)
            return texts.astype("category") if texts.nunique() < len(texts) else texts
    return column


def _drop_nulls(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _drop_nulls(value) if isinstance(value, Mapping) else value
        for key, value in mapping.items()
        if value is not None
    }


def _require_csr(adata: AnnData) -> None:
    if not isinstance(adata.X, csr_matrix | csr_array):
        raise TypeError(f"X of a chunk is {type(adata.X).__name__}, not a CSR matrix; use tocsr()")
