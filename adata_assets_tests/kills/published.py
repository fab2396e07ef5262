"""What a project has published, as hashes; which step a killed run was in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from adata_assets.commit import sha256_of
from adata_assets.run_errors import asset_of

AT_WORK = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def hashes_of(storage: Path) -> dict[str, str]:
    """Return the sha256 of every published file: rows, card, figures, shared files.

    What a kill leaves beside the shared files has a name that no link can have; ``gc`` removes it.
    """
    folders = {"hf_splits": storage / "cells" / "hf_splits", "share": storage / "share" / "cells"}
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": sha256_of(path)
        for name, folder in folders.items()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "manifest/" not in path.relative_to(folder).as_posix()
        and not (name == "share" and path.name.startswith("."))
    }


def steps_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    """Yield the steps that a run began and did not end."""
    kinds = dg.DagsterEventType
    ended = {kinds.STEP_SUCCESS, kinds.STEP_FAILURE}
    open_steps: dict[str, None] = {}
    for entry in instance.all_logs(run.run_id, of_type={kinds.STEP_START, *ended}):
        event = entry.dagster_event
        if event is not None and event.step_key is not None:
            if event.event_type == kinds.STEP_START:
                open_steps[event.step_key] = None
            else:
                open_steps.pop(event.step_key, None)
    yield from (asset_of(step).partition("/")[2] for step in open_steps)


def phase_of(instance: dg.DagsterInstance) -> str:
    """Return where the work on an instance was cut: a step, or between two."""
    runs = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    if not runs:
        return "no run"
    return ", ".join(step for run in runs for step in steps_of(instance, run)) or "between steps"
