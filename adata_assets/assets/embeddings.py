"""``embeddings/<embedder>``: float32 vectors of the cells of a chunk."""

from typing import Any

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.chunk import chunk_of
from adata_assets.assets.stage import asset_options, code_version, to_output, upstream
from adata_assets.checks import artefact_type, column_schema
from adata_assets.embedders.contract import Embedder, load_embedder, require_extra, scope_of
from adata_assets.resources import StorageResource
from adata_assets.schemas.chunked import EmbeddingSchema
from adata_assets.spec import DatasetSpec, EmbedderSpec
from adata_assets.splitting.chunks import ChunkSlice

TABLE = "embedding.parquet"


def build_embeddings(
    spec: DatasetSpec, embedder_spec: EmbedderSpec, chunks: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    """Build the asset that applies one embedder to every chunk."""
    embedder = load_embedder(embedder_spec)
    label = f"{spec.dataset_id}, embedder {embedder_spec.name!r}"
    stage = f"embeddings/{embedder_spec.name}"
    version = _version(embedder, embedder_spec)

    @dg.asset(
        **asset_options(
            spec,
            stage,
            version=version,
            kinds=["parquet"],
            description=f"{embedder_spec.method} of each cell, float32; one frozen model for all chunks.",
            on_failure="The error names the chunk. Materialize this chunk again; what waits for it follows by itself. "
            "When it is out of memory, choose smaller chunks or run fewer at a time.",
            columns=column_schema(EmbeddingSchema),
            partitions_def=chunks,
            dagster_type=artefact_type(TABLE, EmbeddingSchema),
        ),
        ins={
            "annotated_obs": upstream(spec, "annotated_obs"),
            "counts": upstream(spec, "counts"),
            "model": upstream(spec, f"models/{embedder_spec.name}"),
        },
        pool=embedder.pool,
    )
    def embeddings(
        context: dg.AssetExecutionContext,
        storage: StorageResource,
        annotated_obs: Artefact,
        counts: Artefact,
        model: Artefact,
    ) -> dg.Output[Artefact]:
        from adata_assets.scorecard.picture import draw_chunk
        from adata_assets.tables import write_table

        require_extra(embedder)
        chunk, inputs = chunk_of(context, annotated_obs), [annotated_obs, counts, model]
        with storage.open().draft(
            spec.dataset_id, stage, context.partition_key, code_version=version, inputs=inputs
        ) as draft:
            table, facts, warning = _embed(embedder, embedder_spec, chunk, *inputs, label=label)
            if warning:
                context.log.warning(warning)
            write_table(table, draft.folder / TABLE)
            draft.metadata |= facts
        picture = draw_chunk(table["embedding"], annotated_obs, chunk, title=embedder_spec.name)
        return to_output(
            draft.committed,
            tables=[TABLE],
            pictures={"two components": picture},
            n_obs=chunk.n_obs,
            split=chunk.split,
            **facts,
        )

    return embeddings


def _embed(
    embedder: Embedder,
    spec: EmbedderSpec,
    chunk: ChunkSlice,
    annotated_obs: Artefact,
    counts: Artefact,
    model: Artefact,
    *,
    label: str,
) -> tuple[Any, dict[str, Any], str | None]:
    """The table of a chunk, what is told of it, and a warning where few genes were found."""
    from adata_assets.embedders.base.apply import describe_embedding, embed_chunk, read_chunk
    from adata_assets.embedders.base.gene_match import judge_gene_match
    from adata_assets.embedders.base.model import load_frozen

    cells, frozen = read_chunk(chunk, annotated_obs, counts), load_frozen(model)
    warning = judge_gene_match(frozen, cells, label=label)
    table = embed_chunk(embedder, frozen, cells)
    facts = {
        **describe_embedding(embedder, spec, frozen, cells),
        "n_dims": len(table["embedding"].iloc[0]),
        "model_hash": model.data_version,
    }
    return table, facts, warning


def _version(embedder: Embedder, spec: EmbedderSpec) -> str:
    # An equal model from elsewhere has an equal hash, but the files tell where it came from.
    reads = {"method": spec.method, "fit_scope": scope_of(embedder, spec), **spec.settings}
    return code_version(embedder.version, reads)
