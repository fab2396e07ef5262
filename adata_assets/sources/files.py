"""Raw files on this machine: an h5ad file or a zarr folder.

Belongs here: finding them, and the hash of their content.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError

PACKAGE_SCHEME = "package://"
FILE_SCHEME = "file://"
ZARR_SUFFIX = ".zarr"


@dataclass(frozen=True)
class LocalFile:
    """A file or zarr folder as it was when it was looked at.

    Attributes
    ----------
    path
        Where it is, absolute.
    n_bytes, mtime_ns
        Decide only whether the content is hashed again. Of a folder: the sum over its files, and
        the newest of all that is in it.
    sha256
        Hash of the content.
    """

    path: str
    n_bytes: int
    mtime_ns: int
    sha256: str


def locate_source(uri: str, *, folder: Path | None = None) -> Path:
    """Return the absolute path of a source on this machine.

    Parameters
    ----------
    uri
        ``package://<package>/<file>``, ``file://<path>`` or a path; a relative one is relative to
        ``folder``.

    Raises
    ------
    InputError
        If there is no such package, file or zarr folder, or it is not on this machine.

    Examples
    --------
    >>> locate_source("package://scanpy/datasets/10x_pbmc68k_reduced.h5ad").name
    '10x_pbmc68k_reduced.h5ad'
    """
    if uri.startswith(PACKAGE_SCHEME):
        path = _locate_in_package(uri)
    elif "://" in uri and not uri.startswith(FILE_SCHEME):
        raise InputError(
            f"{uri.partition('://')[0]}:// is not on this machine: give a path or "
            f"{PACKAGE_SCHEME}<package>/<file>"
        )
    else:
        path = (folder or Path()) / Path(uri.removeprefix(FILE_SCHEME)).expanduser()
    if path.is_dir() and path.suffix != ZARR_SUFFIX:
        raise InputError(
            f"source {uri!r}: {path} is a folder; give an .h5ad file, or a folder whose name ends "
            f"in {ZARR_SUFFIX}"
        )
    if not path.exists():
        raise InputError(
            f"source {uri!r}: no file at {path}; correct the path (source in the YAML)"
        )
    return Path(os.path.abspath(path))


def look_at_file(path: Path, known: Mapping[str, Any] | None = None) -> LocalFile:
    """Return a file or zarr folder as it is now.

    It is hashed only when path, size or mtime differ from ``known``.

    Parameters
    ----------
    known
        Fields of an earlier look at the same path; others are ignored.
    """
    n_bytes, mtime_ns = _measure_folder(path) if path.is_dir() else _measure_file(path)
    seen: dict[str, Any] = {"path": str(path), "n_bytes": n_bytes, "mtime_ns": mtime_ns}
    if known and all(known.get(name) == value for name, value in seen.items()):
        return LocalFile(**seen, sha256=known["sha256"])
    return LocalFile(**seen, sha256=sha256_of_source(path))


def sha256_of_source(path: Path) -> str:
    """Return the sha256 (hex) of a file, or of the sorted names and sha256 of a folder's files."""
    if not path.is_dir():
        return sha256_of(path)
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(path).as_posix(), file) for file in _files_in(path)):
        digest.update(f"{name}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _measure_file(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _measure_folder(folder: Path) -> tuple[int, int]:
    n_bytes = sum(path.stat().st_size for path in _files_in(folder))
    # Folders too: taking a file away changes the time of nothing else.
    newest = max(path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")])
    return n_bytes, newest


def _locate_in_package(uri: str) -> Path:
    package, _, file = uri.removeprefix(PACKAGE_SCHEME).partition("/")
    # find_spec of a top-level package looks it up without importing it.
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise InputError(f"source {uri!r}: the package {package!r} is not installed")
    return Path(found.submodule_search_locations[0]) / file
