"""Failed runs are told to a webhook, when the environment names one.

Belongs here: what is told, and that it arrives. ``ADATA_ASSETS_ALERT_URL`` takes the JSON as a POST;
its key ``text`` is what chat programs show.
"""

import os
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.storage.dagster_run import RunRecord

from adata_assets.processes import HOST
from adata_assets.run_errors import datasets_of, find_step_errors
from adata_assets.sources.redact import hide_secrets

URL_VARIABLE = "ADATA_ASSETS_ALERT_URL"
UI_VARIABLE = "ADATA_ASSETS_UI_URL"
INTERVAL_S = 30
# A webhook that is down for a night must not get everything at once.
N_PER_TICK = 20
_TIMEOUT_S = (5, 10)
_WILL_RETRY = "dagster/will_retry"
_PARTITION = "dagster/partition"


class AlertError(RuntimeError):
    """The webhook did not take an alert. Holds no address, which may be a secret."""


def build_alert_sensor() -> dg.SensorDefinition:
    """Return the running sensor that tells failed runs; without a webhook it says so.

    Its cursor is the last failure that was told: what the webhook does not take is told later.
    """

    @dg.sensor(
        name="alert_failed_runs",
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Posts each failed run as JSON to the webhook of {URL_VARIABLE}.",
    )
    def alert_failed_runs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        instance, url = context.instance, os.environ.get(URL_VARIABLE, "").strip()
        if not url:
            # Set later, it is not to tell what is long past.
            told = f"{URL_VARIABLE} is not set: failed runs are told to nobody"
            return dg.SensorResult(skip_reason=told, cursor=_newest_failure(instance))
        if context.cursor is None:
            return dg.SensorResult(
                skip_reason="begins with the next failed run", cursor=_newest_failure(instance)
            )
        n_told, cursor = _tell_failures(instance, url, int(context.cursor))
        told = f"{n_told} failed runs were told" if n_told else "no run failed"
        return dg.SensorResult(skip_reason=told, cursor=str(cursor))

    return alert_failed_runs


def describe_failure(instance: dg.DagsterInstance, record: RunRecord, told: str) -> dict[str, Any]:
    """Return what is posted about a failed run, without secrets.

    Parameters
    ----------
    told
        The run's own message, for a run of which no step failed.
    """
    run = record.dagster_run
    failed = list(find_step_errors(instance, run.run_id))
    error = _first_line(failed[0].message if failed else told)
    planned = instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    events = [entry.dagster_event for entry in planned if entry.dagster_event is not None]
    keys = {event.asset_key for event in events if event.asset_key is not None}
    partition, ui = run.tags.get(_PARTITION), os.environ.get(UI_VARIABLE, "").rstrip("/")
    datasets = sorted(datasets_of(run) | {key.path[0] for key in keys})
    where = ", ".join(one.asset for one in failed) or ", ".join(datasets) or run.job_name
    text = f"{where}{f' [{partition}]' if partition else ''} failed: {error}"
    return {
        "text": text,
        "datasets": datasets,
        "assets": sorted(key.to_user_string() for key in keys),
        "failed": [one.asset for one in failed],
        "partition": partition,
        "error": error,
        "job": run.job_name,
        "run_id": run.run_id,
        "host": run.tags.get(HOST),
        "will_retry": run.tags.get(_WILL_RETRY) == "true",
        "url": f"{ui}/runs/{run.run_id}" if ui else None,
    }


def _first_line(message: str) -> str:
    return hide_secrets(message.strip().partition("\n")[0])


def _failures(
    instance: dg.DagsterInstance, *, after: int | None, limit: int
) -> list[dg.EventLogRecord]:
    wanted = dg.RunStatusChangeRecordsFilter(DagsterEventType.RUN_FAILURE, after_storage_id=after)
    found = instance.fetch_run_status_changes(wanted, limit, ascending=after is not None)
    return list(found.records)


def _newest_failure(instance: dg.DagsterInstance) -> str:
    newest = _failures(instance, after=None, limit=1)
    return str(newest[0].storage_id if newest else 0)


def _tell_failures(instance: dg.DagsterInstance, url: str, after: int) -> tuple[int, int]:
    n_told = 0
    for failure in _failures(instance, after=after, limit=N_PER_TICK):
        record = instance.get_run_record_by_id(failure.event_log_entry.run_id)
        # None: somebody deleted the run.
        if record is not None:
            event = failure.event_log_entry.dagster_event
            told = (event.message if event else None) or "failed; see the Dagster UI"
            try:
                _post(url, describe_failure(instance, record, told))
            except AlertError:
                # What was told already is not to be told twice; the next tick fails visibly.
                if n_told:
                    break
                raise
            n_told += 1
        after = failure.storage_id
    return n_told, after


def _post(url: str, alert: dict[str, Any]) -> None:
    import requests

    try:
        response = requests.post(url, json=alert, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        # The chain is cut because its text repeats the address.
        raise AlertError(
            f"the webhook of {URL_VARIABLE} cannot be reached ({type(error).__name__}): the alert "
            f"of run {alert['run_id']} is posted again in {INTERVAL_S} s"
        ) from None
    if not response.ok:
        raise AlertError(
            f"the webhook of {URL_VARIABLE} answered {response.status_code}: the alert of run "
            f"{alert['run_id']} is posted again in {INTERVAL_S} s; correct the address if that stays"
        )
