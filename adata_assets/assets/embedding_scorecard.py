"""``embedding_scorecard``: what every embedding achieves on cells that nothing was learnt from."""

from collections.abc import Mapping
from typing import Any

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
from adata_assets.embedders.contract import load_embedder
from adata_assets.resources import StorageResource
from adata_assets.schemas.scorecard import ScorecardSchema
from adata_assets.spec import DatasetSpec, EmbedderSpec

STAGE = "embedding_scorecard"
TABLE = "scorecard.parquet"


def build_embedding_scorecard(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that measures the dataset's embeddings, of which there is at least one."""
    embedders = {embedder.name: embedder for embedder in spec.embedders}
    # Vectors do not tell whether something is expected of them.
    told = {name: _describe(embedder) for name, embedder in embedders.items()}
    version = code_version(
        "1", {"embedders": told, **read_fields(spec, "seed", "publish_obs", "drop_obs")}
    )

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="Every embedding on the held-out cells: label transfer against noise and pca, "
            "silhouette, batch mixing, agreement with pca. An input that is no better than noise fails.",
            on_failure="A chunk of an embedding is missing or of another width: materialize what the error names. A "
            "red check says which embedding is no better than noise: look at its picture and its settings.",
            columns=column_schema(ScorecardSchema),
            dagster_type=artefact_type(TABLE, ScorecardSchema),
        ),
        pool=MEMORY_POOL,
        ins={
            "annotated_obs": upstream(spec, "annotated_obs"),
            **{
                f"embeddings_{name}": upstream(spec, f"embeddings/{name}", collect=True)
                for name in embedders
            },
        },
    )
    def embedding_scorecard(
        storage: StorageResource, annotated_obs: Artefact, **given: Mapping[str, Artefact]
    ) -> dg.Output[Artefact]:
        from adata_assets.scorecard.store import write_scorecard

        stored = [_store(embedders[name], given[f"embeddings_{name}"]) for name in embedders]
        inputs = [annotated_obs, *(chunk for one in stored for chunk in one.chunks.values())]
        with storage.open().draft(
            spec.dataset_id, STAGE, code_version=version, inputs=inputs
        ) as draft:
            draft.metadata |= write_scorecard(spec, annotated_obs, stored, draft.folder)
        return to_output(draft.committed, tables=[TABLE], **_show(draft.committed))

    return embedding_scorecard


def _describe(embedder_spec: EmbedderSpec) -> list[str | bool]:
    embedder = load_embedder(embedder_spec)
    return [embedder_spec.method, embedder.role, embedder.is_random]


def _store(embedder_spec: EmbedderSpec, chunks: Mapping[str, Artefact]) -> Any:
    from adata_assets.scorecard.vectors import StoredEmbedding

    embedder = load_embedder(embedder_spec)
    told = next(iter(chunks.values())).metadata
    return StoredEmbedding(
        name=embedder_spec.name,
        method=embedder_spec.method,
        is_control=told.get("role", embedder.role) == "control",
        is_random=bool(told.get("is_random", embedder.is_random)),
        chunks=chunks,
    )


def _show(artefact: Artefact) -> dict[str, Any]:
    from adata_assets.hub.card_scorecard import describe_scorecard, embed_picture
    from adata_assets.tables import read_table

    table = read_table(artefact.local(TABLE))
    pictures = {
        f"picture_{name}": dg.MetadataValue.md(embed_picture(artefact.local(file), name))
        for name, file in artefact.metadata["figures"].items()
    }
    return {
        "verdicts": artefact.metadata["verdicts"],
        "n_warnings": len(artefact.metadata["warnings"]),
        "scorecard": dg.MetadataValue.md(describe_scorecard(table, artefact.metadata)),
        **pictures,
    }
