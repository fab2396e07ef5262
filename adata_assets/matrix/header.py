"""What the header of an h5ad file tells without reading its matrices."""

from __future__ import annotations

from pathlib import Path

import h5py

from adata_assets.errors import InputError
from adata_assets.matrix.safe import require_safe_h5ad


def count_obs(path: Path) -> int:
    """Return the number of cells.

    Raises
    ------
    InputError
        If the file is not an h5ad file, or must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    try:
        with h5py.File(path) as file:
            return _frame_length(file["obs"])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path}: cannot read the number of cells ({error}): not an h5ad file?"
        ) from error


def count_most_vars(path: Path) -> int:
    """Return the number of features of the file's largest var (var or raw.var); 0 without one.

    Raises
    ------
    InputError
        If the file must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with h5py.File(path) as file:
        places = [file.get("var"), file.get("raw/var"), file.get("raw.var")]
        return max((_frame_length(place) for place in places if place is not None), default=0)


def count_largest_nonzeros(path: Path) -> int:
    """Return the number of stored values of the file's largest matrix (X, raw.X or a layer).

    A dense matrix counts as if half of it were zero.

    Raises
    ------
    InputError
        If the file must not be read (see `require_safe_h5ad`).
    """
    require_safe_h5ad(path)
    with h5py.File(path) as file:
        places = [
            file.get("X"),
            file.get("raw/X"),
            file.get("raw.X"),
            *file.get("layers", {}).values(),
        ]
        return max((_stored(place) for place in places if place is not None), default=0)


def _stored(place: h5py.Group | h5py.Dataset) -> int:
    if isinstance(place, h5py.Dataset):
        return place.size // 2
    return int(place["data"].shape[0]) if "data" in place else 0


def _frame_length(frame: h5py.Group | h5py.Dataset) -> int:
    if isinstance(frame, h5py.Dataset):  # files of anndata before 0.7
        return int(frame.shape[0])
    index = frame[frame.attrs["_index"]]
    if isinstance(index, h5py.Group):
        index = index["codes" if "codes" in index else "values"]
    return int(index.shape[0])
