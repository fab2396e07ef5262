"""Where artefacts live: atomic folders with a manifest, on a folder or an object store.

Belongs here: drafts, manifests, commits, generations. Does not belong here: what the files mean.

An artefact is what one asset (and partition) stored: some files in a folder of their own and a
``manifest.json`` beside that folder. The manifest is written last and read first: without it, or
for files it does not name, nothing exists. A commit never touches the folder of the previous one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from upath import UPath

from adata_assets.artefact import Artefact, hash_of, name_of, require_one_generation
from adata_assets.commit import (
    DRAFT_PREFIX,
    fsync_tree,
    is_folder,
    list_files,
    locked,
    point_link,
    prune,
    upload,
    write_atomically,
)
from adata_assets.errors import InputError

MANIFEST = "manifest.json"
PUBLISHED_STAGE = "hf_splits"


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
        A folder. On an object store artefacts can be written and found, but stages open the files
        of their inputs with ``Artefact.local``, which refuses it.
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
        return cls(root.absolute() if is_folder(root) else root, scratch)

    def folder_of(self, dataset_id: str, stage: str, partition_key: str | None = None) -> UPath:
        """Return the folder that holds the manifest and the versions of an artefact."""
        # The published folder's name belongs to the link that readers open.
        place = f".{stage}" if stage == PUBLISHED_STAGE else stage
        folder = self.root / dataset_id / place
        return folder if partition_key is None else folder / partition_key

    def cache(self, dataset_id: str, name: str) -> Path:
        """Return the file that keeps answers of a service from one run to the next."""
        base = Path(self.root.path) if is_folder(self.root) else self.scratch
        return base / dataset_id / f".{name}.json"

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
                    files=list_files(draft.folder),
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
        parent = Path(target.path) if is_folder(target) else self.scratch
        try:
            parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=parent))
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
        committed = Artefact(**{**vars(artefact), "folder": place, "data_version": version})
        if is_folder(place):
            fsync_tree(draft.folder)
            os.chmod(draft.folder, 0o755)
        else:
            upload(draft.folder, place, artefact.files)
        # Writers take turns: one must not prune what another is about to make current.
        with locked(artefact.folder):
            if is_folder(place):
                os.replace(draft.folder, place.path)
            previous = self.find(artefact.dataset_id, artefact.stage, artefact.partition_key)
            if artefact.stage == PUBLISHED_STAGE and is_folder(place):
                point_link(self.root / artefact.dataset_id / PUBLISHED_STAGE, place)
            _write_manifest(artefact.folder, committed)
            # One version back stays for readers that are still at it.
            prune(artefact.folder, keep={place.name, previous.folder.name if previous else ""})
        return committed


def _write_manifest(folder: UPath, artefact: Artefact) -> None:
    fields = asdict(artefact)
    for known in ("dataset_id", "stage", "partition_key"):
        del fields[known]
    text = json.dumps({**fields, "folder": artefact.folder.name}, indent=1)
    if is_folder(folder):
        write_atomically(Path(folder.path) / MANIFEST, text)
    else:
        (folder / MANIFEST).write_text(text)
