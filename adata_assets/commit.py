"""Files moved into place: listed, fsynced, renamed or uploaded, pruned.

Belongs here: what a commit does to files, on a folder and on an object store. What an artefact is
stands in ``storage``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from upath import UPath

DRAFT_PREFIX = ".draft-"
# Nothing is written for longer, the daemon's runs are ended after a day (max_runtime_seconds of
# dagster.yaml): such a draft was left by a killed run.
DRAFT_AGE_S = 7 * 86_400
_BLOCK_BYTES = 1 << 20
# A version's folder is named by 16 digits of its content and 8 of its commit.
_VERSION_CHARS = 25


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_folder(path: UPath) -> bool:
    """Whether a path is on a file system, not in an object store."""
    return getattr(path, "protocol", "") in ("", "file", "local")


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "w") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def list_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name, size and sha256 of every file of a folder, sorted."""
    return {
        path.relative_to(folder).as_posix(): {
            "n_bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fsync_tree(folder: Path) -> None:
    """Make files and folders durable."""
    for path in [folder, *folder.rglob("*")]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def upload(folder: Path, place: UPath, files: Iterable[str]) -> None:
    """Copy files into an object store."""
    for name in files:
        with open(folder / name, "rb") as source, (place / name).open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK_BYTES)


def point_link(link: UPath, place: UPath) -> None:
    """Let a link name another folder, in one step."""
    path = Path(link.path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.symlink_to(os.path.relpath(place.path, path.parent), target_is_directory=True)
    os.replace(temporary, path)


@contextmanager
def locked(
    folder: UPath, *, name: str = ".lock", on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a folder's lock; it ends with the process that holds it.

    An object store has no locks: there nothing is pruned, and the last manifest wins.

    Parameters
    ----------
    name
        Name of the lock's file.
    on_wait
        Called once if somebody else holds the lock.
    """
    if not is_folder(folder):
        yield
        return
    with open(Path(folder.path) / name, "a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prune(folder: UPath, keep: set[str]) -> None:
    """Remove the folders of versions that are not kept, and drafts of runs long gone."""
    if not is_folder(folder):
        return
    for entry in Path(folder.path).iterdir():
        if (
            entry.name.startswith(DRAFT_PREFIX)
            and time.time() - entry.stat().st_mtime > DRAFT_AGE_S
        ):
            shutil.rmtree(entry, ignore_errors=True)
        # A version's name ends in the 8 digits of its commit; partitions and drafts do not.
        is_version = len(entry.name) == _VERSION_CHARS and entry.name[16] == "-"
        if entry.is_dir() and is_version and entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
