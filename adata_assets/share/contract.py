"""What every share store promises, and the words for it.

Belongs here: the link, the error, the protocol, the rule for remote names. Does not belong here:
anything that one kind of store does its own way (one module per store beside this one).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError

__all__ = ["SUFFIXES", "ShareError", "ShareLink", "ShareStore", "remote_name", "sha256_of"]

SUFFIXES = (".h5ad", ".zarr.zip")
_N_HEX = 16


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

    url: str
    sha256: str
    n_bytes: int
    expires_at: datetime | None
    store: str
    remote_name: str


class ShareError(RuntimeError):
    """An upload or the read-back of a link failed.

    The message names the file, the URL without its query, the status and what to do.
    """


class ShareStore(Protocol):
    """A place where files are put so that everybody who has the link can read them."""

    name: ClassVar[str]

    def put(self, file: Path, name: str) -> ShareLink:
        """Store the file under this name and return its link.

        The same bytes under the same name are stored once. A name never gets other bytes:
        that raises `ShareError`.
        """
        ...

    def probe(self, link: ShareLink) -> None:
        """Read the link as a stranger would; raise `ShareError` unless it serves its bytes."""
        ...

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return what stands in ``adata_link`` for a shared zarr zip: the link's url, or a folder."""
        ...

    def list(self) -> list[str]:
        """Return the names of this dataset's files in the store, sorted."""
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
