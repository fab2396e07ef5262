"""``hf_splits``: the published folder, rows and card, of one generation."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.embedding_scorecard import STAGE as SCORECARD
from adata_assets.assets.stage import (
    MEMORY_POOL,
    asset_options,
    code_version,
    read_fields,
    to_output,
    upstream,
)
from adata_assets.checks import column_schema
from adata_assets.resources import StorageResource
from adata_assets.rows.formats import schema_of_rows
from adata_assets.spec import DatasetSpec

STAGE = "hf_splits"
EMBEDDING = "embedding"
READS = (
    "title",
    "pretty_name",
    "description",
    "sentences",
    "format",
    "negatives_per_sample",
    "negatives",
    "configs",
    "publish_obs",
    "drop_obs",
    "evaluator_columns",
    "license",
    "data_sources",
    "citations",
    "seed",
    "publish",
)


def build_hf_splits(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that writes rows and card."""
    licences = [source.license for source in spec.sources]
    version = code_version("4", {**read_fields(spec, *READS), "licences": licences})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["huggingface", "parquet"],
            description="The rows of every split with texts, negatives and links, the dataset card, "
            "croissant.json and manifest.json: a folder that load_dataset opens. Refuses inputs of different generations.",
            on_failure="The last release stays as it was. The error names a chunk that is missing or of another "
            "generation: materialize that one, and this follows by itself.",
            columns=column_schema(schema_of_rows(spec)),
        ),
        pool=MEMORY_POOL,
        ins=_inputs(spec),
    )
    def hf_splits(
        storage: StorageResource,
        annotated_obs: Artefact,
        ledger: Artefact,
        leakage: Artefact,
        cell_texts: Mapping[str, Artefact],
        share_links: Mapping[str, Artefact],
        **optional: Any,
    ) -> dg.Output[Artefact]:
        from adata_assets.hub.splits import CARD, ReleaseInputs, write_hf_splits
        from adata_assets.pictures.artefacts import draw_published

        store = storage.open()
        inputs = ReleaseInputs(
            annotated_obs,
            ledger,
            leakage,
            cell_texts,
            share_links,
            optional.get(SCORECARD),
            optional.get(EMBEDDING, {}),
        )
        with store.draft(spec.dataset_id, STAGE, code_version=version, inputs=inputs.all) as draft:
            draft.metadata |= write_hf_splits(spec, inputs, draft.folder, scratch=store.scratch)
        done = draft.committed
        n_rows = done.metadata["n_rows"]
        return to_output(
            done,
            tables=[min(name for name in done.files if name.startswith("data/"))],
            pictures=draw_published(done, inputs.chunks()),
            n_rows=n_rows,
            **{"dagster/row_count": sum(n_rows.values())},
            **{f"n_rows_{split}": n for split, n in n_rows.items()},
            load=f'load_dataset("{store.root / spec.dataset_id / STAGE}")',
            card=dg.MetadataValue.md(done.local(CARD).read_text()),
        )

    return hf_splits


def _inputs(spec: DatasetSpec) -> dict[str, dg.AssetIn]:
    hard_by = spec.negatives.hard_by
    near = {EMBEDDING: upstream(spec, f"embeddings/{hard_by}", collect=True)} if hard_by else {}
    return {
        **{stage: upstream(spec, stage) for stage in ("annotated_obs", "ledger", "leakage")},
        **{stage: upstream(spec, stage, collect=True) for stage in ("cell_texts", "share_links")},
        **({SCORECARD: upstream(spec, SCORECARD)} if spec.embedders else {}),
        **near,
    }
