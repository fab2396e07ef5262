"""Bytes from far away, once, whole, and never of two versions.

Belongs here: parts, resuming, trying again. How a server is asked is the matter of its scheme.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from adata_assets.artefact import hash_of
from adata_assets.commit import DRAFT_AGE_S
from adata_assets.errors import InputError
from adata_assets.sources.contract import UnreachableError

# Pauses before trying again. A part that grew in between starts the row anew.
WAITS_S = (0.5, 2.0, 8.0, 20.0)
# Of a look, which somebody waits for.
_N_SHORT = 2
# So much is lost at most when a fetch is killed.
BLOCK_BYTES = 1 << 16
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_T = TypeVar("_T")


class TryAgainError(Exception):
    """An answer that is worth asking for again: cut, late, or a server in trouble."""


@dataclass(frozen=True)
class Stream:
    """The rest of a file.

    Attributes
    ----------
    start
        Where it begins: where it was asked to, or 0.
    blocks
        The bytes; raises `TryAgainError` if they end too early.
    """

    start: int
    blocks: Iterator[bytes]


OpenStream = Callable[[int], AbstractContextManager[Stream]]


def with_retries(place: str, ask: Callable[[], _T]) -> _T:
    """Return the answer, asking again after a pause when it was interrupted.

    Raises
    ------
    UnreachableError
        If it is interrupted every time.
    """
    for wait_s in WAITS_S[:_N_SHORT]:
        try:
            return ask()
        except TryAgainError:
            time.sleep(wait_s)
    try:
        return ask()
    except TryAgainError as error:
        raise UnreachableError(
            f"{place} cannot be reached ({error}, {_N_SHORT + 1} times in a row): look whether the "
            "address is right, and try again later"
        ) from None


def download(place: str, open_stream: OpenStream, part: BinaryIO, n_bytes: int | None) -> None:
    """Write a file into ``part``, going on from what it already holds.

    Parameters
    ----------
    place
        What errors call the file.
    open_stream
        Opens the file from a position on; one that cannot begins at 0, and so does the part then.
    part
        Open for appending.
    n_bytes
        Size of the whole file; None where the server does not say.

    Raises
    ------
    UnreachableError
        If it cannot be had whole; what was had stays in ``part``.
    """
    longest, n_failed = _size_of(part), 0
    while n_bytes is None or _size_of(part) != n_bytes:
        if n_bytes is not None and _size_of(part) > n_bytes:
            part.truncate(0)
        try:
            _write_rest(open_stream, part, n_bytes)
            return
        except TryAgainError as error:
            n_failed = 0 if _size_of(part) > longest else n_failed + 1
            longest = max(longest, _size_of(part))
            if n_failed > len(WAITS_S):
                of = "" if n_bytes is None else f" of {n_bytes}"
                raise UnreachableError(
                    f"{place} gave only {_size_of(part)}{of} bytes ({error}), {n_failed} times in a "
                    "row; try again later: a fetch goes on where it stopped"
                ) from None
            time.sleep(WAITS_S[max(n_failed - 1, 0)])


@contextmanager
def own_part(scratch: Path, uri: str, version: str) -> Iterator[BinaryIO]:
    """Open the part of one version of one source; who else wants it waits.

    Parts lie in a folder that only this user can write, because their bytes will be trusted.
    """
    folder = _make_private_folder(scratch)
    path = folder / f"{hash_of([uri])[:16]}-{hash_of([version])[:16]}.part"
    _remove_forgotten(folder, path)
    while True:
        with open(path, "a+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Whoever held it before may have moved it away.
            if path.exists() and os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                yield handle
                return


def require_hdf5(place: str, start: bytes) -> None:
    """Refuse what does not begin like an h5ad file.

    Raises
    ------
    InputError
        Saying what it seems to be.
    """
    if start.startswith(HDF5_MAGIC):
        return
    if start.lstrip()[:1] == b"<":
        what = "an HTML page (a login, or the page about the file instead of the file)"
    elif start.startswith(b"\x1f\x8b"):
        what = "a gzip archive: unpack it first"
    elif start.startswith(b"PK"):
        what = "a zip archive: unpack it first"
    else:
        what = f"something that begins with {start[:8]!r}"
    raise InputError(f"{place}: expected an .h5ad file, found {what}; correct source in the YAML")


def require_room(folder: Path, n_bytes: int) -> None:
    """Refuse to fetch what a disk cannot hold.

    Raises
    ------
    InputError
        Naming the folder, the bytes that are free and those that are needed.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise InputError(
            f"{folder} has {free / 1e6:,.1f} MB free, {n_bytes / 1e6:,.1f} MB are to be fetched: free "
            "some, or set ADATA_ASSETS_STORAGE and ADATA_ASSETS_SCRATCH to another disk"
        )


def move_into(file: Path, target: Path) -> None:
    """Move a file or folder so that the target appears whole."""
    try:
        os.replace(file, target)
    except OSError:
        # Another disk: its copy is whole before it gets the name.
        temporary = target.with_name(f".{target.name}")
        shutil.copytree(file, temporary) if file.is_dir() else shutil.copyfile(file, temporary)
        os.replace(temporary, target)
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def _write_rest(open_stream: OpenStream, part: BinaryIO, n_bytes: int | None) -> None:
    with open_stream(_size_of(part) if n_bytes is not None else 0) as stream:
        part.truncate(stream.start)
        for block in stream.blocks:
            part.write(block)
    part.flush()
    if n_bytes is not None and _size_of(part) != n_bytes:
        raise TryAgainError("another length than announced")


def _size_of(part: BinaryIO) -> int:
    part.flush()
    return os.fstat(part.fileno()).st_size


def _make_private_folder(scratch: Path) -> Path:
    folder = scratch / f"adata_assets-downloads-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise InputError(
            f"{folder} belongs to another user, who could change what is fetched; set "
            "ADATA_ASSETS_SCRATCH to a folder of your own"
        )
    return folder


def _remove_forgotten(folder: Path, wanted: Path) -> None:
    for path in folder.glob("*.part*"):
        if path != wanted and time.time() - path.stat().st_mtime > DRAFT_AGE_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
