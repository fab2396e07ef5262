"""Runs whose process was killed: found, marked as failed, their pool slots freed.

Belongs here: what Dagster's daemon does not notice, a run worker that ended without a word. Runs of
other hosts are left alone.
"""

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason

from adata_assets.processes import HOST, PID, is_gone

INTERVAL_S = 15
_AT_WORK = [
    # A command that is killed between naming its process and the first event.
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs whose process on this host is gone as failed; return their ids."""
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK)):
        if not is_gone(run.tags, run.run_id):
            continue
        # It may have ended well since it was read; its process writes that before it goes.
        found = instance.get_run_by_id(run.run_id)
        if found is not None and not found.is_finished:
            _end(instance, found)
            ended.append(run.run_id)
    return ended


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    told = (
        f"Process {run.tags[PID]} of {run.tags[HOST]}, which executed this run, is gone: killed, out "
        "of memory, or the machine was restarted. What had ended is stored, the rest left nothing "
        "behind: materialize what failed again."
    )
    if run.status == dg.DagsterRunStatus.STARTING:
        told += " It had not begun the run: if it ended by itself, the log of the daemon says why."
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, told)
    else:
        reason = RunFailureReason.UNEXPECTED_TERMINATION
        instance.report_run_failed(run, told, JobFailureData(error=None, failure_reason=reason))
    events = instance.event_log_storage
    if events.supports_global_concurrency_limits:
        events.free_concurrency_slots_for_run(run.run_id)


def build_dead_runs_sensor() -> dg.SensorDefinition:
    """Return the running sensor that ends dead runs."""

    @dg.sensor(
        name="dead_runs",
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs as failed whose process on this machine is gone, so that they can "
        "be started again and hold no place in a pool.",
    )
    def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        ended = end_dead_runs(context.instance)
        if ended:
            return dg.SkipReason(f"marked as failed: {', '.join(ended)}")
        return dg.SkipReason("every run has its process")

    return dead_runs
