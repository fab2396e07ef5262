"""A new dataset of a project: its YAML proposed from a raw file, written, loaded.

Belongs here: where the YAML goes, and that nothing is overwritten. What it says is proposed by
``onboarding``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from adata_assets.commit import write_atomically
from adata_assets.components.proposed import (
    YAML_NAME,
    ProposedDataset,
    propose_dataset,
    require_dataset_id,
)
from adata_assets.errors import InputError
from adata_assets.freshness import DatasetGraph
from adata_assets.instance import load_defs
from adata_assets.project import locate_project, project_path

_TAKEN = (YAML_NAME, "defs.yml", "component.py", "component.yaml", "definitions.py")


@dataclass(frozen=True)
class NewDataset:
    """What was written.

    Attributes
    ----------
    path
        The YAML.
    project
        As given; None: the one that the command loads anyway.
    n_chunks
        Partitions of the dataset as Dagster loaded it.
    """

    dataset_id: str
    path: Path
    project: Path | None
    proposed: ProposedDataset
    n_chunks: int


def add_dataset(dataset_id: str, source: str, *, project: Path | None = None) -> NewDataset:
    """Look into a raw file, write the YAML of a dataset of it, and load the project with it.

    Parameters
    ----------
    source
        On this machine.
    project
        A path within a Dagster project; by default the one that ``ADATA_ASSETS_PROJECT`` names,
        else the one that ships.

    Raises
    ------
    InputError
        If the id is taken or cannot be one, if there is no such project, if the file cannot be
        read, or if the project does not load. But for the last nothing is written.
    """
    require_dataset_id(dataset_id)
    place = locate_project((project or project_path()).absolute())
    folder = place.defs / dataset_id
    _require_free(dataset_id, folder)
    proposed = propose_dataset(dataset_id, source, folder=folder, project_root=place.root)
    path = _write(dataset_id, folder, proposed.text)
    if project is not None:
        os.environ["ADATA_ASSETS_PROJECT"] = str(place.root)
    try:
        graph = DatasetGraph(load_defs(dataset_id), dataset_id)
    except InputError as error:
        raise InputError(f"{path} was written, but the project does not load: {error}") from error
    return NewDataset(dataset_id, path, project, proposed, len(graph.chunk_keys))


def _require_free(dataset_id: str, folder: Path) -> None:
    taken = [name for name in _TAKEN if (folder / name).exists()]
    if taken:
        raise InputError(
            f"there is a dataset {dataset_id!r} ({folder / taken[0]}): correct that file, remove it, "
            "or choose another id"
        )


def _write(dataset_id: str, folder: Path, text: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Of two commands at once the second sees what the first wrote.
        _require_free(dataset_id, folder)
        write_atomically(folder / YAML_NAME, text)
    except OSError as error:
        raise InputError(
            f"cannot write {folder / YAML_NAME} ({error.strerror}): give a project that this user "
            "may write (--project)"
        ) from error
    return folder / YAML_NAME
