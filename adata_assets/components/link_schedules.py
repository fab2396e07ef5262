"""What keeps published links alive by itself: links made anew in time, and a daily look at them.

Belongs here: schedules and their jobs. When a link is to be made anew is said by ``expiry``.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from adata_assets.assets.share_links import STAGE
from adata_assets.assets.stage import key_of
from adata_assets.checks import ANSWERS
from adata_assets.components.schedules import default_status, look_tags
from adata_assets.expiry import ends_within
from adata_assets.resources import StorageResource
from adata_assets.run_errors import DATASET_TAG
from adata_assets.spec import DatasetSpec


def build_link_schedules(
    spec: DatasetSpec, chunks: dg.PartitionsDefinition
) -> list[dg.ScheduleDefinition]:
    """Build the schedules of one dataset; they run by themselves unless it says ``automate: false``."""
    return [_build_refresh(spec, chunks), _build_probe(spec)]


def _build_refresh(spec: DatasetSpec, chunks: dg.PartitionsDefinition) -> dg.ScheduleDefinition:
    job = dg.define_asset_job(
        f"refresh_links_{spec.dataset_id}",
        selection=dg.AssetSelection.assets(key_of(spec, STAGE)),
        description="Make the links of chunks anew; nothing is uploaded that is there.",
        tags={DATASET_TAG: spec.dataset_id},
    )

    @dg.schedule(
        name=f"refresh_links_{spec.dataset_id}",
        job=job,
        cron_schedule=spec.share.refresh_schedule,
        default_status=default_status(spec),
        description="Makes links anew before they end, of those chunks alone; the splits follow.",
    )
    def refresh_links(
        context: dg.ScheduleEvaluationContext, storage: StorageResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        store, n_asked = storage.open(), 0
        for key in chunks.get_partition_keys():
            found = store.find(spec.dataset_id, STAGE, key)
            end = found.metadata["expires_at"] if found else None
            if ends_within(end, spec.share.refresh_before_s):
                n_asked += 1
                # One run for one end: a failed one is for people to look at.
                yield dg.RunRequest(run_key=f"{key}-{end}", partition_key=key)
        if not n_asked:
            yield dg.SkipReason(f"no link ends within {spec.share.refresh_before_s} s")

    return refresh_links


def _build_probe(spec: DatasetSpec) -> dg.ScheduleDefinition:
    check = dg.AssetCheckKey(key_of(spec, "hf_splits"), ANSWERS)
    job = dg.define_asset_job(
        f"probe_links_{spec.dataset_id}",
        selection=dg.AssetSelection.checks(check),
        description="Look whether a sample of the published links still answers.",
        tags=look_tags(spec),
    )
    return dg.ScheduleDefinition(
        name=f"probe_links_{spec.dataset_id}",
        job=job,
        cron_schedule=spec.share.probe_schedule,
        default_status=default_status(spec),
        description="Looks at a sample of the published links and reports dead ones.",
    )
