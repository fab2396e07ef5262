"""What nothing names any more: found, and removed when asked to.

Belongs here: what keeps a shared file or a stored artefact. How a store removes a file is in
``share``. Nothing that the current splits or a release name is ever removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.commit import is_folder
from adata_assets.errors import InputError
from adata_assets.freshness import DatasetGraph, Node
from adata_assets.run_errors import datasets_of
from adata_assets.share import open_dataset_store
from adata_assets.share.contract import ShareStore
from adata_assets.storage import MANIFEST, PUBLISHED_STAGE, Storage

_AT_WORK = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Leftovers:
    """What can be removed.

    Attributes
    ----------
    shared
        Names of files in the share store that no links table, no rows and no release name.
    uploads
        Uploads to the share store that never ended.
    folders
        Folders below the storage root of partitions and stages that the dataset has no more.
    """

    shared: tuple[str, ...]
    uploads: tuple[str, ...]
    folders: tuple[Path, ...]

    def lines(self) -> Iterator[str]:
        """Yield one line for each."""
        yield from (f"shared file {name}" for name in self.shared)
        yield from (f"unfinished upload {upload}" for upload in self.uploads)
        yield from (f"stored folder {folder}" for folder in self.folders)


def find_leftovers(graph: DatasetGraph, storage: Storage) -> Leftovers:
    """Return what nothing names; nothing is removed.

    Raises
    ------
    ShareError
        If the share store cannot be listed.
    """
    store, named = _open_store(graph, storage), _named_files(graph, storage)
    return Leftovers(
        tuple(name for name in store.list() if name not in named),
        tuple(store.list_unfinished()),
        tuple(_old_folders(graph, storage)),
    )


def remove_leftovers(
    graph: DatasetGraph, storage: Storage, instance: dg.DagsterInstance
) -> Leftovers:
    """Remove what nothing names and return it. The caller holds the dataset's lock.

    Raises
    ------
    InputError
        If a run is at work on the dataset: what it just stored is named by nothing yet.
    ShareError
        If the share store cannot be listed, or does not remove a file.
    """
    _require_quiet(graph.dataset_id, instance)
    store, found = _open_store(graph, storage), find_leftovers(graph, storage)
    for name in found.shared:
        store.revoke(name)
    for upload in found.uploads:
        store.discard_unfinished(upload)
    for folder in found.folders:
        shutil.rmtree(folder)
    return found


def _open_store(graph: DatasetGraph, storage: Storage) -> ShareStore:
    return open_dataset_store(graph.spec, root=storage.root)


def _named_files(graph: DatasetGraph, storage: Storage) -> set[str]:
    nodes = [node for node in graph.nodes() if node.stage == "share_links"]
    # A release stays on the Hub when the YAML says publish no more.
    nodes += [Node(PUBLISHED_STAGE), Node("hf_release")]
    found = (storage.find(graph.dataset_id, node.stage, node.partition_key) for node in nodes)
    return {name for artefact in found if artefact for name in _names_of(artefact)}


def _names_of(artefact: Artefact) -> Sequence[str]:
    if "shared" not in artefact.metadata:
        raise InputError(
            f"{artefact.dataset_id}/{artefact.name} does not say which shared files it links to: it "
            f"was made by an older version; run adata-assets materialize {artefact.dataset_id} first"
        )
    names: Sequence[str] = artefact.metadata["shared"]
    return names


def _old_folders(graph: DatasetGraph, storage: Storage) -> Iterator[Path]:
    root = storage.root / graph.dataset_id
    if not is_folder(root):
        return
    known = {
        Path(storage.folder_of(graph.dataset_id, node.stage, node.partition_key).path)
        for node in graph.nodes()
    } | {Path(storage.folder_of(graph.dataset_id, "hf_release").path)}
    for manifest in sorted(Path(root.path).rglob(MANIFEST)):
        folder = manifest.parent
        # Files of an artefact may have that name too.
        if known.isdisjoint([folder, *folder.parents]):
            known.add(folder)
            yield folder


def _require_quiet(dataset_id: str, instance: dg.DagsterInstance) -> None:
    for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK)):
        if dataset_id in datasets_of(run):
            raise InputError(
                f"{dataset_id}: run {run.run_id} is at work ({run.status.value}): wait for its end, or "
                "terminate it in the UI, then call gc again"
            )
