"""What the header of an h5ad file tells without reading its matrices."""

from __future__ import annotations

from pathlib import Path

import h5py

from adata_assets.errors import InputError


def count_obs(path: Path) -> int:
    """Return the number of cells.

    Raises
    ------
    InputError
        If the file is not an h5ad file.
    """
    try:
        with h5py.File(path) as file:
            obs = file["obs"]
            index = obs[obs.attrs["_index"]]
            return int(index["codes"].shape[0] if isinstance(index, h5py.Group) else index.shape[0])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path}: cannot read the number of cells ({error}): not an h5ad file?"
        ) from error
