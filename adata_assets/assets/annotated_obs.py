"""``annotated_obs``: one row per raw cell, kept or left out with a reason; the gene table."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from adata_assets.schemas.annotated import ObsSchema, VarSchema
from adata_assets.spec import DatasetSpec

if TYPE_CHECKING:
    from adata_assets.annotation.annotate import AnnotatedObs

STAGE = "annotated_obs"
READS = (
    "species",
    "keys",
    "counts",
    "subset",
    "qc",
    "harmonise",
    "captions",
    "on_missing_caption",
    "splits",
    "format",
    "seed",
    "publish_obs",
    "drop_obs",
    "max_cells_per_label",
)


def build_annotated_obs(spec: DatasetSpec, folder: Path | None) -> dg.AssetsDefinition:
    """Build the asset that annotates every cell of the raw file.

    Parameters
    ----------
    folder
        Where the YAML is; ``splits.lock.csv`` lies beside it.
    """
    captions = [(config.name, config.caption) for config in spec.configs if config.caption]
    version = code_version("3", {**read_fields(spec, *READS), "configs": captions})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="One row per raw cell: quality, caption, split, place in the dataset order; "
            "cells that are left out carry the rule and the value. Learns from train cells only.",
            on_failure="The error names the column, the cells or the split. Mend `keys`, `counts`, `qc` or "
            "`splits` in the YAML, reload, and materialize again. A red check lists the rows that are wrong.",
            columns=column_schema(ObsSchema),
            other_columns={"var": column_schema(VarSchema)},
            dagster_type=artefact_type("obs.parquet", ObsSchema),
        ),
        pool=MEMORY_POOL,
        ins={"raw_h5ad": upstream(spec, "raw_h5ad")},
    )
    def annotated_obs(
        context: dg.AssetExecutionContext, storage: StorageResource, raw_h5ad: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.annotation.annotate import annotate
        from adata_assets.annotation.store import write_annotated
        from adata_assets.pictures.artefacts import draw_annotated
        from adata_assets.sources.raw import read_raw_files, unchanged
        from adata_assets.splitting.lock import LOCK, keep_lock, read_lock

        store, locked = storage.open(), read_lock(folder)
        cache = store.cache(spec.dataset_id, "accessions")
        with unchanged(read_raw_files(raw_h5ad)) as files:
            annotated = annotate(files, spec, scratch=store.scratch, cache=cache, locked=locked)
        for warning in annotated.warnings:
            context.log.warning(warning)
        with store.draft(spec.dataset_id, STAGE, code_version=version, inputs=[raw_h5ad]) as draft:
            write_annotated(annotated, draft.folder)
            draft.metadata |= annotated.facts
            # Before the commit: a build that is stored has its groups locked.
            draft.metadata["split_lock"] = lock = keep_lock(folder, annotated.locked)
        if lock["reason"] and annotated.locked is not None:
            context.log.warning(f"no {LOCK} was written: {lock['reason']}")
        return to_output(
            draft.committed,
            tables=("obs.parquet", "var.parquet"),
            pictures=draw_annotated(draft.committed),
            split_lock=dg.MetadataValue.json(lock),
            **_show(annotated),
        )

    return annotated_obs


def _show(annotated: "AnnotatedObs") -> dict[str, Any]:
    facts = annotated.facts
    return {
        "n_raw": len(annotated.obs),
        "n_obs": sum(facts["split_sizes"].values()),
        **{f"n_obs_{split}": n for split, n in facts["split_sizes"].items()},
        "dealing": dg.MetadataValue.json(facts["dealing"]),
        "genes": dg.MetadataValue.md(annotated.gene_report.to_markdown(index=False)),
        "harmonised": dg.MetadataValue.md(annotated.harmonised.report.to_markdown(index=False)),
        "values": dg.MetadataValue.json(facts["values"]),
    }
