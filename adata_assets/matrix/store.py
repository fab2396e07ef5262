"""An ``.h5ad`` file or a zarr folder, opened: where its matrices and frames lie.

Belongs here: the look-ups that both kinds of store share. Does not belong here: reading values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import zarr

from adata_assets.errors import InputError

Group: TypeAlias = h5py.Group | zarr.Group
StoredArray: TypeAlias = h5py.Dataset | zarr.Array
Node: TypeAlias = Group | StoredArray | None

_PREFERRED = "layers/counts"
# Neighbouring blocks share a chunk; without room for it the chunk is decompressed twice.
_CHUNK_CACHE_BYTES = 16 << 20


@contextmanager
def open_store(path: Path) -> Iterator[Group]:
    """Open a local ``.h5ad`` file or zarr folder (format 2 or 3) for reading.

    Raises
    ------
    InputError
        If it is neither.
    """
    if path.is_dir():
        yield _open_zarr(path)
        return
    try:
        file = h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be opened as HDF5 ({error}); fetch it again") from error
    with file:
        yield file


def _open_zarr(path: Path) -> zarr.Group:
    try:
        # The consolidated copy may differ from the metadata that were checked to be safe.
        return zarr.open_group(path, mode="r", use_consolidated=False)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be opened as zarr ({error}); copy the whole folder again"
        ) from error


def find_node(store: Group, name: str) -> Node:
    """Return what lies at a name such as ``obs`` or ``raw/X``, or None.

    ``raw/X`` and ``raw/var`` are found under the names of anndata before 0.7 too.
    """
    old_name = name.replace("/", ".")
    if name in ("raw/X", "raw/var") and old_name in store:
        return store[old_name]
    parent, _, leaf = name.rpartition("/")
    found: Node = store
    if parent:
        found = find_node(store, parent)
    return found.get(leaf) if isinstance(found, Group) else None


def list_slots(store: Group) -> list[str]:
    """List the slots that hold a matrix: ``layers/counts``, ``raw/X``, ``X``, other layers."""
    layers = store.get("layers")
    names = sorted(layers) if isinstance(layers, Group) else []
    others = [f"layers/{name}" for name in names if f"layers/{name}" != _PREFERRED]
    candidates = [_PREFERRED, "raw/X", "X", *others]
    return [slot for slot in candidates if encoding_of(find_node(store, slot))]


def encoding_of(found: Node) -> str | None:
    """Return ``csr``, ``csc`` or ``dense``; None for what is no matrix of numbers."""
    if isinstance(found, StoredArray):
        # HDF5 has data sets without a shape.
        is_matrix = found.shape is not None and len(found.shape) == 2
        return "dense" if is_matrix and found.dtype.kind in "biuf" else None
    if not isinstance(found, Group):
        return None
    stated = str(found.attrs.get("encoding-type", found.attrs.get("h5sparse_format", "")))
    return {"csr": "csr", "csc": "csc"}.get(stated.removesuffix("_matrix"))


def var_name(slot: str) -> str:
    """Return the name of the var that belongs to a slot."""
    return "raw/var" if slot == "raw/X" else "var"


def frame_length(store: Group, name: str) -> int | None:
    """Return the number of rows of obs or var; None where there is no such frame."""
    found: Any = find_node(store, name)
    if isinstance(found, Group):
        found = found.get(str(found.attrs.get("_index", "_index")))
    if isinstance(found, Group):
        found = found.get("codes", found.get("values"))
    return int(found.shape[0]) if isinstance(found, StoredArray) and found.shape else None
