"""What every share store promises, and the words for it.

Belongs here: the link, the error, the protocol, the rule for remote names. Does not belong here:
anything that one kind of store does its own way (one module per store beside this one).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError

__all__ = [
    "SUFFIXES",
    "DamagedError",
    "MissingError",
    "Progress",
    "ShareError",
    "ShareLink",
    "ShareStore",
    "TransientError",
    "remote_name",
    "require_name",
    "require_own_name",
    "require_shareable",
    "sha256_of",
    "silent",
    "states_bytes",
    "suffix_of",
]

SUFFIXES = (".h5ad", ".zarr.zip")
_N_HEX = 16
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?P<suffix>\.h5ad|\.zarr\.zip)")

# Called with the bytes that the store has and those of the whole file.
Progress = Callable[[int, int], None]


def silent(n_sent: int, n_bytes: int) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class ShareLink:
    """Where one shared file can be fetched, and what it holds.

    Attributes
    ----------
    url
        Public address; a GET without headers or login ends in the raw bytes.
    sha256
        Of the bytes, 64 hex digits.
    n_bytes
        Size of the file.
    expires_at
        When the link stops working (with a time zone); None for a link without an end.
    store
        Name of the store that made it.
    remote_name
        Name of the file in the store (see :func:`remote_name`).
    """

    # A presigned one is not to be shown where somebody prints the link.
    url: str = field(repr=False)
    sha256: str
    n_bytes: int
    expires_at: datetime | None
    store: str
    remote_name: str


class ShareError(RuntimeError):
    """An upload or the read-back of a link failed.

    The message names the file, the URL without its query, the status and what to do.
    """


class TransientError(ShareError):
    """An answer that is worth asking for again: cut, late, or a server in trouble.

    Attributes
    ----------
    retry_after_s
        How long the server asks to wait; None where it says nothing.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DamagedError(ShareError):
    """A link serves other bytes than those of its file."""


class MissingError(ShareError):
    """The store does not hold the file, or not with these bytes."""


class ShareStore(Protocol):
    """A place where files are put so that everybody who has the link can read them.

    All calls ask again, with growing pauses, what is worth asking again (see `retry`).
    """

    name: ClassVar[str]

    def put(self, file: Path, name: str, *, report: Progress = silent) -> ShareLink:
        """Store the file under this name and return its link; nothing is read back yet.

        The same bytes under the same name are stored once: a second call only makes the link. An
        upload that was cut is gone on with. A file that was lost or damaged in the store is stored
        again. A name never gets other bytes than those that it states: that raises `ShareError`.

        Parameters
        ----------
        report
            Called while bytes are sent.
        """
        ...

    def probe(self, link: ShareLink, *, whole: bool = True) -> None:
        """Read the link as a stranger would; raise `ShareError` unless it serves its bytes.

        Parameters
        ----------
        whole
            All bytes, compared with the sha256. Without it: the first bytes and the size, by a
            ranged GET.

        Raises
        ------
        DamagedError
            If other bytes are served, twice in a row.
        ShareError
            If nothing is served.
        """
        ...

    def refresh(self, link: ShareLink) -> ShareLink:
        """Make the link anew, with as much time before it as a first one; nothing is uploaded.

        Raises
        ------
        MissingError
            If the store does not hold the file of the link.
        """
        ...

    def revoke(self, name: str) -> None:
        """Take a file and its links out of the store; nothing happens if there is none."""
        ...

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return what stands in ``adata_link`` for a shared zarr zip: the link's url, or a folder."""
        ...

    def list(self) -> list[str]:
        """Return the names of this dataset's whole files in the store, sorted."""
        ...

    def list_unfinished(self) -> Sequence[str]:
        """Return this dataset's uploads that never ended, in words of the store, sorted."""
        ...

    def discard_unfinished(self, upload: str) -> None:
        """Remove what an upload that never ended left; nothing happens if there is nothing."""
        ...


def remote_name(partition_key: str, sha256: str, suffix: str) -> str:
    """Return the name of a shared file, which changes whenever its bytes do.

    Raises
    ------
    InputError
        If the suffix is not one of `SUFFIXES`, or the sha256 is not 64 hex digits.

    Examples
    --------
    >>> remote_name("0003-of-0012", "ab" * 32, ".h5ad")
    '0003-of-0012-abababababababab.h5ad'
    """
    if suffix not in SUFFIXES:
        raise InputError(f"suffix {suffix!r} of a shared file: expected one of {SUFFIXES}")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise InputError(f"sha256 {sha256!r} of {partition_key}: expected 64 lower-case hex digits")
    return f"{partition_key}-{sha256[:_N_HEX]}{suffix}"


def suffix_of(name: str) -> str | None:
    """Return the suffix of a valid name of a shared file, or None for any other name.

    Examples
    --------
    >>> suffix_of("0001-of-0002-0123456789abcdef.zarr.zip"), suffix_of("../secret.h5ad")
    ('.zarr.zip', None)
    """
    match = _NAME.fullmatch(name)
    return match["suffix"] if match else None


def require_name(name: str) -> None:
    """Refuse names that no shared file can have.

    Raises
    ------
    InputError
        Says what a name looks like.
    """
    if suffix_of(name) is None:
        raise InputError(
            f"{name!r} cannot be the name of a shared file: expected letters, digits, '.', '_', "
            "'-' and the suffix .h5ad or .zarr.zip (see remote_name)"
        )


def states_bytes(name: str, sha256: str) -> bool:
    """Whether a name of a shared file is one of the bytes with this sha256.

    Examples
    --------
    >>> states_bytes(remote_name("0001-of-0002", "ab" * 32, ".h5ad"), "ab" * 32)
    True
    >>> states_bytes("0001-of-0002-abababababababab.h5ad", "")
    False
    """
    return suffix_of(name) is not None and len(sha256) == 64 and sha256[:_N_HEX] in name


def require_shareable(file: Path, name: str) -> str:
    """Return the file's sha256 if the file can be shared under this name.

    Raises
    ------
    InputError
        If the file is missing or empty, or the name is not one of a shared file.
    """
    require_name(name)
    if not file.is_file() or file.stat().st_size == 0:
        raise InputError(f"{file} is missing or empty: materialize chunk_files again")
    return sha256_of(file)


def require_own_name(file: Path, name: str, sha256: str) -> None:
    """Refuse to give a name to other bytes than those that it states.

    For stores that keep no record of their own of what a name stands for.

    Raises
    ------
    ShareError
        If the name does not hold the first digits of the file's sha256.
    """
    if sha256[:_N_HEX] not in name:
        raise ShareError(
            f"{file} (sha256 {sha256[:12]}…) cannot be shared as {name}, which stands for other "
            "bytes; a published file is never overwritten, use the name that remote_name gives"
        )
