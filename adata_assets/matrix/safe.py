"""Whether a foreign ``.h5ad`` file or zarr folder may be opened at all."""

from __future__ import annotations

from pathlib import Path

from adata_assets.errors import InputError
from adata_assets.matrix.safe_hdf5 import require_safe_hdf5
from adata_assets.matrix.safe_rules import UnsafeFileError
from adata_assets.matrix.safe_zarr import require_safe_zarr

__all__ = ["UnsafeFileError", "require_safe_h5ad"]


def require_safe_h5ad(path: Path, *, max_declared_bytes: int | None = None) -> None:
    """Refuse what is not a complete, self-contained AnnData on disk.

    Reads headers only. In HDF5 every object is visited through its hard links, in a zarr folder
    every file; nothing outside is ever opened.

    Parameters
    ----------
    path
        A local ``.h5ad`` file, or a zarr folder of format 2 or 3.
    max_declared_bytes
        Budget for the uncompressed sizes of all arrays together. By default 1 GiB or 1032
        times the size on disk, whichever is more.

    Raises
    ------
    UnsafeFileError
        HDF5: if it is no HDF5 file, truncated or damaged; has external links, links to nowhere,
        external storage, or virtual data sets that are not made of plain data sets of the same
        file. Zarr: if the folder holds links or anything but files and folders, metadata that
        contradict each other or cannot be read, or a codec other than plain compression and text
        (``pickle`` could run a program). Both: if it declares more than the budget, or has no
        obs, var or matrix.
    InputError
        If there is no such file or folder.
    """
    if path.is_dir():
        require_safe_zarr(path, max_declared_bytes)
    elif path.is_file():
        require_safe_hdf5(path, max_declared_bytes)
    else:
        raise InputError(f"{path}: no such file; correct the path or fetch it first")
