"""The Dagster instance that the command and the UI share, and the project's definitions.

Belongs here: ``DAGSTER_HOME`` and loading the definitions once. What is run is in ``runs``.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import dagster as dg

from adata_assets.errors import InputError

DEFAULT_HOME = ".dagster"


def prepare_home() -> Path:
    """Return ``DAGSTER_HOME``; without one, make ``./.dagster`` from the shipped settings.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or DEFAULT_HOME).absolute()
    settings = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not settings.exists():
            with files("adata_assets").joinpath("dagster.yaml").open("rb") as shipped:
                settings.write_bytes(shipped.read())
    except OSError as error:
        raise InputError(
            f"cannot write {settings} ({error.strerror}): set DAGSTER_HOME to a folder that this "
            "user may write"
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def load_defs(dataset_id: str) -> dg.Definitions:
    """Load the project's definitions; look at one dataset's source where its chunks depend on it.

    The project is the one that ``ADATA_ASSETS_PROJECT`` names, else the one that ships.

    Raises
    ------
    InputError
        If a dataset's YAML is wrong: names the file and the field.
    """
    from dagster.components.core.component_tree import ComponentTreeException

    from adata_assets.project import load_project_defs, project_path, refresh_state

    try:
        refresh_state(project_path(), dataset_id)
        return load_project_defs(project_path())
    except ComponentTreeException as error:
        raise InputError(_innermost(error)) from error


def _innermost(error: BaseException) -> str:
    # Dagster wraps the error several times; an InputError has the file and words for its cause.
    while error.__cause__ is not None and not isinstance(error, InputError):
        error = error.__cause__
    return str(error)
