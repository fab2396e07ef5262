"""What every source promises: a cheap look, the bytes, the number of cells.

Belongs here: the words and the errors that all schemes share. How one scheme keeps the promise is
in its own module below ``schemes``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from adata_assets.errors import InputError
from adata_assets.sources.redact import redact
from adata_assets.spec import SourceSpec


class SourceChangedError(InputError):
    """A raw file is not the one that an earlier step saw; the next look may find one that stays."""


class UnreachableError(InputError):
    """A source does not answer, or not in full, however often it was asked; later it may.

    An answer that stays the same until a person mends something is an `InputError` of no other
    kind: only what passes by itself is tried again.
    """


class UncountableError(InputError):
    """The cells of a source cannot be counted before it is fetched."""


@dataclass(frozen=True)
class Sighting:
    """A source as it was when it was looked at.

    Attributes
    ----------
    uri
        Where it is, without anything secret.
    version
        Equal for equal content: the sha256 of files on this machine, what the server says of
        others (ETag, else Last-Modified and length).
    n_bytes
        Its size; None where only fetching tells.
    details
        What ``fetch`` needs to get this very content.
    """

    uri: str
    version: str
    n_bytes: int | None
    details: Mapping[str, Any] = field(default_factory=dict)


class Source(ABC):
    """One raw file where it lives; making one opens nothing.

    Parameters
    ----------
    spec
        What the YAML says of it.
    folder
        Where a relative path begins; the working directory by default.

    Raises
    ------
    InputError
        If the YAML says what this scheme cannot take.
    """

    takes_query: ClassVar[bool] = False

    def __init__(self, spec: SourceSpec, *, folder: Path | None) -> None:
        self.spec = spec
        self.folder = folder
        self.uri = redact(spec.uri)
        if spec.query is not None and not self.takes_query:
            raise InputError(
                f"source {self.uri!r}: a query selects cells of the Census only; remove query, or "
                "give a census:// source"
            )

    @abstractmethod
    def look(self, known: Mapping[str, Any] | None = None) -> Sighting:
        """Return the source as it is now.

        Parameters
        ----------
        known
            Fields of the ``RawFile`` that an earlier look led to; with equal size and mtime a
            file on this machine is not hashed again.

        Raises
        ------
        UnreachableError
            If it does not answer now.
        InputError
            If it is not there, not for us, or not h5ad or zarr.
        """

    @abstractmethod
    def fetch(self, sighting: Sighting, *, folder: Path, scratch: Path) -> Path:
        """Return a whole file on this machine with the content that was seen.

        Parameters
        ----------
        sighting
            What `look` returned.
        folder
            Where a fetched file is put, under the source's label; it appears there at once or not
            at all. A file on this machine stays where it is.
        scratch
            Where parts are kept, so that an interrupted fetch goes on where it was.

        Raises
        ------
        SourceChangedError
            If the source has other content by now.
        UnreachableError
            If it cannot be had whole now.
        InputError
            If it is refused, or not what is stated: another sha256, not h5ad or zarr.
        """

    @abstractmethod
    def count_obs(self) -> int:
        """Return the number of cells, read from the header only.

        Raises
        ------
        UncountableError
            If the server gives whole files only.
        UnreachableError
            If it does not answer now.
        InputError
            If the header is refused or is not that of h5ad or zarr.
        """
