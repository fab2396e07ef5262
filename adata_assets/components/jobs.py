"""Jobs by name, for people who prefer buttons: ``refresh_<id>`` and its fellows.

Belongs here: which assets a button runs. When something runs by itself is in ``automation`` and in
the schedules.

Each job has either no partitions or the chunks: a job with both would run what has none once for
every chunk.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import dagster as dg

from adata_assets.assets.stage import key_of
from adata_assets.run_errors import DATASET_TAG
from adata_assets.spec import DatasetSpec

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    AssetJob: TypeAlias = UnresolvedAssetJobDefinition

BEFORE_CHUNKS = ("raw_h5ad", "annotated_obs", "ledger", "counts", "gene_stats", "leakage")
PER_CHUNK = ("cell_texts", "chunk_files", "share_links")


def build_jobs(spec: DatasetSpec) -> list[AssetJob]:
    """Build the jobs of one dataset; without ``automate`` nothing follows one by itself."""
    models = [f"models/{embedder.name}" for embedder in spec.embedders]
    embeddings = [f"embeddings/{embedder.name}" for embedder in spec.embedders]
    follows = "the rest follows by itself" if spec.automate else "nothing follows by itself"
    jobs = [
        _build_job(
            spec,
            "refresh",
            [*BEFORE_CHUNKS, *models],
            f"Reads the raw files again and makes all that comes before the chunks; {follows}. To "
            f"run only what a new source makes necessary, use observe_source_{spec.dataset_id}.",
        ),
        _build_job(
            spec,
            "chunks",
            [*embeddings, *PER_CHUNK],
            "Makes all that a chunk has, for the chunks that you choose, each in a run of its own.",
        ),
    ]
    if spec.embedders:
        jobs += _build_embedding_jobs(spec, models, embeddings, follows)
    if spec.publish:
        scorecard = ["embedding_scorecard"] if spec.embedders else []
        told = (
            "Makes the rows and the card from the chunks that are there and pushes them to "
            f"{spec.publish.repo_id}; refuses while a blocking check is red."
        )
        jobs.append(_build_job(spec, "release", [*scorecard, "hf_splits", "hf_release"], told))
    return jobs


def _build_embedding_jobs(
    spec: DatasetSpec, models: Iterable[str], embeddings: Iterable[str], follows: str
) -> list[AssetJob]:
    fitted = f"Makes the models of all embedders again, once for all chunks; {follows}."
    applied = (
        "Makes the embeddings of the chunks that you choose with the models that are there "
        f"(models_{spec.dataset_id} makes those again); {follows}."
    )
    return [
        _build_job(spec, "models", models, fitted),
        _build_job(spec, "embeddings", embeddings, applied),
    ]


def _build_job(spec: DatasetSpec, verb: str, stages: Iterable[str], description: str) -> AssetJob:
    keys = [key_of(spec, stage) for stage in stages]
    return dg.define_asset_job(
        f"{verb}_{spec.dataset_id}",
        selection=dg.AssetSelection.assets(*keys),
        description=description,
        tags={DATASET_TAG: spec.dataset_id},
    )
