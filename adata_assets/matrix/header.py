"""What the header of an h5ad file or zarr folder tells without reading its matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from adata_assets.errors import InputError
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.matrix.store import (
    Group,
    Node,
    StoredArray,
    find_node,
    frame_length,
    list_slots,
    open_store,
)


def count_obs(path: Path) -> int:
    """Return the number of cells.

    Raises
    ------
    InputError
        If the file is not an h5ad file, or must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with open_store(path) as store:
        n_obs = frame_length(store, "obs")
    if n_obs is None:
        raise InputError(
            f"{path}: cannot read the number of cells: obs has no index; write it with anndata"
        )
    return n_obs


def count_most_vars(path: Path) -> int:
    """Return the number of features of the file's largest var (var or raw.var); 0 without one.

    Raises
    ------
    InputError
        If the file must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with open_store(path) as store:
        return max(frame_length(store, name) or 0 for name in ("var", "raw/var"))


def count_largest_nonzeros(path: Path) -> int:
    """Return the number of stored values of the file's largest matrix (X, raw.X or a layer).

    A dense matrix counts as if half of it were zero.

    Raises
    ------
    InputError
        If the file must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with open_store(path) as store:
        slots = list_slots(store)
        return max((_stored(find_node(store, slot)) for slot in slots), default=0)


def list_obsm(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the keys of obsm with their shapes; of a frame the number of rows and columns.

    Raises
    ------
    InputError
        If the file must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with open_store(path) as store:
        found = find_node(store, "obsm")
        if isinstance(found, h5py.Dataset):
            # anndata before 0.7 kept all of obsm in one table.
            fields = found.dtype.fields or {}
            return {key: (len(found), *fields[key][0].shape) for key in sorted(fields)}
        keys = sorted(found) if isinstance(found, Group) else []
        return {key: _shape(store, f"obsm/{key}") for key in keys}


def _shape(store: Group, name: str) -> tuple[int, ...]:
    found = find_node(store, name)
    if isinstance(found, StoredArray):
        return tuple(int(n) for n in found.shape or ())
    stated: Any = {} if found is None else found.attrs
    if "shape" in stated:
        return tuple(int(n) for n in stated["shape"])
    return (frame_length(store, name) or 0, len(stated.get("column-order", ())))


def _stored(found: Node) -> int:
    if isinstance(found, StoredArray):
        return int(found.size) // 2
    values = found.get("data") if found is not None else None
    return int(values.shape[0]) if isinstance(values, StoredArray) and values.shape else 0
