"""What looks by itself: at the source every day, at what is published every week.

Belongs here: schedules and their jobs, those of links left out. What follows a look is decided by
``automation``.
"""

from datetime import UTC, datetime

import dagster as dg

from adata_assets.assets.hf_release import STAGE as RELEASE
from adata_assets.assets.retries import tried_again
from adata_assets.assets.source import STAGE as SOURCE
from adata_assets.assets.stage import key_of
from adata_assets.resources import StorageResource
from adata_assets.run_errors import DATASET_TAG
from adata_assets.spec import DatasetSpec, Publish

# So many findings are told in full.
_N_TOLD = 5
# No look lasts longer, whatever hangs.
_LONGEST_LOOK_S = 7200


def default_status(spec: DatasetSpec) -> dg.DefaultScheduleStatus:
    """Return whether a dataset's schedules run by themselves; ``automate: false`` stops them."""
    status = dg.DefaultScheduleStatus
    return status.RUNNING if spec.automate else status.STOPPED


def look_tags(spec: DatasetSpec) -> dict[str, str]:
    """Return the tags of a run that looks at a dataset: whose it is, and when it is ended."""
    return {DATASET_TAG: spec.dataset_id, "dagster/max_runtime": str(_LONGEST_LOOK_S)}


def build_look_schedules(spec: DatasetSpec) -> dg.Definitions:
    """Build the looks at the source and, with ``publish``, at the release."""
    observe = dg.define_asset_job(
        f"observe_source_{spec.dataset_id}",
        selection=dg.AssetSelection.assets(key_of(spec, SOURCE)),
        description="Looks whether the source has new content; if it has, the automation makes "
        "anew what depends on it, else nothing runs.",
        tags=look_tags(spec),
    )
    schedules: list[dg.ScheduleDefinition] = []
    if spec.schedule:
        schedules.append(
            dg.ScheduleDefinition(
                name=observe.name,
                job=observe,
                cron_schedule=spec.schedule,
                default_status=default_status(spec),
                description="Looks whether the source has new content.",
            )
        )
    jobs: list[dg.JobDefinition] = []
    if spec.publish:
        jobs.append(_build_verification(spec, spec.publish))
        schedules.append(_schedule_verification(spec, spec.publish, jobs[0]))
    return dg.Definitions(jobs=[observe, *jobs], schedules=schedules)


def _build_verification(spec: DatasetSpec, publish: Publish) -> dg.JobDefinition:
    @dg.op(
        name=f"verify_{spec.dataset_id}",
        description="Holds the release on the Hub against its manifest and reads some of the "
        "linked files whole, others every week.",
    )
    def verify(context: dg.OpExecutionContext, storage: StorageResource) -> None:
        from adata_assets.hub.place import open_place
        from adata_assets.hub.verify import verify_folder

        with tried_again(context), open_place(publish.repo_id) as folder:
            findings, n_links = verify_folder(folder, level="sample", seed=_week())
        told = [f"{found.rule_id}: {found.text}" for found in findings]
        context.log_event(
            dg.AssetObservation(
                key_of(spec, RELEASE), metadata={"n_findings": len(told), "n_links": n_links}
            )
        )
        if told:
            raise dg.Failure(
                f"{publish.repo_id} is not as it was promised: {'; '.join(told[:_N_TOLD])}",
                metadata={"findings": "\n".join(told)},
                allow_retries=False,
            )

    @dg.job(
        name=f"verify_release_{spec.dataset_id}",
        description=f"Looks whether {publish.repo_id} and the files that it links are still as "
        "they were published; fails if not.",
        tags=look_tags(spec),
    )
    def verify_release() -> None:
        verify()

    return verify_release


def _schedule_verification(
    spec: DatasetSpec, publish: Publish, job: dg.JobDefinition
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=job.name,
        job=job,
        cron_schedule=publish.verify_schedule,
        default_status=default_status(spec),
        description="Looks whether what is published is still as it was promised.",
    )
    def verify_release(storage: StorageResource) -> dg.RunRequest | dg.SkipReason:
        if storage.open().find(spec.dataset_id, RELEASE) is None:
            return dg.SkipReason(f"nothing of {spec.dataset_id} is published yet")
        return dg.RunRequest()

    return verify_release


def _week() -> int:
    year, week, _ = datetime.now(UTC).isocalendar()
    return year * 100 + week
