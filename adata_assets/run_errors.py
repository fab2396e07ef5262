"""Why a run failed, in words for people.

Belongs here: finding the error that matters in what Dagster recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._utils.error import SerializableErrorInfo

# Names the dataset of a run that a job started; its runs have no asset selection.
DATASET_TAG = "adata_assets/dataset"


@dataclass(frozen=True)
class StepError:
    """One failed step.

    Attributes
    ----------
    asset
        ``<dataset>/<stage>``, or the name of the op.
    message
        Of the error that the asset raised, whole.
    """

    asset: str
    message: str


def message_of(error: SerializableErrorInfo | None) -> str:
    """Return the message of the error that an asset raised."""
    # Dagster wraps the error of the asset; that one, not its own cause, is for the user.
    while error and error.cause and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    message = error.message.strip() if error else "failed; see the Dagster UI"
    return re.sub(r"^(adata_assets|dagster)\.[\w.]+: ", "", message)


def asset_of(step_key: str | None) -> str:
    """Return the asset that a step makes.

    Examples
    --------
    >>> asset_of("cells__models__pca")
    'cells/models/pca'
    """
    return (step_key or "").replace("__", "/")


def read_step_error(event: dg.DagsterEvent) -> StepError:
    """Return what a step's failure tells: the words of a ``Failure``, else the error's own."""
    data = event.step_failure_data
    told = data.user_failure_data and data.user_failure_data.description
    return StepError(asset_of(event.step_key), told or message_of(data.error))


def find_step_errors(instance: dg.DagsterInstance, run_id: str) -> Iterator[StepError]:
    """Yield the steps of a run that failed."""
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE):
        if entry.dagster_event is not None:
            yield read_step_error(entry.dagster_event)


def datasets_of(run: dg.DagsterRun) -> set[str]:
    """Return the ids of the datasets that a run works on, as far as it tells."""
    named = {run.tags[DATASET_TAG]} if DATASET_TAG in run.tags else set()
    return named | {key.path[0] for key in run.asset_selection or ()}
