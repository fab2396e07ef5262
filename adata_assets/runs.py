"""Bring a dataset up to date: which runs, in which order, in how many processes.

Belongs here: driving the same Dagster instance that the UI shows. What is stale is decided in
``freshness``.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

import dagster as dg

from adata_assets.freshness import DatasetGraph, Node, find_stale
from adata_assets.storage import Storage

# Dagster's own log lines would bury the progress; errors are told at the end.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Run:
    """One Dagster run: some stages, of one partition or of none."""

    dataset_id: str
    stages: tuple[str, ...]
    partition_key: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes
    ----------
    errors
        ``<asset> [partition]: message`` of each failed step; empty for a success.
    """

    run: Run
    errors: tuple[str, ...]
    seconds: float


class Materializer:
    """Runs what is stale, wave by wave, until nothing is.

    Parameters
    ----------
    load_defs
        Returns the definitions; called once per process.
    n_jobs
        Number of chunks that run at the same time, each in a process of its own.
    report
        Called with every outcome.
    """

    def __init__(
        self,
        graph: DatasetGraph,
        storage: Storage,
        instance: dg.DagsterInstance,
        *,
        n_jobs: int,
        report: Callable[[Outcome], None],
    ) -> None:
        self.graph, self.storage, self.instance = graph, storage, instance
        self.n_jobs, self.report = n_jobs, report

    def bring_up_to_date(self, *, forced: Iterable[str] = ()) -> list[Outcome]:
        """Run everything that is missing, failed or stale, and what is forced; nothing else.

        A failed run does not stop the others; what depends on it waits. Returns all outcomes.
        """
        outcomes: list[Outcome] = []
        broken: set[Node] = set()
        done: set[Node] = set()
        force = set(forced)
        while True:
            stale = find_stale(self.graph, self.storage, self.instance)
            asked = [n for n in self.graph.nodes() if n in stale or n.stage in force]
            wave = self._next_wave([n for n in asked if n not in done], broken)
            if not wave:
                return outcomes
            for outcome in self._execute(wave):
                outcomes.append(outcome)
                self.report(outcome)
                nodes = {Node(s, outcome.run.partition_key) for s in outcome.run.stages}
                done |= nodes
                broken |= nodes if outcome.errors else set()
            force -= {node.stage for node in done if all(
                n in done for n in self.graph.nodes() if n.stage == node.stage)}

    def _next_wave(self, wanted: Sequence[Node], broken: set[Node]) -> list[Run]:
        """Return the next runs: first what has no partitions and waits for none, then chunks."""
        waiting = set(wanted)
        ready: list[Node] = []
        blocked = set(broken)
        for node in self.graph.nodes():
            inputs = self.graph.inputs_of(node)
            if any(given in blocked for given in inputs):
                blocked.add(node)
            elif node in waiting:
                ready.append(node)
        return self._group(ready, waiting)

    def _group(self, ready: list[Node], waiting: set[Node]) -> list[Run]:
        head = [n for n in ready if n.partition_key is None and not self._awaits_chunks(n, waiting)]
        if head := self._runnable_together(head, waiting):
            return [Run(self.graph.dataset_id, tuple(n.stage for n in head))]
        runs = []
        for key in self.graph.chunk_keys:
            own = [n for n in ready if n.partition_key == key]
            if own := self._runnable_together(own, waiting):
                runs.append(Run(self.graph.dataset_id, tuple(n.stage for n in own), key))
        return runs

    def _awaits_chunks(self, node: Node, waiting: set[Node]) -> bool:
        return any(n.partition_key is not None and n in waiting for n in self._ancestors(node))

    def _runnable_together(self, nodes: list[Node], waiting: set[Node]) -> list[Node]:
        """Keep nodes whose stale ancestors are all in the same run or none.

        A node behind a fresh one that stands behind a stale one must wait: the fresh one may turn
        stale, and the node would run twice.
        """
        chosen: list[Node] = []
        for node in nodes:
            stale = [n for n in self._ancestors(node) if n in waiting]
            direct = set(self.graph.inputs_of(node))
            if all(n in chosen and (n in direct or self._reached_by(n, node, chosen)) for n in stale):
                chosen.append(node)
        return chosen

    def _reached_by(self, ancestor: Node, node: Node, chosen: list[Node]) -> bool:
        between = [n for n in self._ancestors(node) if ancestor in self._ancestors(n)]
        return all(n in chosen for n in between)

    def _ancestors(self, node: Node) -> list[Node]:
        found: dict[Node, None] = {}
        todo = self.graph.inputs_of(node)
        while todo:
            given = todo.pop()
            if given not in found:
                found[given] = None
                todo += self.graph.inputs_of(given)
        return list(found)
