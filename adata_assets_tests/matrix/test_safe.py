"""Foreign files: what is refused, and that what is fine is let through."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scanpy

from adata_assets.errors import InputError
from adata_assets.matrix.safe import UnsafeFileError, require_safe_h5ad
from adata_assets_tests.matrix.files import make_adata, write_adata

SHIPPED = Path(scanpy.__file__).parent / "datasets" / "10x_pbmc68k_reduced.h5ad"


@pytest.fixture
def safe_file(tmp_path: Path) -> Path:
    return write_adata(make_adata(), tmp_path / "cells.h5ad")


def test_a_file_of_anndata_is_accepted(safe_file: Path) -> None:
    require_safe_h5ad(safe_file)


def test_a_file_of_an_old_anndata_is_accepted() -> None:
    require_safe_h5ad(SHIPPED)


def test_links_inside_the_file_are_accepted(safe_file: Path) -> None:
    with h5py.File(safe_file, "a") as file:
        file["uns/soft"] = h5py.SoftLink("/obs/score")
        file["uns/hard_cycle"] = file["/"]
    require_safe_h5ad(safe_file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        require_safe_h5ad(tmp_path / "absent.h5ad")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + b"0" * 100, b"<!doctype html>"])
def test_not_hdf5(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cells.h5ad"
    path.write_bytes(content)
    with pytest.raises(UnsafeFileError, match="is not HDF5"):
        require_safe_h5ad(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("kept", [8, 12, 40, 200, 0.1, 0.5, 0.99, -1])
def test_truncated(safe_file: Path, tmp_path: Path, kept: float, libver: str) -> None:
    """Eight bytes, inside the header, half, and one byte short, for both header versions."""
    path = tmp_path / "cut.h5ad"
    with h5py.File(safe_file) as source, h5py.File(path, "w", libver=libver) as target:
        for name in source:
            source.copy(name, target)
    require_safe_h5ad(path)
    content = path.read_bytes()
    n_kept = int(len(content) * kept) if 0 < kept < 1 else int(kept)
    path.write_bytes(content[:n_kept])
    with pytest.raises(UnsafeFileError, match="truncated"):
        require_safe_h5ad(path)


def test_external_link(safe_file: Path, tmp_path: Path) -> None:
    secret = write_adata(make_adata(), tmp_path / "secret.h5ad")
    with h5py.File(safe_file, "a") as file:
        file["uns/deep/inside"] = h5py.ExternalLink(str(secret), "/obs/score")
    with pytest.raises(UnsafeFileError, match=r"/uns/deep/inside is a link out of .*secret\.h5ad"):
        require_safe_h5ad(safe_file)


def test_soft_link_to_nowhere(safe_file: Path) -> None:
    with h5py.File(safe_file, "a") as file:
        file["uns/soft"] = h5py.SoftLink("/../other")
    with pytest.raises(UnsafeFileError, match=r"/uns/soft points to '/\.\./other'"):
        require_safe_h5ad(safe_file)


def test_external_storage(safe_file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"password")
    with h5py.File(safe_file, "a") as file:
        file.create_dataset("obs/leak", (8,), "u1", external=[(str(secret), 0, 8)])
    with pytest.raises(UnsafeFileError, match=r"/obs/leak keeps its values .*secret\.bin"):
        require_safe_h5ad(safe_file)


def add_view(path: Path, source: h5py.VirtualSource) -> None:
    layout = h5py.VirtualLayout((40,), "f8")
    layout[:] = source
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("obs/view", layout)


def test_view_of_another_file(safe_file: Path, tmp_path: Path) -> None:
    secret = write_adata(make_adata(), tmp_path / "secret.h5ad")
    add_view(safe_file, h5py.VirtualSource(str(secret), "obs/score", (40,)))
    with pytest.raises(UnsafeFileError, match=r"/obs/view is a view of .*secret\.h5ad"):
        require_safe_h5ad(safe_file)


def test_view_of_itself_would_crash_hdf5(safe_file: Path) -> None:
    add_view(safe_file, h5py.VirtualSource(".", "obs/view", (40,)))
    with pytest.raises(UnsafeFileError, match="no plain data set"):
        require_safe_h5ad(safe_file)


def test_view_inside_the_file_is_accepted(safe_file: Path) -> None:
    add_view(safe_file, h5py.VirtualSource(".", "obs/score", (40,)))
    require_safe_h5ad(safe_file)


def test_bomb(safe_file: Path) -> None:
    """A small file that declares 20 GB, of which nothing is stored."""
    with h5py.File(safe_file, "a") as file:
        file.create_dataset("obs/bomb", (20_000_000_000,), "i1", chunks=(1 << 20,))
    with pytest.raises(UnsafeFileError, match=r"declares 200.* bytes up to /obs/bomb"):
        require_safe_h5ad(safe_file)
    require_safe_h5ad(safe_file, max_declared_bytes=1 << 40)


def test_sizes_add_up_over_a_budget(safe_file: Path) -> None:
    with pytest.raises(UnsafeFileError, match="more than the 1000 allowed"):
        require_safe_h5ad(safe_file, max_declared_bytes=1000)


def test_highly_compressible_data_are_no_bomb(safe_file: Path) -> None:
    with h5py.File(safe_file, "a") as file:
        file.create_dataset("uns/zeros", data=np.zeros(10_000_000), compression="gzip")
    require_safe_h5ad(safe_file)


@pytest.mark.parametrize(
    ("removed", "message"),
    [(["obs"], "no 'obs'"), (["var"], "no 'var'"), (["X", "raw", "layers"], "no matrix")],
)
def test_not_an_h5ad(safe_file: Path, removed: list[str], message: str) -> None:
    with h5py.File(safe_file, "a") as file:
        for name in removed:
            del file[name]
    with pytest.raises(UnsafeFileError, match=message):
        require_safe_h5ad(safe_file)


def test_damaged_inside(safe_file: Path) -> None:
    content = bytearray(safe_file.read_bytes())
    at = content.index(b"HEAP")
    content[at : at + 4] = b"XXXX"
    safe_file.write_bytes(content)
    with pytest.raises(UnsafeFileError, match="damaged"):
        require_safe_h5ad(safe_file)
