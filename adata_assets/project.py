"""A project of datasets: its folder of YAMLs, with the resources that every dataset needs."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster_shared.check import CheckError

from adata_assets.alerts import build_alert_sensor
from adata_assets.assets.stage import IO_MANAGER_KEY
from adata_assets.automation import build_sensor
from adata_assets.dead_runs import build_dead_runs_sensor
from adata_assets.errors import InputError
from adata_assets.io_managers import ArtefactIOManager
from adata_assets.resources import StorageResource


def project_path() -> Path:
    """Return the project that ``ADATA_ASSETS_PROJECT`` names, else the one that ships."""
    return Path(os.environ.get("ADATA_ASSETS_PROJECT") or Path(__file__).parent)


@dataclass(frozen=True)
class ProjectPlace:
    """Where a project is.

    Attributes
    ----------
    root
        The folder with its ``pyproject.toml`` (or ``dg.toml``).
    defs
        The folder with a folder for each dataset.
    """

    root: Path
    defs: Path


def locate_project(path: Path) -> ProjectPlace:
    """Find the project that holds ``path``.

    Raises
    ------
    InputError
        If there is none, or its modules cannot be imported: says what makes a folder a project.
    """
    from dagster.components.utils.project_paths import get_defs_module_path_for_project
    from dagster_shared.utils.config import discover_config_file

    found = discover_config_file(path) if path.is_dir() else None
    if found is None:
        raise InputError(
            f"{path} is in no Dagster project: give the folder of one (--project, or "
            'ADATA_ASSETS_PROJECT). A pyproject.toml with [tool.dg] directory_type = "project" and '
            '[tool.dg.project] root_module = "<package>", and a folder <package>/defs beside it, make '
            "one"
        )
    _make_importable(found.parent)
    try:
        defs = get_defs_module_path_for_project(found.parent)
    except (ImportError, dg.DagsterError, CheckError) as error:
        raise InputError(f"{found}: its defs folder cannot be found ({error})") from error
    return ProjectPlace(found.parent.absolute(), Path(defs).absolute())


def load_project_defs(path: Path) -> dg.Definitions:
    """Load the datasets of the project that holds ``path``.

    Parameters
    ----------
    path
        A path within a project: a folder with ``[tool.dg.project]`` in its ``pyproject.toml``.
    """
    _make_importable(path)
    return with_resources(dg.load_from_defs_folder(path_within_project=path))


def refresh_state(path: Path, dataset_id: str | None) -> None:
    """Look at the source's header again where the number of chunks depends on it; None: of all.

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
        if component.spec.chunks.size is None:
            continue
        if dataset_id in (None, component.spec.dataset_id):
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
