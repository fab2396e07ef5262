"""``gene_stats``: what each gene looks like over the train cells: variable genes and markers."""

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
from adata_assets.schemas.chunked import GeneStatsSchema, MarkerSchema
from adata_assets.spec import DatasetSpec

STAGE = "gene_stats"


def build_gene_stats(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset of gene statistics."""
    has_markers = len(spec.sentences.keys) > 2
    reads = read_fields(spec, "min_cells", "n_top_genes")
    # Other settings of the sentences change nothing here.
    reads |= {"n_markers": spec.sentences.n_markers} if has_markers else {}
    version = code_version("2", reads)

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="Per gene over the train cells: cells, counts, moments, median, mask and rank.",
            on_failure="Usually no train cell or no gene is left: look at `annotated_obs` and at `min_cells` in the "
            "YAML, then materialize again.",
            columns=column_schema(GeneStatsSchema),
            other_columns={"markers": column_schema(MarkerSchema)} if has_markers else None,
            dagster_type=artefact_type("gene_stats.parquet", GeneStatsSchema),
        ),
        pool=MEMORY_POOL,
        ins={
            "annotated_obs": upstream(spec, "annotated_obs"),
            "counts": upstream(spec, "counts"),
        },
    )
    def gene_stats(
        storage: StorageResource, annotated_obs: Artefact, counts: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.annotation.genes.markers import MARKERS
        from adata_assets.annotation.train import measure_train_genes, rank_train_markers
        from adata_assets.tables import write_table

        store = storage.open()
        with store.draft(
            spec.dataset_id,
            STAGE,
            code_version=version,
            inputs=[annotated_obs, counts],
        ) as draft:
            stats = measure_train_genes(annotated_obs, counts, spec, scratch=store.scratch)
            write_table(stats, draft.folder / "gene_stats.parquet")
            draft.metadata["n_variable"] = int((stats["hvg_rank"] >= 0).sum())
            if has_markers:
                markers = rank_train_markers(
                    annotated_obs,
                    counts,
                    stats["in_mask"].to_numpy(),
                    n_markers=spec.sentences.n_markers,
                )
                write_table(markers, draft.folder / MARKERS)
                draft.metadata["n_markers"] = len(markers)
        tables = ["gene_stats.parquet", *([MARKERS] if has_markers else [])]
        return to_output(draft.committed, tables=tables, n_vars=len(stats), **draft.metadata)

    return gene_stats
