"""``models/<embedder>``: what an embedder learnt from the train cells, frozen and hashed."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    to_output,
    upstream,
)
from adata_assets.embedders.contract import load_embedder
from adata_assets.resources import StorageResource
from adata_assets.spec import DatasetSpec, EmbedderSpec


def build_model(spec: DatasetSpec, embedder_spec: EmbedderSpec) -> dg.AssetsDefinition:
    """Build the asset that fits one embedder.

    Raises
    ------
    InputError
        If the method is unknown or its settings are wrong.
    """
    embedder = load_embedder(embedder_spec)
    stage = f"models/{embedder_spec.name}"
    version = code_version(
        embedder.version,
        {"method": embedder_spec.method, "seed": spec.seed, **embedder_spec.settings},
    )

    @dg.asset(
        **asset_options(
            spec,
            stage,
            version=version,
            kinds=["safetensors"],
            description=f"What {embedder_spec.method} learnt from the train cells; every chunk uses it.",
        ),
        ins={stage: upstream(spec, stage) for stage in ("annotated_obs", "counts", "gene_stats")},
    )
    def model(
        storage: StorageResource, annotated_obs: Artefact, counts: Artefact, gene_stats: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.embedders.base.apply import fit_embedder
        from adata_assets.embedders.base.model import save_model

        inputs = [annotated_obs, counts, gene_stats]
        with storage.open().draft(
            spec.dataset_id, stage, code_version=version, inputs=inputs
        ) as draft:
            found = fit_embedder(embedder, *inputs, seed=spec.seed)
            draft.data_version = save_model(found, draft.folder)
            draft.metadata |= {"method": embedder_spec.method, "version": embedder.version}
        return to_output(draft.committed, model_hash=draft.data_version, **draft.metadata)

    return model
