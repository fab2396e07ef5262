"""All assets and checks of one dataset, from its spec.

Belongs here: which stages a dataset has. A stage is in ``assets``; how a YAML becomes a spec is in
``adata_dataset``.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from adata_assets.assets.annotated_obs import build_annotated_obs
from adata_assets.assets.cell_texts import build_cell_texts
from adata_assets.assets.chunk_files import build_chunk_files
from adata_assets.assets.counts import build_counts
from adata_assets.assets.embedding_scorecard import build_embedding_scorecard
from adata_assets.assets.embeddings import build_embeddings
from adata_assets.assets.gene_stats import build_gene_stats
from adata_assets.assets.hf_release import build_hf_release
from adata_assets.assets.hf_splits import build_hf_splits
from adata_assets.assets.leakage import build_leakage
from adata_assets.assets.ledger import build_ledger_asset
from adata_assets.assets.models import build_model
from adata_assets.assets.raw_h5ad import build_raw_h5ad
from adata_assets.assets.share_links import build_share_links
from adata_assets.assets.source import build_source
from adata_assets.assets.stage import key_of
from adata_assets.automation import automate
from adata_assets.checks import build_checks
from adata_assets.components.jobs import build_jobs
from adata_assets.components.link_schedules import build_link_schedules
from adata_assets.components.schedules import build_look_schedules
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import count_chunks, partition_keys


def build_dataset_defs(
    spec: DatasetSpec, *, folder: Path | None = None, n_raw: int | None = None
) -> dg.Definitions:
    """Build the definitions of one dataset.

    Parameters
    ----------
    folder
        Where relative paths of the spec begin and ``splits.lock.csv`` lies; None: there is none.
    n_raw
        Cells of the raw file; needed for ``chunks.size``.

    Raises
    ------
    InputError
        If an embedder or the share store is unknown or has wrong settings.
    """
    n_chunks = count_chunks(spec.chunks, n_raw=n_raw, n_splits=len(spec.splits.fractions))
    chunks = dg.StaticPartitionsDefinition(partition_keys(n_chunks))
    assets = [
        build_source(spec, folder),
        build_raw_h5ad(spec, folder),
        build_annotated_obs(spec, folder),
        build_ledger_asset(spec),
        build_counts(spec),
        build_gene_stats(spec),
        build_leakage(spec),
        *(build_model(spec, embedder, folder) for embedder in spec.embedders),
        *(build_embeddings(spec, embedder, chunks) for embedder in spec.embedders),
        *([build_embedding_scorecard(spec)] if spec.embedders else []),
        build_cell_texts(spec, chunks),
        build_chunk_files(spec, chunks),
        build_share_links(spec, chunks),
        build_hf_splits(spec),
    ]
    checks = build_checks(spec, chunks)
    if spec.publish:
        keys = [key for check in checks for key in check.check_keys]
        assets.append(build_hf_release(spec, spec.publish, blocked_by=keys))
    if spec.automate:
        assets = automate(assets, _find_neighbours(spec))
    own = dg.Definitions(
        # The UI opens the file of a stage from these; the YAML's own place is added by Dagster.
        assets=dg.with_source_code_references(assets),
        asset_checks=checks,
        jobs=build_jobs(spec),
        schedules=build_link_schedules(spec, chunks),
    )
    return dg.Definitions.merge(own, build_look_schedules(spec))


def _find_neighbours(spec: DatasetSpec) -> dict[dg.AssetKey, list[dg.AssetKey]]:
    """Return what must not be at work meanwhile, so that each chunk, and the collectors, are one run.

    A chunk could begin with the texts while a model is being fitted, the scorecard while the last
    chunk is being shared; the rest would then need a run of its own.
    """
    models = [f"models/{embedder.name}" for embedder in spec.embedders]
    stages = {
        "cell_texts": models,
        **{f"embeddings/{embedder.name}": models for embedder in spec.embedders},
        "embedding_scorecard": ["share_links"],
    }
    return {
        key_of(spec, stage): [key_of(spec, other) for other in others]
        for stage, others in stages.items()
    }
