"""The Dagster instance that the command and the UI share, and the project's definitions.

Belongs here: ``DAGSTER_HOME``, what killed commands left behind in it, and loading the definitions
once. What is run is in ``runs``.
"""

from __future__ import annotations

import os
import socket
import textwrap
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
from upath import UPath

from adata_assets.automation import COMMAND_TAG
from adata_assets.commit import locked
from adata_assets.errors import InputError
from adata_assets.processes import HOST

DEFAULT_HOME = ".dagster"
_N_TOLD = 500


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


def lock_name(dataset_id: str) -> str:
    """Return the file of the home that a command locks while it works on a dataset."""
    return f"{dataset_id}.lock"


def open_instance() -> dg.DagsterInstance:
    """Open the instance of ``DAGSTER_HOME``.

    In a fresh home Dagster makes the tables, which fails when two processes do it at once.

    Raises
    ------
    InputError
        If the settings of the home are wrong, or the database does not answer.
    """
    home = os.environ["DAGSTER_HOME"]
    with locked(UPath(home), name=".instance.lock"):
        try:
            return dg.DagsterInstance.get()
        except _errors_of_opening() as error:
            raise InputError(
                f"{home}/dagster.yaml: Dagster cannot open this instance; correct it, or start the "
                f"database that it names: {_told(error)}"
            ) from error


def _errors_of_opening() -> tuple[type[Exception], ...]:
    from dagster_shared.check import CheckError
    from sqlalchemy.exc import SQLAlchemyError
    from yaml import YAMLError

    known = (dg.DagsterError, CheckError, ImportError, OSError, SQLAlchemyError, YAMLError)
    if find_spec("dagster_postgres") is None:
        return known
    from dagster_postgres.utils import DagsterPostgresException

    return (*known, DagsterPostgresException)


def _told(error: Exception) -> str:
    # Of wrong settings Dagster tells each with its place; before them stands its whole schema.
    found = error.errors if isinstance(error, dg.DagsterInvalidConfigError) else ()
    told = " ".join(each.message.partition("\nStack Trace")[0] for each in found)
    return textwrap.shorten(told or str(error.__cause__ or error), _N_TOLD)


def free_dead_slots(instance: dg.DagsterInstance, *, locked_id: str) -> None:
    """Free the pool slots that killed commands still hold.

    Nobody else does: Dagster frees the slots of runs that it knows to have ended, and a run whose
    process was killed looks as if it went on. The next heavy step would wait for ever.

    Parameters
    ----------
    locked_id
        The dataset that the caller has locked: no other command is at work on it.
    """
    events = instance.event_log_storage
    if events.supports_global_concurrency_limits:
        for run_id in events.get_concurrency_run_ids():
            if _is_dead(instance.get_run_by_id(run_id), locked_id):
                events.free_concurrency_slots_for_run(run_id)


def _is_dead(run: dg.DagsterRun | None, locked_id: str) -> bool:
    if run is None or run.is_finished:
        return True
    is_here = run.tags.get(HOST, socket.gethostname()) == socket.gethostname()
    if COMMAND_TAG not in run.tags or not is_here:
        return False
    home, datasets = (
        UPath(os.environ["DAGSTER_HOME"]),
        {k.path[0] for k in run.asset_selection or ()},
    )
    return not any(_is_at_work(home, dataset_id) for dataset_id in datasets - {locked_id})


def _is_at_work(home: UPath, dataset_id: str) -> bool:
    def refuse() -> None:
        raise BlockingIOError

    try:
        with locked(home, name=lock_name(dataset_id), on_wait=refuse):
            return False
    except BlockingIOError:
        return True


def load_defs(dataset_id: str | None) -> dg.Definitions:
    """Load the project's definitions; look at one dataset's source where its chunks depend on it.

    None looks at those of all datasets.

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
