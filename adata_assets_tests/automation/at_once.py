"""Processes that execute one run each at the same moment, on the instance of ``DAGSTER_HOME``.

Run as a process of its own, because it forks: all of them then import Dagster once.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import warnings
from multiprocessing.synchronize import Barrier
from pathlib import Path

import dagster as dg

from adata_assets.runs import Run, execute
from adata_assets_tests.automation.story import imitate
from adata_assets_tests.datasets import Dataset, make_spec

N_RUNS = 16
STAGE = "cell_texts"
# Far above what it takes on an idle machine.
WAIT_S = 120


def execute_one(defs: dg.Definitions, partition_key: str) -> None:
    """Execute the run of one chunk; exit with what failed."""
    with dg.DagsterInstance.get() as instance:
        outcome = execute(defs, instance, Run("cells", (STAGE,), partition_key))
    sys.exit("\n".join(outcome.errors) or 0)


def execute_all(folder: Path) -> list[int | None]:
    """Execute the runs of all chunks at once; return the exit statuses.

    The asset of each run waits for that of every other: so they do run at the same time.
    """
    context = multiprocessing.get_context("fork")
    all_there = context.Barrier(N_RUNS)
    spec = make_spec("x.h5ad", chunks={"count": N_RUNS}, embedders=())
    graph = Dataset.make(spec, folder).graph
    defs = imitate(graph.defs, lambda asset: _wait(all_there))
    # Once, for all of them.
    defs.resolve_implicit_global_asset_job_def()
    started = [context.Process(target=execute_one, args=(defs, key)) for key in graph.chunk_keys]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]


def _wait(all_there: Barrier) -> None:
    all_there.wait(WAIT_S)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        sys.exit(int(any(execute_all(Path(name)))))
