"""From the sources of a dataset to raw files that are pinned by their content.

Belongs here: looking at all of them, fetching what is not there yet, and telling what changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from adata_assets.artefact import Artefact, hash_of
from adata_assets.sources.contract import Sighting, Source
from adata_assets.sources.files import look_at_file, sha256_of_source
from adata_assets.sources.raw import RawFile, read_raw_files, require_sha256


def look_at_sources(sources: Mapping[str, Source], earlier: Artefact | None) -> dict[str, Sighting]:
    """Return every source as it is now, by label.

    Parameters
    ----------
    earlier
        The last ``raw_h5ad``: what it knows of is not hashed again.

    Raises
    ------
    UnreachableError
        If one does not answer now.
    InputError
        If one is not there or not for us.
    """
    known = _known_files(earlier)
    return {
        label: source.look(vars(known[label]) if label in known else None)
        for label, source in sources.items()
    }


def version_of(versions: Mapping[str, str]) -> str:
    """Return one version for all sources: that of the only one, else a hash of all.

    Examples
    --------
    >>> version_of({"cells": "ab12"})
    'ab12'
    """
    if len(versions) == 1:
        return next(iter(versions.values()))
    return hash_of([[name, version] for name, version in versions.items()])


def seen_version(sightings: Mapping[str, Sighting]) -> str:
    """Return what the observable source reports."""
    return version_of({label: sighting.version for label, sighting in sightings.items()})


def content_version(files: Iterable[RawFile]) -> str:
    """Return the data version of ``raw_h5ad``: by content, wherever the files came from."""
    return version_of({file.name: file.sha256 for file in files})


def find_change(sightings: Mapping[str, Sighting], raw: Artefact) -> str | None:
    """Return what of the sources is not as ``raw_h5ad`` has it, in words; None if all is."""
    known = _known_files(raw)
    if list(known) != list(sightings):
        return f"{', '.join(sightings)} instead of {', '.join(known)}"
    for label, sighting in sightings.items():
        file = known[label]
        if file.version != sighting.version:
            return f"{label}: {file.version[:12]} -> {sighting.version[:12]}"
        if file.path != sighting.details.get("path", file.path):
            return f"{label}: moved to {sighting.details['path']}"
        if file.file and not Path(file.path).exists():
            return f"{label}: the fetched file is gone"
    return None


def pin_sources(
    sources: Mapping[str, Source],
    sightings: Mapping[str, Sighting],
    *,
    earlier: Artefact | None,
    folder: Path,
    scratch: Path,
) -> tuple[RawFile, ...]:
    """Return the raw files with the content that was seen, all on this machine.

    A file of the earlier ``raw_h5ad`` whose version is still the same is not fetched again.

    Parameters
    ----------
    folder
        Where fetched files are put; it becomes the artefact's folder.
    scratch
        Where parts of downloads are kept.

    Raises
    ------
    SourceChangedError
        If a content changed since the look.
    UnreachableError
        If a source cannot be had whole now.
    InputError
        If one is refused, or its content is not the stated one.
    """
    known = _known_files(earlier)
    pinned = []
    for label, source in sources.items():
        sighting = sightings[label]
        path = _reuse(known.get(label), sighting, folder)
        if path is None:
            path = source.fetch(sighting, folder=folder, scratch=scratch)
        found = look_at_file(path, sighting.details)
        require_sha256(source.uri, found.sha256, source.spec.sha256)
        is_fetched = path.is_relative_to(folder)
        pinned.append(
            RawFile(
                name=label,
                uri=source.uri,
                version=sighting.version,
                path="" if is_fetched else found.path,
                file=path.name if is_fetched else None,
                n_bytes=found.n_bytes,
                mtime_ns=found.mtime_ns,
                sha256=found.sha256,
            )
        )
    return tuple(pinned)


def _known_files(artefact: Artefact | None) -> dict[str, RawFile]:
    # An older version of this stage recorded its file in another way.
    if artefact is None or "files" not in artefact.metadata:
        return {}
    return {file.name: file for file in read_raw_files(artefact)}


def _reuse(known: RawFile | None, sighting: Sighting, folder: Path) -> Path | None:
    if known is None or known.file is None or known.version != sighting.version:
        return None
    stored, target = Path(known.path), folder / known.file
    # Stored bytes that were damaged are fetched again.
    if not stored.exists() or sha256_of_source(stored) != known.sha256:
        return None
    if stored.is_dir():
        shutil.copytree(stored, target, copy_function=_link_or_copy)
    else:
        _link_or_copy(str(stored), str(target))
    return target


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
