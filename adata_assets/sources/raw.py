"""The raw files that ``raw_h5ad`` has pinned, and the guard around each pass over them.

Belongs here: what later stages see of the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adata_assets.artefact import Artefact
from adata_assets.errors import InputError
from adata_assets.sources.contract import SourceChangedError
from adata_assets.sources.files import look_at_file


@dataclass(frozen=True)
class RawFile:
    """One pinned raw file.

    Attributes
    ----------
    name
        Label of the source.
    uri
        Where it came from, without anything secret.
    version
        What the look at the source said (see ``Sighting.version``).
    path
        Where it is on this machine, absolute: an h5ad file or a zarr folder.
    file
        Its name inside the artefact ``raw_h5ad``; None for a file that is used in place.
    n_bytes, mtime_ns
        Decide only whether the content is hashed again.
    sha256
        Hash of the content.
    """

    name: str
    uri: str
    version: str
    path: str
    file: str | None
    n_bytes: int
    mtime_ns: int
    sha256: str


def read_raw_files(artefact: Artefact) -> tuple[RawFile, ...]:
    """Return the raw files of an artefact ``raw_h5ad``, in the order of the YAML.

    Raises
    ------
    InputError
        If fetched files lie in an object store, which HDF5 cannot read.
    """
    files = (RawFile(**fields) for fields in artefact.metadata["files"])
    # The storage root may have moved: where a fetched file lies follows from the artefact.
    return tuple(
        replace(file, path=str(artefact.local(file.file))) if file.file else file for file in files
    )


@contextmanager
def unchanged(files: Iterable[RawFile]) -> Iterator[tuple[RawFile, ...]]:
    """Guard one pass over raw files: all must be the same before and after.

    Raises
    ------
    SourceChangedError
        If the content of one is another; nothing that was read may then be kept.
    """
    guarded = tuple(files)
    for file in guarded:
        _require_same(file, "before")
    yield guarded
    for file in guarded:
        _require_same(file, "after")


def _require_same(file: RawFile, moment: str) -> None:
    path = Path(file.path)
    again = (
        "fetch it again (adata-assets materialize with --force raw_h5ad)"
        if file.file
        else "materialize the dataset again when it is no longer written to"
    )
    if not path.exists():
        back = again if file.file else "put it back and materialize again"
        raise SourceChangedError(f"{path}: the file is gone; {back}")
    now = look_at_file(path, vars(file))
    if now.sha256 != file.sha256:
        raise SourceChangedError(
            f"{path}: its content changed {moment} it was read (sha256 {file.sha256[:12]} -> "
            f"{now.sha256[:12]}); {again}"
        )


def require_sha256(place: str, found: str, stated: str | None) -> None:
    """Refuse content that is not the stated one.

    Parameters
    ----------
    place
        What the error calls the source.

    Raises
    ------
    InputError
        Naming both hashes.
    """
    if stated is not None and found != stated:
        raise InputError(
            f"{place}: sha256 is {found}, the YAML states {stated}; give the stated file, or "
            "correct sha256 in the YAML"
        )
