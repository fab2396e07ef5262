"""One dataset at the command line: its graph, its storage, its instance, and words about them.

Belongs here: what ``materialize`` and ``plan`` share. Printing is the matter of ``cli``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dagster as dg
from upath import UPath

from adata_assets.commit import locked
from adata_assets.dead_runs import end_dead_runs
from adata_assets.errors import InputError
from adata_assets.forecast import Forecast, forecast, require_space
from adata_assets.freshness import DatasetGraph, Node, find_stale
from adata_assets.instance import (
    free_dead_slots,
    load_defs,
    lock_name,
    open_instance,
    prepare_home,
)
from adata_assets.retention import Leftovers, find_leftovers, remove_leftovers
from adata_assets.runs import Outcome, foresee, materialize
from adata_assets.share import require_share_store
from adata_assets.status import DatasetStatus, find_status
from adata_assets.storage import Storage


@dataclass(frozen=True)
class Plan:
    """What would run, with the reasons, and how large it will be."""

    forecast: Forecast
    stale: dict[Node, str]

    def lines(self) -> Iterator[str]:
        """Yield the plan in words."""
        yield from self.forecast.lines()
        if not self.stale:
            yield f"{self.forecast.dataset_id} is up to date"
        for reason, stages in _by_reason(self.stale).items():
            yield f"would run ({reason}): {', '.join(stages)}"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        would_run = [
            {"stage": node.stage, "partition_key": node.partition_key, "reason": reason}
            for node, reason in self.stale.items()
        ]
        return {**vars(self.forecast), "would_run": would_run}


@dataclass
class Workplace:
    """One dataset, ready to be planned or materialized; a context manager."""

    graph: DatasetGraph
    storage: Storage
    instance: dg.DagsterInstance
    say: Callable[[str], None]

    @classmethod
    def open(cls, dataset_id: str, *, say: Callable[[str], None]) -> Workplace:
        """Open the project, the instance and the storage.

        Raises
        ------
        InputError
            If there is no such dataset: lists those that there are. If its share store cannot
            work with the storage root.
        """
        home = prepare_home()
        storage = Storage.from_environment(home)
        say(f"Dagster home {home}, storage {storage.root}")
        graph = DatasetGraph(load_defs(dataset_id), dataset_id)
        if not graph.stages:
            raise InputError(
                f"no dataset {dataset_id!r}; there are: {', '.join(graph.dataset_ids())}"
            )
        require_share_store(graph.spec, storage)
        return cls(graph, storage, open_instance(), say)

    @classmethod
    @contextmanager
    def open_all(
        cls, dataset_id: str | None, *, say: Callable[[str], None]
    ) -> Iterator[list[Workplace]]:
        """Open one dataset, or all of the project on one instance.

        Raises
        ------
        InputError
            As `open`.
        """
        if dataset_id is not None:
            with cls.open(dataset_id, say=say) as one:
                yield [one]
            return
        home = prepare_home()
        storage, defs = Storage.from_environment(home), load_defs(None)
        say(f"Dagster home {home}, storage {storage.root}")
        with open_instance() as instance:
            ids = DatasetGraph(defs, "").dataset_ids()
            yield [cls(DatasetGraph(defs, name), storage, instance, say) for name in ids]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.instance.dispose()

    def materialize(
        self,
        *,
        n_jobs: int,
        forced: str | None,
        on_begin: Callable[[int, int], None] = lambda n_head, n_chunk: None,
        on_end: Callable[[Outcome], None] = lambda outcome: None,
    ) -> list[Outcome]:
        """Bring the dataset up to date; report each run as it ends.

        One command at a time works on a dataset of an instance: a second one waits, then runs what is left.

        Parameters
        ----------
        n_jobs
            Chunks at once.
        forced
            Stages to run even if they are fresh, with commas between them; ``*``: all.
        on_begin
            Called once with the numbers of nodes without and with partitions that may run.
        on_end
            Called with every outcome, after it was said.
        """
        chosen = self._select(forced)
        home, name = UPath(os.environ["DAGSTER_HOME"]), lock_name(self.graph.dataset_id)
        with locked(home, name=name, on_wait=self._say_waiting):
            end_dead_runs(self.instance)
            free_dead_slots(self.instance, locked_id=self.graph.dataset_id)
            stale = find_stale(self.graph, self.storage, self.instance)
            if not (chosen or stale):
                return []
            require_space(forecast(self.graph, self.storage), self.storage)
            on_begin(*foresee(self.graph, stale, chosen))

            def report(outcome: Outcome) -> None:
                self._report(outcome)
                on_end(outcome)

            return materialize(
                self.graph,
                self.storage,
                self.instance,
                forced=chosen,
                n_jobs=n_jobs,
                report=report,
            )

    def find_unfinished(self) -> list[str]:
        """Name what is not fresh after all, because somebody else is at work on the dataset."""
        stale = find_stale(self.graph, self.storage, self.instance)
        return [f"{self.graph.dataset_id}/{node.name}: {reason}" for node, reason in stale.items()]

    def find_status(self) -> DatasetStatus:
        """Return the state of every asset and chunk; nothing is run."""
        return find_status(self.graph, self.storage, self.instance)

    def collect_leftovers(self, *, delete: bool) -> Leftovers:
        """Return what nothing names any more; remove it only when told to."""
        if not delete:
            return find_leftovers(self.graph, self.storage)
        home, name = UPath(os.environ["DAGSTER_HOME"]), lock_name(self.graph.dataset_id)
        with locked(home, name=name, on_wait=self._say_waiting):
            end_dead_runs(self.instance)
            return remove_leftovers(self.graph, self.storage, self.instance)

    def plan(self) -> Plan:
        """Return what would run and what there will be."""
        stale = find_stale(self.graph, self.storage, self.instance)
        return Plan(forecast(self.graph, self.storage), stale)

    def find_result(self) -> dict[str, Any]:
        """Return where the dataset is and how many rows it has."""
        found = self.storage.load(self.graph.dataset_id, "hf_splits")
        folder = self.storage.root / self.graph.dataset_id / "hf_splits"
        return {"folder": str(folder), "n_rows": dict(found.metadata["n_rows"])}

    def describe_result(self) -> Iterator[str]:
        """Yield where the dataset is and how to open it."""
        found = self.find_result()
        folder = found["folder"]
        rows = ", ".join(f"{split} {n}" for split, n in found["n_rows"].items())
        yield f"dataset: {folder} ({rows})"
        yield f'load it: from datasets import load_dataset; load_dataset("{folder}")'
        yield "serve its links: adata-assets serve"
        home = Path(os.environ["DAGSTER_HOME"])
        yield f"open the UI: DAGSTER_HOME={home} dagster dev -w workspace.yaml   (or: make ui)"

    def _say_waiting(self) -> None:
        self.say(f"another command is at work on {self.graph.dataset_id}; waiting for it to end")

    def _report(self, outcome: Outcome) -> None:
        where = outcome.run.partition_key or "head"
        state = "FAILED" if outcome.errors else "done"
        self.say(f"{where}: {', '.join(outcome.run.stages)} {state} in {outcome.seconds:.1f} s")

    def _select(self, forced: str | None) -> set[str]:
        if forced is None:
            return set()
        if forced == "*":
            return set(self.graph.stages)
        chosen = {stage.strip() for stage in forced.split(",")}
        if unknown := sorted(chosen - set(self.graph.stages)):
            raise InputError(f"--force: no stages {unknown}; there are {self.graph.stages}")
        return chosen


def _by_reason(stale: dict[Node, str]) -> dict[str, list[str]]:
    found: dict[str, dict[str, list[Node]]] = {}
    for node, reason in stale.items():
        found.setdefault(reason, {}).setdefault(node.stage, []).append(node)
    return {
        reason: [_name_together(nodes) for nodes in stages.values()]
        for reason, stages in found.items()
    }


def _name_together(nodes: list[Node]) -> str:
    # A line per reason must stay readable with a hundred chunks.
    return nodes[0].name if len(nodes) == 1 else f"{nodes[0].stage} ({len(nodes)} chunks)"
