"""How each asset and chunk of a dataset is: fresh, stale, failed or missing, and why.

Belongs here: what ``freshness`` judges, joined with what the last runs said. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG

from adata_assets.freshness import DatasetGraph, Node, find_stale
from adata_assets.run_errors import read_step_error
from adata_assets.storage import Storage

State = Literal["fresh", "stale", "failed", "missing"]
STATES: tuple[State, ...] = ("fresh", "stale", "failed", "missing")
# Failed runs that are looked through, newest first; older ones were about something else.
_MAX_RUNS = 500
_PAGE = 50
_EVENT = dg.DagsterEventType


@dataclass(frozen=True)
class NodeStatus:
    """One asset, or one partition of it.

    Attributes
    ----------
    reason
        Why it is not fresh; of a failure the first line of the error.
    run_id
        The run that failed last; None where no run did.
    """

    stage: str
    partition_key: str | None
    state: State
    reason: str = ""
    run_id: str | None = None


@dataclass(frozen=True)
class DatasetStatus:
    """Every node of a dataset, upstream first."""

    dataset_id: str
    nodes: tuple[NodeStatus, ...]

    @property
    def is_fresh(self) -> bool:
        """Whether nothing is left to do."""
        return all(node.state == "fresh" for node in self.nodes)

    def count(self) -> dict[str, int]:
        """Return the number of nodes in each state."""
        return {state: sum(node.state == state for node in self.nodes) for state in STATES}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        nodes = [asdict(node) for node in self.nodes]
        head = {"dataset_id": self.dataset_id, "is_fresh": self.is_fresh}
        return {**head, "n_nodes": self.count(), "nodes": nodes}


def find_status(
    graph: DatasetGraph, storage: Storage, instance: dg.DagsterInstance
) -> DatasetStatus:
    """Return the state of every asset and partition, upstream first.

    A node has failed when its last attempt did, or when a blocking check of it did not pass. What
    waits for a failed one is missing or stale.

    Raises
    ------
    InputError
        If a source cannot be looked at.
    """
    stale = find_stale(graph, storage, instance)
    failures = dict(_find_failures(graph, instance, stale))
    nodes = []
    for node in graph.nodes():
        if node in failures:
            reason, run_id = failures[node]
            nodes.append(NodeStatus(node.stage, node.partition_key, "failed", reason, run_id))
        else:
            state, reason = _judge(stale.get(node))
            nodes.append(NodeStatus(node.stage, node.partition_key, state, reason))
    return DatasetStatus(graph.dataset_id, tuple(nodes))


def _judge(reason: str | None) -> tuple[State, str]:
    if reason is None:
        return "fresh", ""
    word, mark, rest = reason.partition(": ")
    if word == "failed":
        return "failed", rest
    if word == "missing":
        return "missing", rest
    # What another dataset has to give first was never made here.
    if reason.startswith("needs "):
        return "missing", reason
    return "stale", rest if mark and word == "stale" else reason


def _find_failures(
    graph: DatasetGraph, instance: dg.DagsterInstance, stale: Mapping[Node, str]
) -> Iterator[tuple[Node, tuple[str, str]]]:
    """Yield nodes whose last attempt failed, with the error's first line and the run."""
    pending = {(graph.key_of(node.stage), node.partition_key): node for node in stale}
    for record in _failed_runs(instance):
        if not pending:
            return
        run = record.dagster_run
        ours = _asked_of(run, pending)
        errors = _errors_of(instance, run.run_id) if ours else {}
        for node in ours:
            key = graph.key_of(node.stage)
            error = errors.get("__".join(key.path))
            if error is None:
                continue
            del pending[(key, node.partition_key)]
            made_at = _last_materialized(instance, key, node.partition_key)
            if made_at < record.create_timestamp.timestamp():
                yield node, (error, run.run_id)


def _asked_of(
    run: dg.DagsterRun, pending: Mapping[tuple[dg.AssetKey, str | None], Node]
) -> list[Node]:
    partition = run.tags.get(PARTITION_NAME_TAG)
    # Runs of a job with a name do not list their assets; their steps tell.
    asked = run.asset_selection
    return [
        node
        for (key, chunk), node in pending.items()
        if chunk == partition and (asked is None or key in asked)
    ]


def _failed_runs(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    cursor = None
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])
    for _ in range(_MAX_RUNS // _PAGE):
        found = instance.get_run_records(failed, limit=_PAGE, cursor=cursor)
        yield from found
        if len(found) < _PAGE:
            return
        cursor = found[-1].dagster_run.run_id


def _errors_of(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Return step to the first line of its error; steps that never ended are told too."""
    kinds = {_EVENT.STEP_START, _EVENT.STEP_SUCCESS, _EVENT.STEP_FAILURE}
    states: dict[str, str] = {}
    for record in instance.get_records_for_run(run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None or event.step_key is None:
            continue
        if event.event_type == _EVENT.STEP_START:
            states[event.step_key] = "the run ended in the middle of it (killed?)"
        elif event.event_type == _EVENT.STEP_SUCCESS:
            states.pop(event.step_key, None)
        else:
            states[event.step_key] = read_step_error(event).message.partition("\n")[0]
    return states


def _last_materialized(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None
) -> float:
    partitions = None if partition is None else [partition]
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions), limit=1
    )
    return found.records[0].timestamp if found.records else 0.0
