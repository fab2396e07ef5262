"""Blocking asset checks and Dagster types, all made from schemas and contracts.

Belongs here: how a breach is shown and what it blocks. What must hold is in ``schemas``, and in
the plain functions that are called here.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pandera.pandas as pa
from dagster_pandera import pandera_schema_to_dagster_type

from adata_assets.artefact import Artefact
from adata_assets.findings import Findings, Schema, columns_of, find_schema_breaches
from adata_assets.resources import StorageResource
from adata_assets.rows.formats import schema_of_rows
from adata_assets.schemas.annotated import LedgerSchema, ObsSchema, VarSchema
from adata_assets.schemas.chunked import (
    EmbeddingSchema,
    GeneStatsSchema,
    MarkerSchema,
    ShareLinkSchema,
    cell_text_schema,
)
from adata_assets.schemas.leakage import LeakageProbeSchema, SharedCellSchema, SharedKeySchema
from adata_assets.schemas.scorecard import ScorecardSchema
from adata_assets.schemas.slots import describe_slots
from adata_assets.spec import DatasetSpec
from adata_assets.storage import Storage

ANSWERS = "links_answer"


def column_schema(schema: Schema) -> dg.TableSchema:
    """Return the columns of a schema with their descriptions, as the UI shows them."""
    shown: Any = pandera_schema_to_dagster_type(schema).metadata["schema"]
    return shown.schema


def slots_schema(embedders: Sequence[str]) -> dg.TableSchema:
    """Return the slots of a chunk's AnnData, shown as columns."""
    return dg.TableSchema(
        [
            dg.TableColumn(name, type=type_, description=description)
            for name, type_, description in describe_slots(embedders)
        ]
    )


@functools.cache
def artefact_type(file: str, schema: Schema) -> dg.DagsterType:
    """Return the Dagster type of an artefact whose ``file`` has the columns of ``schema``.

    The columns are compared when the asset ends; the rows are the matter of the blocking check.
    """
    wanted = list(columns_of(schema))

    def has_columns(_: dg.TypeCheckContext, value: object) -> dg.TypeCheck:
        if not isinstance(value, Artefact):
            return dg.TypeCheck(False, description=f"not an artefact: {type(value).__name__}")
        import pyarrow.parquet as pq

        found = pq.read_schema(value.local(file)).names
        return dg.TypeCheck(
            found == wanted, description=f"{file}: columns {found}, expected {wanted}"
        )

    return dg.DagsterType(
        type_check_fn=has_columns,
        name=f"Artefact_{_name_of(schema)}",
        typing_type=Artefact,
        metadata={"schema": column_schema(schema)},
    )


def _name_of(schema: Schema) -> str:
    return schema.name if isinstance(schema, pa.DataFrameSchema) else schema.__name__


def build_checks(
    spec: DatasetSpec, chunks: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """Build all blocking checks of one dataset."""
    checks = [
        _table_check(spec, "annotated_obs", "obs.parquet", ObsSchema),
        _table_check(spec, "annotated_obs", "var.parquet", VarSchema),
        _table_check(spec, "ledger", "ledger.parquet", LedgerSchema),
        _table_check(spec, "gene_stats", "gene_stats.parquet", GeneStatsSchema),
        _table_check(
            spec, "cell_texts", "cell_texts.parquet", cell_text_schema(spec.sentences.keys), chunks
        ),
        _content_check(spec, "annotated_obs", "captions_state_facts", _check_captions),
        _table_check(spec, "share_links", "share_links.parquet", ShareLinkSchema, chunks),
        _content_check(spec, "annotated_obs", "order_and_groups", _check_annotated),
        _content_check(spec, "ledger", "no_cell_unaccounted", _check_ledger),
        _table_check(spec, "leakage", "shared_keys.parquet", SharedKeySchema),
        _table_check(spec, "leakage", "shared_cells.parquet", SharedCellSchema),
        _table_check(spec, "leakage", "probe.parquet", LeakageProbeSchema),
        _content_check(spec, "leakage", "nothing_in_two_splits", _check_leakage),
        _content_check(spec, "counts", "umis_conserved", _check_counts),
        _content_check(spec, "chunk_files", "slots", _check_chunk_files, chunks),
        _content_check(spec, "share_links", "links_not_expired", _check_expiry, chunks),
        _content_check(spec, "hf_splits", "rows", _check_rows),
        _content_check(spec, "hf_splits", "promises", _check_promises),
        # What others did to a store afterwards is no fault of the rows.
        _content_check(spec, "hf_splits", ANSWERS, _check_answers, blocking=False),
        _content_check(spec, "hf_splits", "lint", _check_lint),
    ]
    for embedder in spec.embedders:
        stage = f"embeddings/{embedder.name}"
        checks.append(_table_check(spec, stage, "embedding.parquet", EmbeddingSchema, chunks))
        checks.append(_content_check(spec, stage, "one_space", _check_space, chunks))
        checks.append(_content_check(spec, f"models/{embedder.name}", "finite", _check_model))
    if spec.embedders:
        stage = "embedding_scorecard"
        checks.append(_table_check(spec, stage, "scorecard.parquet", ScorecardSchema))
        checks.append(_content_check(spec, stage, "inputs_carry_signal", _check_signal))
    if len(spec.sentences.keys) > 2:
        checks.append(_table_check(spec, "gene_stats", "markers.parquet", MarkerSchema))
    if spec.publish:
        checks.append(_content_check(spec, "hf_release", "arrived", _check_release))
    return checks


Check = Callable[[DatasetSpec, Storage, Artefact], Findings]


def _table_check(
    spec: DatasetSpec,
    stage: str,
    file: str,
    schema: Schema,
    partitions_def: dg.PartitionsDefinition | None = None,
) -> dg.AssetChecksDefinition:
    def check(_: DatasetSpec, __: Storage, artefact: Artefact) -> Findings:
        from adata_assets.tables import iter_parts

        return find_schema_breaches(iter_parts(artefact.local(file)), schema)

    return _content_check(spec, stage, f"{file.split('.')[0]}_schema", check, partitions_def)


def _content_check(
    spec: DatasetSpec,
    stage: str,
    name: str,
    check: Check,
    partitions_def: dg.PartitionsDefinition | None = None,
    *,
    blocking: bool = True,
) -> dg.AssetChecksDefinition:
    key = dg.AssetKey([spec.dataset_id, *stage.split("/")])

    @dg.asset_check(
        asset=key,
        name=name,
        blocking=blocking,
        partitions_def=partitions_def,
        description=(check.__doc__ or "The stored table satisfies its schema.").split("\n")[0],
    )
    def content_check(
        context: dg.AssetCheckExecutionContext, storage: StorageResource
    ) -> dg.AssetCheckResult:
        store = storage.open()
        partition = context.partition_key if partitions_def else None
        artefact = store.load(spec.dataset_id, stage, partition)
        damaged = artefact.damaged_files()
        if damaged:
            return Findings(damaged, len(artefact.files)).to_result()
        return check(spec, store, artefact).to_result()

    return content_check


def _check_annotated(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Every published cell has its own place, and no group is in two splits."""
    from adata_assets.promises import find_annotation_breaches

    return Findings(*find_annotation_breaches(artefact))


def _check_ledger(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Raw cells = published + removed + quarantined, for every source: 0 unaccounted."""
    from adata_assets.annotation.ledger import find_unaccounted

    return Findings(*find_unaccounted(artefact))


def _check_leakage(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """No group and no cell with the same counts is in two splits."""
    from adata_assets.leakage.store import find_leakage_breaches

    return Findings(*find_leakage_breaches(artefact))


def _check_captions(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Each fact in each made caption equals the cell's own field."""
    from adata_assets.promises import find_caption_breaches_of

    return Findings(*find_caption_breaches_of(artefact))


def _check_counts(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Each cell's counts sum to what the raw file holds for it."""
    from adata_assets.promises import find_counts_breaches

    return Findings(*find_counts_breaches(store.load(spec.dataset_id, "annotated_obs"), artefact))


def _check_model(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """What was learnt is finite and has the hash that it states."""
    from adata_assets.promises import find_model_breaches

    return Findings(*find_model_breaches(artefact))


def _check_signal(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """No embedding is as good as noise, where there are enough held-out cells to tell."""
    from adata_assets.scorecard.verdict import find_signal_breaches, find_warnings
    from adata_assets.tables import read_table

    found = read_table(artefact.local("scorecard.parquet"))
    return Findings(find_signal_breaches(found), len(found), find_warnings(found))


def _check_space(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Every chunk was embedded with the model that the dataset has now."""
    from adata_assets.embedders.base.apply import find_space_breaches

    name = artefact.stage.partition("/")[2]
    return Findings(*find_space_breaches(artefact, store.load(spec.dataset_id, f"models/{name}")))


def _check_chunk_files(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Both files open with stock anndata and hold exactly the cells of the chunk."""
    from adata_assets.promises import find_chunk_breaches

    annotated = store.load(spec.dataset_id, "annotated_obs")
    return Findings(*find_chunk_breaches(spec, annotated, artefact))


def _check_expiry(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """No link has expired; a warning for those that are about to."""
    from adata_assets.promises import find_ending_links, find_expired_links

    breaches, n_checked = find_expired_links(artefact)
    ending = find_ending_links(artefact, spec.share.refresh_before_s)
    return Findings(breaches, n_checked, () if breaches else ending)


def _check_answers(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """A sample of the published links, another one every day, still answers with files of the right size."""
    from adata_assets.share.sampling import find_dead_links

    return Findings(*find_dead_links(spec, store, artefact))


def _check_rows(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Every published row satisfies the schema of its format."""
    from adata_assets.tables import iter_parts

    schema = schema_of_rows(spec)
    tables = ("data", *(config.name for config in spec.configs))
    shards = [name for name in sorted(artefact.files) if name.split("/")[0] in tables]
    shards = [name for name in shards if name.endswith(".parquet")]
    return find_schema_breaches(
        (frame for name in shards for frame in iter_parts(artefact.local(name))), schema
    )


def _check_promises(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """Ids, links and negatives hold what the card promises (S11 to S13, C3, C4, C6)."""
    from adata_assets.promises import find_row_breaches

    return Findings(*find_row_breaches(spec, store, artefact))


def _check_lint(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """The folder breaks no rule of the Hub and none of this package."""
    from adata_assets.hub.lint import PublishedFolder, find_rules, lint_folder

    found = lint_folder(PublishedFolder(artefact.local_folder))
    return Findings([f"{f.rule_id}: {f.text}" for f in found], len(find_rules()))


def _check_release(spec: DatasetSpec, store: Storage, artefact: Artefact) -> Findings:
    """What was downloaded back from the Hub equals what was pushed."""
    from adata_assets.hub.publish import find_release_breaches

    return Findings(*find_release_breaches(artefact, store.load(spec.dataset_id, "hf_splits")))
