"""Which process executes a run, and whether it still lives.

Belongs here: looking at processes of this machine. What follows when one is gone is decided in
``dead_runs``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import psutil

PID = "adata_assets/pid"
# A pid is used again after its process ended: only both together name one.
START = "adata_assets/process_start"
HOST = "adata_assets/host"
# Dagster copies the tags of a run to its retry, which another process executes.
RUN = "adata_assets/process_of_run"


def describe_process(run_id: str, pid: int | None = None) -> dict[str, str]:
    """Return the tags that name a process, None: this one, as the one that executes a run.

    Raises
    ------
    psutil.NoSuchProcess
        If it has ended and its parent has seen that.

    Examples
    --------
    >>> sorted(describe_process("one"))[0]
    'adata_assets/host'
    """
    process = psutil.Process(pid or os.getpid())
    return {
        PID: str(process.pid),
        START: _start_of(process),
        HOST: socket.gethostname(),
        RUN: run_id,
    }


def is_gone(tags: Mapping[str, str], run_id: str) -> bool:
    """Whether the process that a run's tags name is no more.

    Nothing is known, and False returned, of a run of another host, and of one that names no process
    yet.

    Examples
    --------
    >>> is_gone(describe_process("one"), "one"), is_gone({}, "one")
    (False, False)
    """
    return _is_here(tags, run_id) and find_process(tags, run_id) is None


def find_process(tags: Mapping[str, str], run_id: str) -> psutil.Process | None:
    """Return the living process of this host that a run's tags name; None if there is none.

    Examples
    --------
    >>> find_process(describe_process("one"), "one").pid == os.getpid()
    True
    """
    if not _is_here(tags, run_id):
        return None
    try:
        process = psutil.Process(int(tags[PID]))
        # A killed child stays in the list until its parent looks.
        is_dead = process.status() == psutil.STATUS_ZOMBIE or _start_of(process) != tags[START]
    except psutil.NoSuchProcess:
        return None
    return None if is_dead else process


def _is_here(tags: Mapping[str, str], run_id: str) -> bool:
    return tags.get(RUN) == run_id and tags.get(HOST) == socket.gethostname()


def _start_of(process: psutil.Process) -> str:
    # Of the clock's time both change when the clock is set; their difference does not.
    return f"{process.create_time() - psutil.boot_time():.2f} s after boot"
