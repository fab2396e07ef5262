"""One dataset at the command line: its graph, its storage, its instance, and words about them.

Belongs here: what ``materialize`` and ``plan`` share. Printing is the matter of ``cli``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import dagster as dg
from upath import UPath

from adata_assets.commit import locked
from adata_assets.errors import InputError
from adata_assets.forecast import forecast, require_space
from adata_assets.freshness import DatasetGraph, Node, find_stale
from adata_assets.instance import (
    free_dead_slots,
    load_defs,
    lock_name,
    open_instance,
    prepare_home,
)
from adata_assets.retention import find_leftovers, remove_leftovers
from adata_assets.runs import Outcome, materialize
from adata_assets.share import require_share_store
from adata_assets.storage import Storage


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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.instance.dispose()

    def materialize(self, *, n_jobs: int, forced: str | None) -> list[Outcome]:
        """Bring the dataset up to date; report each run as it ends.

        One command at a time works on a dataset of an instance: a second one waits, then runs what is left.
        """
        chosen = self._select(forced)
        home, name = UPath(os.environ["DAGSTER_HOME"]), lock_name(self.graph.dataset_id)
        with locked(home, name=name, on_wait=self._say_waiting):
            free_dead_slots(self.instance, locked_id=self.graph.dataset_id)
            if not (chosen or find_stale(self.graph, self.storage, self.instance)):
                return []
            require_space(forecast(self.graph, self.storage), self.storage)
            return materialize(
                self.graph,
                self.storage,
                self.instance,
                forced=chosen,
                n_jobs=n_jobs,
                report=self._report,
            )

    def find_unfinished(self) -> list[str]:
        """Name what is not fresh after all, because somebody else is at work on the dataset."""
        stale = find_stale(self.graph, self.storage, self.instance)
        return [f"{self.graph.dataset_id}/{node.name}: {reason}" for node, reason in stale.items()]

    def collect_leftovers(self, *, delete: bool) -> Iterator[str]:
        """Yield what nothing names any more; remove it only when told to."""
        if not delete:
            yield from find_leftovers(self.graph, self.storage).lines()
            return
        home, name = UPath(os.environ["DAGSTER_HOME"]), lock_name(self.graph.dataset_id)
        with locked(home, name=name, on_wait=self._say_waiting):
            yield from remove_leftovers(self.graph, self.storage, self.instance).lines()

    def describe_plan(self) -> Iterator[str]:
        """Yield what would run and what there will be."""
        stale = find_stale(self.graph, self.storage, self.instance)
        yield from forecast(self.graph, self.storage).lines()
        if not stale:
            yield f"{self.graph.dataset_id} is up to date"
        for reason, stages in _by_reason(stale).items():
            yield f"would run ({reason}): {', '.join(stages)}"

    def describe_result(self) -> Iterator[str]:
        """Yield where the dataset is and how to open it."""
        found = self.storage.load(self.graph.dataset_id, "hf_splits")
        folder = self.storage.root / self.graph.dataset_id / "hf_splits"
        rows = ", ".join(f"{split} {n}" for split, n in found.metadata["n_rows"].items())
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
    found: dict[str, list[str]] = {}
    for node, reason in stale.items():
        found.setdefault(reason, []).append(node.name)
    return found
