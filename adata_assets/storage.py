"""Where artefacts live: atomic folders with a manifest, on a folder or an object store.

Belongs here: drafts, manifests, commits, generations. Does not belong here: what the files mean.

An artefact is what one asset (and partition) stored: some files in a folder of their own and a
``manifest.json`` beside that folder. The manifest is written last and read first: without it, or
for files it does not name, nothing exists. A commit never touches the folder of the previous one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from upath import UPath

from adata_assets.errors import InputError

MANIFEST = "manifest.json"
PUBLISHED_STAGE = "hf_splits"
_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
        if not _is_folder(self.folder):
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


@dataclass
class Draft:
    """An artefact in the making: write files into ``folder``, fill the rest, leave the block."""

    folder: Path
    metadata: dict[str, Any] = field(default_factory=dict)
    data_version: str | None = None
    artefact: Artefact | None = None

    @property
    def committed(self) -> Artefact:
        """The artefact, once the ``with`` block that made it has ended."""
        if self.artefact is None:
            raise RuntimeError(f"the draft in {self.folder} is not committed yet")
        return self.artefact


@dataclass(frozen=True)
class Storage:
    """All artefacts under one root.

    Parameters
    ----------
    root
        A folder or an object store (``s3://bucket/prefix``).
    scratch
        A folder on a local disk for temporary files.
    """

    root: UPath
    scratch: Path

    @classmethod
    def from_environment(cls, home: Path | None = None) -> Storage:
        """Build it from ``ADATA_ASSETS_STORAGE`` and ``ADATA_ASSETS_SCRATCH``.

        Without the first the root is ``storage`` beside the Dagster home; without the second the
        scratch folder is the system's.
        """
        default = (home or Path(os.environ.get("DAGSTER_HOME", ".dagster"))) / "adata_assets"
        root = UPath(os.environ.get("ADATA_ASSETS_STORAGE") or default)
        scratch = Path(os.environ.get("ADATA_ASSETS_SCRATCH") or tempfile.gettempdir())
        return cls(root.absolute() if _is_folder(root) else root, scratch)

    def folder_of(self, dataset_id: str, stage: str, partition_key: str | None = None) -> UPath:
        """Return the folder that holds the manifest and the versions of an artefact."""
        # The published folder's name belongs to the link that readers open.
        place = f".{stage}" if stage == PUBLISHED_STAGE else stage
        folder = self.root / dataset_id / place
        return folder if partition_key is None else folder / partition_key

    def find(
        self, dataset_id: str, stage: str, partition_key: str | None = None
    ) -> Artefact | None:
        """Return the current artefact, or None where there is none."""
        folder = self.folder_of(dataset_id, stage, partition_key)
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Artefact(
            **{**manifest, "folder": folder / manifest["folder"]},
            dataset_id=dataset_id,
            stage=stage,
            partition_key=partition_key,
        )

    def load(self, dataset_id: str, stage: str, partition_key: str | None = None) -> Artefact:
        """Return the current artefact.

        Raises
        ------
        InputError
            If there is none: says which asset (and partition) to materialize.
        """
        found = self.find(dataset_id, stage, partition_key)
        if found is None:
            raise InputError(
                f"{dataset_id}/{name_of(stage, partition_key)} is not in {self.root}: "
                f"materialize it first (adata-assets materialize {dataset_id})"
            )
        return found

    @contextmanager
    def draft(
        self,
        dataset_id: str,
        stage: str,
        partition_key: str | None = None,
        *,
        code_version: str,
        inputs: Iterable[Artefact] = (),
    ) -> Iterator[Draft]:
        """Offer an empty local folder; commit it when the block ends, drop it when it raises.

        Raises
        ------
        InputError
            If the inputs are of different generations, or the storage root or the scratch folder
            cannot be written.
        """
        inputs = list(inputs)
        generation = require_one_generation(inputs)
        target = self.folder_of(dataset_id, stage, partition_key)
        draft = Draft(self._make_draft_folder(target))
        try:
            yield draft
            draft.artefact = self._commit(
                draft,
                Artefact(
                    dataset_id=dataset_id,
                    stage=stage,
                    partition_key=partition_key,
                    folder=target,
                    files=_list_files(draft.folder),
                    data_version="",
                    code_version=code_version,
                    inputs={given.name: given.data_version for given in inputs},
                    generation=generation,
                    metadata=draft.metadata,
                ),
            )
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def _make_draft_folder(self, target: UPath) -> Path:
        parent = Path(target.path) if _is_folder(target) else self.scratch
        try:
            parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=".draft-", dir=parent))
        except OSError as error:
            raise InputError(
                f"cannot write to {parent} ({error.strerror}): set ADATA_ASSETS_STORAGE "
                "(and ADATA_ASSETS_SCRATCH) to a folder that this user may write"
            ) from error

    def _commit(self, draft: Draft, artefact: Artefact) -> Artefact:
        version = draft.data_version or hash_of(
            {name: entry["sha256"] for name, entry in artefact.files.items()}
        )
        place = artefact.folder / f"{version[:16]}-{uuid.uuid4().hex[:8]}"
        previous = self.find(artefact.dataset_id, artefact.stage, artefact.partition_key)
        committed = Artefact(**{**vars(artefact), "folder": place, "data_version": version})
        if _is_folder(place):
            _fsync_tree(draft.folder)
            os.replace(draft.folder, place.path)
            os.chmod(place.path, 0o755)
        else:
            _upload(draft.folder, place, artefact.files)
        if artefact.stage == PUBLISHED_STAGE and _is_folder(place):
            _point_link(self.root / artefact.dataset_id / PUBLISHED_STAGE, place)
        _write_manifest(artefact.folder, committed)
        # One version back stays for readers that are still at it.
        _prune(artefact.folder, keep={place.name, previous.folder.name if previous else ""})
        return committed


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


def _is_folder(path: UPath) -> bool:
    return getattr(path, "protocol", "") in ("", "file", "local")


def _list_files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {
            "n_bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write_manifest(folder: UPath, artefact: Artefact) -> None:
    fields = asdict(artefact)
    for known in ("dataset_id", "stage", "partition_key"):
        del fields[known]
    text = json.dumps({**fields, "folder": artefact.folder.name}, indent=1)
    if _is_folder(folder):
        write_atomically(Path(folder.path) / MANIFEST, text)
    else:
        (folder / MANIFEST).write_text(text)


def _fsync_tree(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _upload(folder: Path, place: UPath, files: Iterable[str]) -> None:
    for name in files:
        with open(folder / name, "rb") as source, (place / name).open("wb") as target:
            shutil.copyfileobj(source, target, _BLOCK_BYTES)


def _point_link(link: UPath, place: UPath) -> None:
    path = Path(link.path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.symlink_to(os.path.relpath(place.path, path.parent), target_is_directory=True)
    os.replace(temporary, path)


def _prune(folder: UPath, keep: set[str]) -> None:
    if not _is_folder(folder):
        return
    for entry in Path(folder.path).iterdir():
        # A version's name ends in the 8 digits of its commit; partitions and drafts do not.
        is_version = len(entry.name) == 25 and entry.name[16] == "-"
        if entry.is_dir() and is_version and entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
