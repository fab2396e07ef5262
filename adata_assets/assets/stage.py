"""What all stages share: their options, their output, their inputs.

Belongs here: how an asset looks to Dagster. What a stage does is in its own file.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from adata_assets.artefact import Artefact, hash_of
from adata_assets.assets.shown import describe_artefact
from adata_assets.spec import DatasetSpec

IO_MANAGER_KEY = "artefacts"
COLLECT = {"collect": True}
# Steps over a whole dataset: two at once, of two datasets, would need the memory of both.
MEMORY_POOL = "memory_heavy"
# The command listens to it; in the UI the lines are in the run's log.
PROGRESS_LOGGER = "adata_assets.progress"


def key_of(spec: DatasetSpec, stage: str) -> dg.AssetKey:
    """Return the asset key of a stage, ``<dataset_id>/<stage>``."""
    return dg.AssetKey([spec.dataset_id, *stage.split("/")])


def upstream(spec: DatasetSpec, stage: str, *, collect: bool = False) -> dg.AssetIn:
    """Return the input that loads a stage's artefact, or with ``collect`` one per partition."""
    return dg.AssetIn(key=key_of(spec, stage), metadata=COLLECT if collect else None)


def code_version(version: str, reads: Mapping[str, Any]) -> str:
    """Return the version of a stage's code and of the parts of the spec that it reads.

    Examples
    --------
    >>> code_version("1", {"n": 2}) == code_version("1", {"n": 3})
    False
    """
    return f"{version}-{hash_of(dict(reads))[:12]}"


def read_fields(spec: DatasetSpec, *fields: str) -> dict[str, Any]:
    """Return some fields of the spec as plain values, for ``code_version``."""
    return spec.model_dump(mode="json", include=set(fields))


def describe(what: str, on_failure: str) -> str:
    """Return the description of an asset: what it is, and what to do when it fails (Markdown)."""
    return f"{what}\n\n**When it fails:** {on_failure}"


def asset_options(
    spec: DatasetSpec,
    stage: str,
    *,
    version: str,
    description: str,
    on_failure: str,
    kinds: Sequence[str],
    columns: dg.TableSchema | None = None,
    other_columns: Mapping[str, dg.TableSchema] | None = None,
    partitions_def: dg.PartitionsDefinition | None = None,
    dagster_type: dg.DagsterType | None = None,
) -> dict[str, Any]:
    """Return the options of ``@dg.asset`` that every stage sets.

    Parameters
    ----------
    on_failure
        What to do when it fails, for people who look at a red asset.
    columns, other_columns
        Of the stage's table, and by name of the tables beside it.
    """
    tables = {f"columns of {name}": schema for name, schema in (other_columns or {}).items()}
    return {
        "key": key_of(spec, stage),
        "group_name": spec.dataset_id,
        "description": describe(description, on_failure),
        "code_version": version,
        "kinds": set(kinds),
        "owners": list(spec.owners),
        "tags": {"stage": stage.split("/")[0]},
        "metadata": {**({"dagster/column_schema": columns} if columns else {}), **tables},
        "partitions_def": partitions_def,
        "dagster_type": dagster_type,
        "io_manager_key": IO_MANAGER_KEY,
    }


def tell(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> Callable[[str], None]:
    """Return what says a line in the run's log, and to whoever waits at the command."""

    def say(line: str) -> None:
        context.log.info(line)
        logging.getLogger(PROGRESS_LOGGER).info(line)

    return say


def to_output(
    artefact: Artefact,
    *,
    tables: Sequence[str] = (),
    pictures: Mapping[str, bytes] | None = None,
    **told: Any,
) -> dg.Output[Artefact]:
    """Return the artefact with its data version and what the UI shows of it.

    Parameters
    ----------
    tables, pictures, told
        As for ``describe_artefact``.
    """
    shown = describe_artefact(artefact, tables=tables, pictures=pictures or {}, told=told)
    return dg.Output(artefact, data_version=dg.DataVersion(artefact.data_version), metadata=shown)
