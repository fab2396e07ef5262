"""A project of datasets: its folder of YAMLs, with the resources that every dataset needs."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import dagster as dg

from adata_assets.alerts import build_alert_sensor
from adata_assets.assets.stage import IO_MANAGER_KEY
from adata_assets.automation import build_sensor
from adata_assets.dead_runs import build_dead_runs_sensor
from adata_assets.io_managers import ArtefactIOManager
from adata_assets.resources import StorageResource


def project_path() -> Path:
    """Return the project that ``ADATA_ASSETS_PROJECT`` names, else the one that ships."""
    return Path(os.environ.get("ADATA_ASSETS_PROJECT") or Path(__file__).parent)


def load_project_defs(path: Path) -> dg.Definitions:
    """Load the datasets of the project that holds ``path``.

    Parameters
    ----------
    path
        A path within a project: a folder with ``[tool.dg.project]`` in its ``pyproject.toml``.
    """
    _make_importable(path)
    return with_resources(dg.load_from_defs_folder(path_within_project=path))


def refresh_state(path: Path, dataset_id: str) -> None:
    """Look at the source's header again where the number of chunks depends on it.

    The last known state stays when the source cannot be reached.

    Raises
    ------
    InputError
        If the source cannot be reached and was never looked at.
    """
    from adata_assets.components.adata_dataset import AdataDataset

    _make_importable(path)
    tree = dg.ComponentTree.for_project(path)
    for component in tree.get_all_components(of_type=AdataDataset):
        if component.spec.dataset_id == dataset_id and component.spec.chunks.size is not None:
            asyncio.run(component.refresh_state(tree.project_root))


def with_resources(
    datasets: dg.Definitions, storage: StorageResource | None = None
) -> dg.Definitions:
    """Add storage, IO manager, executor and sensors to the definitions of datasets.

    Parameters
    ----------
    storage
        Where artefacts live; by default what the environment says.
    """
    storage = storage or StorageResource()
    shared = dg.Definitions(
        resources={"storage": storage, IO_MANAGER_KEY: ArtefactIOManager(storage=storage)},
        executor=dg.in_process_executor,
        sensors=[build_sensor(), build_dead_runs_sensor(), build_alert_sensor()],
    )
    return dg.Definitions.merge(datasets, shared)


def _make_importable(path: Path) -> None:
    if str(path) not in sys.path and (path / "pyproject.toml").is_file():
        sys.path.insert(0, str(path))
