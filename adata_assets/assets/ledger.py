"""``ledger``: where every raw cell went."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.stage import asset_options, code_version, to_output, upstream
from adata_assets.checks import artefact_type, column_schema
from adata_assets.resources import StorageResource
from adata_assets.schemas.annotated import LedgerSchema
from adata_assets.spec import DatasetSpec

STAGE = "ledger"


def build_ledger_asset(spec: DatasetSpec) -> dg.AssetsDefinition:
    """Build the asset that accounts for every raw cell."""
    version = code_version("1", {})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["parquet"],
            description="Per source: raw cells = published + removed (rule, value) + quarantined "
            "(reason). Nothing is published while a cell is unaccounted for.",
            on_failure="Cells are unaccounted for: the raw file and `annotated_obs` do not go together. Materialize "
            "`raw_h5ad`, then `annotated_obs`.",
            columns=column_schema(LedgerSchema),
            dagster_type=artefact_type("ledger.parquet", LedgerSchema),
        ),
        ins={
            "raw_h5ad": upstream(spec, "raw_h5ad"),
            "annotated_obs": upstream(spec, "annotated_obs"),
        },
    )
    def ledger(
        storage: StorageResource, raw_h5ad: Artefact, annotated_obs: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.annotation.ledger import LEDGER, write_ledger
        from adata_assets.pictures.artefacts import draw_ledger

        store = storage.open()
        with store.draft(
            spec.dataset_id, STAGE, code_version=version, inputs=[raw_h5ad, annotated_obs]
        ) as draft:
            table = write_ledger(raw_h5ad, annotated_obs, draft.folder)
            draft.metadata["n_raw"] = int(table["n_obs"].sum())
        return to_output(
            draft.committed,
            tables=[LEDGER],
            pictures=draw_ledger(table),
            **draft.metadata,
            ledger=dg.MetadataValue.md(table.to_markdown(index=False)),
        )

    return ledger
