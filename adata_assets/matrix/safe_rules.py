"""What every source must satisfy, HDF5 or zarr: its declared size, and the layout of an AnnData."""

from __future__ import annotations

from pathlib import Path

import h5py

from adata_assets.errors import InputError
from adata_assets.matrix.store import Group, Node, find_node

# Deflate cannot shrink anything by more than 1032 : 1, so what a file of this size can hold
# ends there; beyond it are only values that were declared and never stored.
_MAX_DEFLATE_RATIO = 1032
# Small files are allowed more: a few empty chunks are common, and a gigabyte hurts nobody.
_MIN_BUDGET_BYTES = 1 << 30


class UnsafeFileError(InputError):
    """A file that must not be read: damaged, pointing outside itself, or declaring too much."""


class DeclaredBytes:
    """The uncompressed sizes that a source declares, added up under a budget.

    Parameters
    ----------
    path
        The source, for messages.
    n_bytes
        Its size on disk.
    max_declared_bytes
        The budget; None for 1 GiB or 1032 times the size, whichever is more.
    """

    def __init__(self, path: Path, n_bytes: int, max_declared_bytes: int | None) -> None:
        self._path, self._n_bytes = path, n_bytes
        self.budget = max_declared_bytes or max(_MIN_BUDGET_BYTES, _MAX_DEFLATE_RATIO * n_bytes)
        self._n_declared = 0

    def add(self, name: str, n_bytes: int) -> None:
        """Add one array.

        Raises
        ------
        UnsafeFileError
            If all together exceed the budget.
        """
        self._n_declared += n_bytes
        self.require(name, self._n_declared)

    def require(self, name: str, n_declared: int) -> None:
        """Require that so many bytes are within the budget; `name` says where they end."""
        if n_declared > self.budget:
            raise UnsafeFileError(
                f"{self._path} ({self._n_bytes} bytes) declares {n_declared} bytes up to {name}, "
                f"more than the {self.budget} allowed; write it again, or raise "
                "max_declared_bytes to trust it"
            )


def require_anndata_layout(path: Path, store: Group) -> None:
    """Require obs, var and a matrix as anndata writes them, today or before 0.7.

    Raises
    ------
    UnsafeFileError
        Names what is missing and what was found.
    """
    for name in ("obs", "var"):
        if not _is_frame(find_node(store, name)):
            raise UnsafeFileError(
                f"{path} has no {name!r} as anndata writes it (found {sorted(store)}); "
                "give an .h5ad file or a zarr folder of anndata"
            )
    layers = store.get("layers")
    has_layers = isinstance(layers, Group) and len(layers) > 0
    if not (has_layers or any(find_node(store, name) is not None for name in ("X", "raw/X"))):
        raise UnsafeFileError(f"{path} has no matrix: none of X, raw/X, layers in {sorted(store)}")


def _is_frame(found: Node) -> bool:
    if isinstance(found, h5py.Dataset):
        return found.dtype.names is not None
    return isinstance(found, Group) and "_index" in found.attrs
