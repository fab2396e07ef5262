"""The command in a process that a test can kill, begun without the seconds that imports take.

Processes are forked from a server that has imported everything: a kill then hits the work.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from adata_assets.cli import main

FROM_HERE = ("DAGSTER_HOME", "ADATA_ASSETS_PROJECT", "ADATA_ASSETS_STORAGE", "ADATA_ASSETS_SCRATCH")
# Whatever the command imports when it needs it.
_IMPORTED = (
    "adata_assets.workplace",
    "adata_assets.definitions",
    "adata_assets.chunk.files",
    "adata_assets.hub.splits",
    "adata_assets.scorecard.measure",
    "adata_assets.share.base.readback",
    "adata_assets.text.chunk_texts",
    "anndata",
    "sklearn.neighbors",
    "pyarrow.parquet",
    "matplotlib.pyplot",
)


def start_command(*arguments: str, log: Path) -> BaseProcess:
    """Start ``adata-assets`` with the environment of this moment; it writes to ``log``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED])
    environment = {name: os.environ[name] for name in FROM_HERE}
    process = context.Process(target=_run, args=(arguments, environment, str(log)))
    process.start()
    return process


def _run(arguments: tuple[str, ...], environment: dict[str, str], log: str) -> None:
    os.environ.update(environment)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(handle, stream)
    sys.argv = ["adata-assets", *arguments]
    main(arguments)
