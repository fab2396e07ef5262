"""``models/<embedder>``: what an embedder learnt from the train cells or was given, frozen."""

from pathlib import Path
from typing import Any

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import (
    IO_MANAGER_KEY,
    MEMORY_POOL,
    asset_options,
    code_version,
    to_output,
    upstream,
)
from adata_assets.embedders.contract import Embedder, load_embedder, require_extra
from adata_assets.errors import InputError
from adata_assets.resources import StorageResource
from adata_assets.spec import DatasetSpec, EmbedderSpec


def build_model(
    spec: DatasetSpec, embedder_spec: EmbedderSpec, folder: Path | None = None
) -> dg.AssetsDefinition:
    """Build the asset that fits one embedder, or takes the model that the spec gives.

    Parameters
    ----------
    folder
        Where relative paths of the YAML begin.

    Raises
    ------
    InputError
        If the method is unknown, its settings are wrong, or there is nothing to learn from.
    """
    embedder = load_embedder(embedder_spec)
    _require_possible(spec, embedder_spec, embedder)
    stage = f"models/{embedder_spec.name}"
    version = code_version(embedder.version, _reads(spec, embedder_spec))

    @dg.asset(
        **asset_options(
            spec,
            stage,
            version=version,
            kinds=["safetensors"],
            description=_describe(embedder_spec, embedder),
            on_failure="The error names the setting, the genes or the package that is missing. Mend `embedders` in the "
            "YAML or install the package; the chunks follow by themselves.",
        ),
        ins=_inputs(spec, embedder_spec, embedder),
        pool=_pool_of(embedder_spec, embedder),
    )
    def model(storage: StorageResource, **inputs: Artefact) -> dg.Output[Artefact]:
        from adata_assets.embedders.base.apply import describe_model, freeze_model
        from adata_assets.embedders.base.given_models import as_input, origin_of
        from adata_assets.embedders.base.model import save_model

        require_extra(embedder)
        with storage.open().draft(
            spec.dataset_id,
            stage,
            code_version=version,
            inputs=[as_input(one, spec.dataset_id) for one in inputs.values()],
        ) as draft:
            found = freeze_model(embedder, embedder_spec, inputs, seed=spec.seed, folder=folder)
            draft.data_version = save_model(found, draft.folder)
            draft.metadata |= describe_model(embedder, embedder_spec, found)
            if "given" in inputs:
                draft.metadata["origin"] = origin_of(inputs["given"], spec.dataset_id)
        return to_output(draft.committed, model_hash=draft.data_version, **draft.metadata)

    return model


def _pool_of(embedder_spec: EmbedderSpec, embedder: Embedder) -> str | None:
    # Taking a frozen model is no heavy step.
    if embedder_spec.artefact:
        return None
    return embedder.pool or (MEMORY_POOL if embedder.learns else None)


def _require_possible(spec: DatasetSpec, embedder_spec: EmbedderSpec, embedder: Embedder) -> None:
    name, given = embedder_spec.name, embedder_spec.artefact
    if given is not None and given.dataset == spec.dataset_id:
        raise InputError(
            f"embedder {name!r}: artefact.dataset is {given.dataset!r}, this dataset itself; name "
            "another one, or leave artefact out"
        )
    if given is None and embedder.learns and "train" not in spec.splits.fractions:
        raise InputError(
            f"embedder {name!r}: {embedder.method} learns from train cells, but splits.train is 0; "
            "give it the model of another dataset (artefact: {dataset: <id>}), or take a method "
            "that learns nothing"
        )


def _reads(spec: DatasetSpec, embedder_spec: EmbedderSpec) -> dict[str, Any]:
    reads = {"method": embedder_spec.method, "seed": spec.seed, **embedder_spec.settings}
    if embedder_spec.artefact is not None:
        reads["artefact"] = embedder_spec.artefact.model_dump(mode="json")
    return reads


def _describe(embedder_spec: EmbedderSpec, embedder: Embedder) -> str:
    method, given = embedder_spec.method, embedder_spec.artefact
    if given is not None:
        return (
            f"The model of {method} that {given.dataset or given.path} gives; every chunk uses it."
        )
    if not embedder.learns:
        return f"What {method} was given, frozen; nothing is learnt, every chunk uses it."
    return f"What {method} learnt from the train cells; every chunk uses it."


def _inputs(
    spec: DatasetSpec, embedder_spec: EmbedderSpec, embedder: Embedder
) -> dict[str, dg.AssetIn]:
    given = embedder_spec.artefact
    if given is None:
        raw = ["raw_h5ad"] if embedder.takes_raw_files else []
        return {
            stage: upstream(spec, stage)
            for stage in ["annotated_obs", "counts", "gene_stats", *raw]
        }
    if given.dataset is None:
        return {}
    key = dg.AssetKey([given.dataset, "models", given.name or embedder_spec.name])
    # Of a dataset that this project does not define, Dagster knows no IO manager.
    return {"given": dg.AssetIn(key=key, input_manager_key=IO_MANAGER_KEY)}
