"""A project of datasets: its folder of YAMLs, with the resources that every dataset needs."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from adata_assets.assets.stage import IO_MANAGER_KEY
from adata_assets.automation import build_sensor
from adata_assets.io_managers import ArtefactIOManager
from adata_assets.resources import StorageResource


def load_project_defs(path: Path) -> dg.Definitions:
    """Load the datasets of the project that holds ``path``.

    Parameters
    ----------
    path
        A path within a project: a folder with ``[tool.dg.project]`` in its ``pyproject.toml``.
    """
    if str(path) not in sys.path and (path / "pyproject.toml").is_file():
        sys.path.insert(0, str(path))
    return with_resources(dg.load_from_defs_folder(path_within_project=path))


def with_resources(
    datasets: dg.Definitions, storage: StorageResource | None = None
) -> dg.Definitions:
    """Add storage, IO manager, executor and sensor to the definitions of datasets.

    Parameters
    ----------
    storage
        Where artefacts live; by default what the environment says.
    """
    storage = storage or StorageResource()
    shared = dg.Definitions(
        resources={"storage": storage, IO_MANAGER_KEY: ArtefactIOManager(storage=storage)},
        executor=dg.in_process_executor,
        sensors=[build_sensor()],
    )
    return dg.Definitions.merge(datasets, shared)
