"""``counts``: raw counts of the kept cells over all genes, in dataset order."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import MEMORY_POOL, asset_options, code_version, to_output, upstream
from adata_assets.resources import StorageResource
from adata_assets.spec import DatasetSpec

STAGE = "counts"


def build_counts(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that writes the counts in dataset order."""
    version = code_version("1", {})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["zarr"],
            description="Raw counts of the published cells over all genes, in dataset order: split, "
            "group, source order; the genes are those of `var` of `annotated_obs`. Counts of features "
            "that share a gene id are summed.",
            on_failure="The raw file changed while it was read, or the scratch disk is full: the error says which. "
            "Materialize `raw_h5ad` and `annotated_obs` again in the first case, then this.",
        ),
        pool=MEMORY_POOL,
        ins={
            "raw_h5ad": upstream(spec, "raw_h5ad"),
            "annotated_obs": upstream(spec, "annotated_obs"),
        },
    )
    def counts(
        storage: StorageResource, raw_h5ad: Artefact, annotated_obs: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.annotation.order import write_ordered_counts
        from adata_assets.sources.raw import read_raw_files, unchanged

        store = storage.open()
        with (
            store.draft(
                spec.dataset_id,
                STAGE,
                code_version=version,
                inputs=[raw_h5ad, annotated_obs],
            ) as draft,
            unchanged(read_raw_files(raw_h5ad)) as files,
        ):
            summary = write_ordered_counts(
                files, annotated_obs, draft.folder, scratch=store.scratch
            )
            draft.metadata |= vars(summary)
            draft.data_version = summary.content_hash
        return to_output(draft.committed, **draft.metadata)

    return counts
