"""An artefact: what one asset, or one partition of it, stored, and which ones go together.

Belongs here: the record of a manifest, generations. How it is written is in ``storage``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from adata_assets.commit import is_folder, sha256_of
from adata_assets.errors import InputError


def hash_of(value: Any) -> str:
    """Return the sha256 (hex) of a JSON-able value, independent of the order of its keys.

    Examples
    --------
    >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Artefact:
    """What one asset, or one partition of it, stored.

    Attributes
    ----------
    dataset_id, stage, partition_key
        Whose it is; ``partition_key`` is None for an asset without partitions.
    folder
        Where its files lie.
    files
        For each file name its ``n_bytes`` and ``sha256``.
    data_version
        Hash of the content: equal content has an equal version, on every machine.
    code_version
        Version of the code and of the part of the spec that made it.
    inputs
        ``stage`` or ``stage@partition`` of each input, with the data version that was read.
    generation
        The data versions that every artefact of one release must agree on.
    metadata
        Small facts about it (JSON).
    """

    dataset_id: str
    stage: str
    partition_key: str | None
    folder: UPath
    files: Mapping[str, Mapping[str, Any]]
    data_version: str
    code_version: str
    inputs: Mapping[str, str]
    generation: Mapping[str, str]
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """``stage`` or ``stage@partition``: how inputs and errors call it."""
        return name_of(self.stage, self.partition_key)

    def path(self, file: str) -> UPath:
        """Return the path of one of its files (or of a folder of them)."""
        if not any(known == file or known.startswith(f"{file}/") for known in self.files):
            raise KeyError(
                f"{self.dataset_id}/{self.name} holds {sorted(self.files)}, not {file!r}"
            )
        return self.folder / file

    def local(self, file: str) -> Path:
        """Return the path of one of its files on this machine's disk.

        Raises
        ------
        InputError
            If the storage root is not a folder.
        """
        self.path(file)
        return self.local_folder / file

    @property
    def local_folder(self) -> Path:
        """The folder of its files on this machine's disk."""
        if not is_folder(self.folder):
            raise InputError(f"{self.folder} is not on this machine's disk; copy it there first")
        return Path(self.folder.path)

    def damaged_files(self) -> list[str]:
        """Name the files that are missing or whose bytes are not those that were stored."""
        return [
            f"{file}: {'missing' if not path.is_file() else 'other bytes than were stored'}"
            for file, entry in sorted(self.files.items())
            if not (path := Path(self.folder.path) / file).is_file()
            or sha256_of(path) != entry["sha256"]
        ]


def name_of(stage: str, partition_key: str | None) -> str:
    """Return ``stage`` or ``stage@partition``."""
    return stage if partition_key is None else f"{stage}@{partition_key}"


def require_one_generation(artefacts: Iterable[Artefact]) -> dict[str, str]:
    """Return the generation that all artefacts share.

    Every artefact states the generation that it was made from; one without partitions also states
    itself.

    Raises
    ------
    InputError
        If two of them come from different generations: names both and what differs.
    """
    first_seen: dict[str, tuple[str, str]] = {}
    for artefact in artefacts:
        stated = dict(artefact.generation)
        if artefact.partition_key is None:
            stated[artefact.stage] = artefact.data_version
        for part, version in stated.items():
            seen, by = first_seen.setdefault(part, (version, artefact.name))
            if seen != version:
                raise InputError(
                    f"{artefact.dataset_id}: generations are mixed: {by} goes with {part} "
                    f"{seen[:12]}, {artefact.name} with {part} {version[:12]}; bring the dataset "
                    f"up to date (adata-assets materialize {artefact.dataset_id})"
                )
    return {part: version for part, (version, _) in sorted(first_seen.items())}
