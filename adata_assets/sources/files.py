"""Raw files on this machine: a path, or a file inside an installed package.

Belongs here: finding the file, its content hash, and the guard around each pass over it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError

PACKAGE_SCHEME = "package://"


@dataclass(frozen=True)
class SourceFile:
    """A raw file as it was when it was looked at.

    Attributes
    ----------
    path
        Where it is.
    n_bytes, mtime_ns
        Decide only whether the content is hashed again.
    sha256
        Hash of the content.
    """

    path: str
    n_bytes: int
    mtime_ns: int
    sha256: str


class SourceChangedError(InputError):
    """A raw file is not the one that an earlier step read."""


def locate_source(source: str, *, folder: Path | None = None) -> Path:
    """Return the path of a source.

    Parameters
    ----------
    source
        ``package://<package>/<file>``, or a path; a relative one is relative to ``folder``.

    Raises
    ------
    InputError
        If there is no such package or file, or the scheme is unknown.

    Examples
    --------
    >>> locate_source("package://scanpy/datasets/10x_pbmc68k_reduced.h5ad").name
    '10x_pbmc68k_reduced.h5ad'
    """
    if source.startswith(PACKAGE_SCHEME):
        path = _locate_in_package(source)
    elif "://" in source:
        raise InputError(
            f"source {source!r}: unknown scheme {source.split('://')[0]!r}; give a path or "
            f"{PACKAGE_SCHEME}<package>/<file>"
        )
    else:
        path = (folder or Path()) / Path(source).expanduser()
    if not path.is_file():
        raise InputError(f"source {source!r}: no file at {path}; correct source in the YAML")
    return Path(os.path.abspath(path))


def look_at_source(path: Path, known: Mapping[str, Any] | None = None) -> SourceFile:
    """Return the file as it is now; hash it only when size or mtime differ from ``known``.

    Parameters
    ----------
    known
        Fields of an earlier ``SourceFile`` of the same path.
    """
    stat = path.stat()
    seen: dict[str, Any] = {
        "path": str(path),
        "n_bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
    }
    if known and all(known.get(name) == value for name, value in seen.items()):
        return SourceFile(**seen, sha256=known["sha256"])
    return SourceFile(**seen, sha256=sha256_of(path))


def require_sha256(found: SourceFile, stated: str | None) -> None:
    """Refuse a file whose content is not the stated one.

    Raises
    ------
    SourceChangedError
        Naming both hashes.
    """
    if stated is not None and found.sha256 != stated:
        raise SourceChangedError(
            f"{found.path}: sha256 is {found.sha256}, the YAML states {stated}; "
            "fetch the stated file, or correct sha256 in the YAML"
        )


@contextmanager
def unchanged(file: SourceFile) -> Iterator[Path]:
    """Guard one pass over a raw file: it must be the same before and after.

    Raises
    ------
    SourceChangedError
        If its content is another one; nothing that was read may then be kept.
    """
    path = Path(file.path)
    for moment in ("before", "after"):
        if not path.is_file():
            raise SourceChangedError(f"{path}: the file is gone; put it back and materialize again")
        now = look_at_source(path, vars(file))
        if now.sha256 != file.sha256:
            raise SourceChangedError(
                f"{path}: its content changed {moment} it was read (sha256 {file.sha256[:12]} -> "
                f"{now.sha256[:12]}); materialize the dataset again when it is no longer written to"
            )
        if moment == "before":
            yield path


def _locate_in_package(source: str) -> Path:
    package, _, file = source.removeprefix(PACKAGE_SCHEME).partition("/")
    # find_spec of a top-level package looks it up without importing it.
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise InputError(f"source {source!r}: the package {package!r} is not installed")
    return Path(found.submodule_search_locations[0]) / file
