"""The manifest of the local store: one small JSON file per shared file.

Belongs here: reading, writing and listing entries. Does not belong here: placing or serving the
files themselves. A file in the folder that no entry names counts as absent.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from adata_assets.commit import write_atomically

MANIFEST_FOLDER = "manifest"


@dataclass(frozen=True)
class ManifestEntry:
    """Name, sha256 (64 hex digits) and size of one shared file."""

    name: str
    sha256: str
    n_bytes: int


def manifest_path(folder: Path, name: str) -> Path:
    """Return where the entry of ``name`` lies, whether or not it exists."""
    return folder / MANIFEST_FOLDER / f"{name}.json"


def read_entry(folder: Path, name: str) -> ManifestEntry | None:
    """Return the entry of a shared file, or None when there is none.

    Raises
    ------
    ValueError
        If the entry is damaged; the message names its file.
    """
    path = manifest_path(folder, name)
    try:
        entry = ManifestEntry(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): delete it and share the file again"
        ) from error
    if entry.name != name:
        raise ValueError(f"{path} names {entry.name!r}: delete it and share the file again")
    return entry


def write_entry(folder: Path, entry: ManifestEntry) -> None:
    """Write the entry so that a reader sees all of it or none."""
    path = manifest_path(folder, entry.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(entry), sort_keys=True))


def entry_names(folder: Path) -> list[str]:
    """Return the names of all shared files of the folder, sorted."""
    found = (folder / MANIFEST_FOLDER).glob("*.json")
    return sorted(path.name.removesuffix(".json") for path in found)
