"""``annotated_obs``: one row per raw cell, kept or removed with a reason; genes; the ledger."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    read_fields,
    to_output,
    upstream,
)
from adata_assets.checks import artefact_type, column_schema
from adata_assets.resources import StorageResource
from adata_assets.schemas.annotated import ObsSchema
from adata_assets.spec import DatasetSpec

STAGE = "annotated_obs"
READS = (
    "species",
    "keys",
    "qc",
    "on_missing_caption",
    "splits",
    "format",
    "seed",
)


def build_annotated_obs(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that annotates every cell of the raw file."""
    version = code_version("1", read_fields(spec, *READS))

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="One row per raw cell: quality, caption, split, place in the dataset order; "
            "removed cells carry the rule and the value. Learns nothing from other cells.",
            columns=column_schema(ObsSchema),
            dagster_type=artefact_type("obs.parquet", ObsSchema),
        ),
        ins={"raw_h5ad": upstream(spec, "raw_h5ad")},
    )
    def annotated_obs(
        context: dg.AssetExecutionContext, storage: StorageResource, raw_h5ad: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.annotation.annotate import annotate
        from adata_assets.annotation.store import write_annotated
        from adata_assets.sources.files import SourceFile, unchanged

        store = storage.open()
        with unchanged(SourceFile(**raw_h5ad.metadata)) as path:
            annotated = annotate(path, spec, scratch=store.scratch)
        for warning in annotated.warnings:
            context.log.warning(warning)
        with store.draft(spec.dataset_id, STAGE, code_version=version, inputs=[raw_h5ad]) as draft:
            write_annotated(annotated, draft.folder)
            draft.metadata |= annotated.facts
        return to_output(
            draft.committed,
            n_raw=len(annotated.obs),
            n_obs=sum(annotated.facts["split_sizes"].values()),
            split_sizes=annotated.facts["split_sizes"],
            ledger=dg.MetadataValue.md(annotated.ledger.to_markdown(index=False)),
        )

    return annotated_obs
