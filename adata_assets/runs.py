"""Bring a dataset up to date: which runs, in which order, in how many processes.

Belongs here: driving the same Dagster instance that the UI shows. What is stale is decided in
``freshness``.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import dagster as dg

from adata_assets.assets.stage import PROGRESS_LOGGER
from adata_assets.automation import COMMAND_TAG
from adata_assets.beta import ignore_beta_warnings
from adata_assets.dead_runs import end_dead_runs
from adata_assets.freshness import DatasetGraph, Node, find_stale
from adata_assets.processes import describe_process
from adata_assets.run_errors import message_of, read_step_error
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


def next_runs(graph: DatasetGraph, stale: Collection[Node], done: Collection[Node]) -> list[Run]:
    """Return the runs that can start now; none when everything is fresh or blocked.

    A node joins a run when each of its inputs is settled (fresh, and so is all upstream of it) or
    runs before it in the same run. So a node never runs twice, and never on inputs that are about
    to change. What has no partitions goes first; after it one run per chunk.

    Parameters
    ----------
    stale
        Nodes that are to run.
    done
        Nodes that ran already; those that are still stale block what is behind them.
    """
    unsettled: set[Node] = set()
    joined: dict[str | None, list[Node]] = {}
    for node in graph.nodes():
        together = joined.setdefault(node.partition_key, [])
        inputs = graph.inputs_of(node)
        if node in stale or any(given in unsettled for given in inputs):
            unsettled.add(node)
        ready = all(given not in unsettled or given in together for given in inputs)
        if node in stale and node not in done and ready:
            together.append(node)
    runs = [
        Run(graph.dataset_id, tuple(node.stage for node in nodes), key)
        for key, nodes in joined.items()
        if nodes
    ]
    return [run for run in runs if run.partition_key is None] or runs


def foresee(
    graph: DatasetGraph, stale: Collection[Node], forced: Collection[str] = ()
) -> tuple[int, int]:
    """Return how many nodes without and with partitions may run.

    At most: what is made again with an equal result leaves the nodes behind it fresh.
    """
    unsettled: set[Node] = set()
    for node in graph.nodes():
        is_asked = node in stale or node.stage in forced
        if is_asked or any(given in unsettled for given in graph.inputs_of(node)):
            unsettled.add(node)
    n_chunk = sum(node.partition_key is not None for node in unsettled)
    return len(unsettled) - n_chunk, n_chunk


def materialize(
    graph: DatasetGraph,
    storage: Storage,
    instance: dg.DagsterInstance,
    *,
    forced: Collection[str] = (),
    n_jobs: int = 1,
    report: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run everything that is missing, failed or stale, and what is forced; nothing else.

    A failed run does not stop the others; only what depends on it waits.

    Parameters
    ----------
    forced
        Stages to run even if they are fresh.
    n_jobs
        Chunks that run at the same time, each in a process of its own.
    report
        Called with every outcome as it comes.
    """
    outcomes: list[Outcome] = []
    done: set[Node] = set()
    while True:
        stale = set(find_stale(graph, storage, instance))
        stale |= {node for node in graph.nodes() if node.stage in forced and node not in done}
        runs = next_runs(graph, stale, done)
        if not runs:
            return outcomes
        for outcome in _execute_all(graph.defs, instance, runs, n_jobs):
            done |= {Node(stage, outcome.run.partition_key) for stage in outcome.run.stages}
            outcomes.append(outcome)
            report(outcome)


def execute(
    defs: dg.Definitions, instance: dg.DagsterInstance, run: Run, run_id: str | None = None
) -> Outcome:
    """Execute one run in this process; under an id of its own if none is given."""
    started = time.monotonic()
    job, run_id = defs.resolve_implicit_global_asset_job_def(), run_id or str(uuid.uuid4())
    # Named from the start: a run that is killed before its first step must be found as well.
    process = describe_process(run_id)
    result = job.execute_in_process(
        run_id=run_id,
        asset_selection=[dg.AssetKey([run.dataset_id, *stage.split("/")]) for stage in run.stages],
        partition_key=run.partition_key,
        instance=instance,
        run_config=_QUIET,
        # The next command goes on with what a killed one left, not the daemon.
        tags={COMMAND_TAG: "true", "dagster/max_retries": "0", **process},
        raise_on_error=False,
    )
    failed = [read_step_error(event) for event in result.all_events if event.is_step_failure]
    chunk = f" {run.partition_key}" if run.partition_key else ""
    errors = tuple(f"{step.asset}{chunk}: {step.message}" for step in failed)
    if not result.success and not errors:
        errors = tuple(
            f"{run.dataset_id}{chunk}: {message_of(event.job_failure_data.error)}"
            for event in result.all_events
            if event.is_job_failure
        )
    _release_memory()
    return Outcome(run, errors, time.monotonic() - started)


def _release_memory() -> None:
    # Runs of one process follow each other: what one of them freed would stay with the process,
    # in pieces too small for the next one. Only the GNU C library has malloc_trim.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _execute_all(
    defs: dg.Definitions, instance: dg.DagsterInstance, runs: Sequence[Run], n_jobs: int
) -> Iterator[Outcome]:
    if n_jobs == 1 or len(runs) == 1:
        yield from (execute(defs, instance, run) for run in runs)
        return
    left = list(runs)
    while left:
        broken: dict[str, Run] = {}
        started = time.monotonic()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(n_jobs, len(left)), mp_context=context) as pool:
            named = [(str(uuid.uuid4()), run) for run in left]
            running = {pool.submit(_execute_in_worker, run, id_): (id_, run) for id_, run in named}
            for future in as_completed(running):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    broken.update([running[future]])
        cut = _find_cut(instance, broken, time.monotonic() - started)
        yield from cut
        done = [outcome.run for outcome in cut]
        left = [run for run in broken.values() if run not in done]


def _find_cut(
    instance: dg.DagsterInstance, broken: Mapping[str, Run], seconds: float
) -> list[Outcome]:
    """Return what became of the runs at work when a process was killed, which ends the others too.

    What had not begun can still run. If nothing had, no process gets as far: all of it has failed.
    """
    if broken:
        end_dead_runs(instance)
    found = {run_id: instance.get_run_by_id(run_id) for run_id in broken}
    begun = {run_id: run for run_id, run in found.items() if run} or found
    return [
        Outcome(
            broken[run_id], () if run and run.is_success else (_killed(broken[run_id]),), seconds
        )
        for run_id, run in begun.items()
    ]


def _killed(run: Run) -> str:
    chunk = f" {run.partition_key}" if run.partition_key else ""
    return (
        f"{run.dataset_id}{chunk}: a process was killed, perhaps out of memory, and the runs beside "
        "it ended with it; materialize again, with fewer --jobs if memory is short"
    )


class _ToStderr(logging.Handler):
    # logging's own handler would keep the stream of the moment it was made.
    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"  {record.getMessage()}\n")


def show_progress() -> None:
    """Let what long steps say appear at the command, on stderr."""
    logger = logging.getLogger(PROGRESS_LOGGER)
    if not logger.handlers:
        logger.addHandler(_ToStderr())
        logger.setLevel(logging.INFO)
        logger.propagate = False


def _execute_in_worker(run: Run, run_id: str) -> Outcome:
    from adata_assets.definitions import defs

    ignore_beta_warnings()
    show_progress()
    with dg.DagsterInstance.get() as instance:
        return execute(defs(), instance, run, run_id)
