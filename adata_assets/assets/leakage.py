"""``leakage``: what the splits still share."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import (
    MEMORY_POOL,
    asset_options,
    code_version,
    read_fields,
    to_output,
    upstream,
)
from adata_assets.checks import artefact_type, column_schema
from adata_assets.resources import StorageResource
from adata_assets.schemas.leakage import LeakageProbeSchema, SharedCellSchema, SharedKeySchema
from adata_assets.spec import DatasetSpec

STAGE = "leakage"


def build_leakage(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that looks for keys, cells and skill that splits share."""
    version = code_version("1", read_fields(spec, "seed", "publish_obs", "drop_obs"))

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="Values of keys and equal cells in several splits, and what a classifier gains "
            "from cells of the same groups. A group or a cell in two splits fails.",
            on_failure="A red check names the group or the cell that is in two splits: name its column in "
            "`splits.group`, or leave the cells out, and materialize `annotated_obs` again.",
            columns=column_schema(SharedKeySchema),
            other_columns={
                "shared_cells": column_schema(SharedCellSchema),
                "probe": column_schema(LeakageProbeSchema),
            },
            dagster_type=artefact_type("shared_keys.parquet", SharedKeySchema),
        ),
        pool=MEMORY_POOL,
        ins={
            "annotated_obs": upstream(spec, "annotated_obs"),
            "counts": upstream(spec, "counts"),
            "gene_stats": upstream(spec, "gene_stats"),
        },
    )
    def leakage(
        storage: StorageResource, annotated_obs: Artefact, counts: Artefact, gene_stats: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.hub.card_leakage import describe_leakage
        from adata_assets.leakage.store import CELLS, KEYS, PROBE, read_leakage, write_leakage

        inputs = [annotated_obs, counts, gene_stats]
        with storage.open().draft(
            spec.dataset_id, STAGE, code_version=version, inputs=inputs
        ) as draft:
            draft.metadata |= write_leakage(spec, annotated_obs, counts, gene_stats, draft.folder)
        done = draft.committed
        report = describe_leakage(*read_leakage(done))
        tables, report_md = (KEYS, CELLS, PROBE), dg.MetadataValue.md(report)
        return to_output(done, tables=tables, report=report_md, **done.metadata)

    return leakage
