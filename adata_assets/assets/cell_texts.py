"""``cell_texts``: the cell sentences of a chunk."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.chunk import chunk_of
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    read_fields,
    to_output,
    upstream,
)
from adata_assets.checks import artefact_type, column_schema
from adata_assets.resources import StorageResource
from adata_assets.schemas.chunked import cell_text_schema
from adata_assets.spec import DatasetSpec
from adata_assets.text.tables import TABLE, table_of

STAGE = "cell_texts"


def build_cell_texts(spec: DatasetSpec, chunks: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset that writes the cell sentences."""
    schema = cell_text_schema(spec.sentences.keys)
    # Only labels are drawn: without them the seed changes nothing.
    drawn_by = ("seed",) if len(spec.sentences.keys) > 2 else ()
    texts_of_configs = [(config.name, config.changes) for config in spec.configs if config.changes]
    reads = read_fields(spec, "sentences", *drawn_by) | {"configs": texts_of_configs}
    version = code_version("2", reads)

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="Gene symbols of each cell by falling expression; expressed genes only.",
            on_failure="The error names the chunk. Materialize this chunk again; if it fails again, look at "
            "`sentences` in the YAML and at `gene_stats`.",
            columns=column_schema(schema),
            partitions_def=chunks,
            dagster_type=artefact_type(TABLE, schema),
        ),
        ins={stage: upstream(spec, stage) for stage in ("annotated_obs", "counts", "gene_stats")},
    )
    def cell_texts(
        context: dg.AssetExecutionContext,
        storage: StorageResource,
        annotated_obs: Artefact,
        counts: Artefact,
        gene_stats: Artefact,
    ) -> dg.Output[Artefact]:
        from adata_assets.pictures.artefacts import draw_sentence_lengths
        from adata_assets.tables import write_table
        from adata_assets.text.chunk_texts import build_chunk_texts

        chunk = chunk_of(context, annotated_obs)
        inputs = [annotated_obs, counts, gene_stats]
        with storage.open().draft(
            spec.dataset_id, STAGE, context.partition_key, code_version=version, inputs=inputs
        ) as draft:
            texts = build_chunk_texts(chunk, *inputs, rules=spec.sentences, seed=spec.seed)
            write_table(texts.table, draft.folder / TABLE)
            pictures = draw_sentence_lengths(texts.table["n_genes"].to_numpy())
            draft.metadata |= texts.facts
            for config in (config for config in spec.configs if config.changes):
                rules = spec.sentences_of(config)
                texts = build_chunk_texts(chunk, *inputs, rules=rules, seed=spec.seed)
                write_table(texts.table, draft.folder / table_of(config))
                draft.metadata[config.name] = texts.facts
        return to_output(
            draft.committed,
            tables=[TABLE],
            pictures=pictures,
            n_obs=chunk.n_obs,
            split=chunk.split,
            **draft.metadata,
        )

    return cell_texts
