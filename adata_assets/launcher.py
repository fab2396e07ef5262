"""Runs begin as a fork of a process that has its libraries loaded.

Dagster's own launcher starts an interpreter for every run, which imports for seconds before the run
does anything; a refresh is several runs after each other. Belongs here: how the process of a run
that Dagster's daemon hands out begins and is stopped. Which process that is, is in ``processes``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import signal
import sys
from typing import TYPE_CHECKING

import dagster as dg
import psutil
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
)
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from adata_assets.processes import HOST, describe_process, find_process

if TYPE_CHECKING:
    from dagster._core.launcher import LaunchRunContext

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["adata_assets.preloaded"])

_NOT_FORKED = (
    "the process that runs are forked from does not answer ({}): see the log of the daemon for why "
    "it ended; start the run again"
)
_ENDED_AT_ONCE = (
    "process {} ended before it began the run: see the log of the daemon for what it said; "
    "start the run again"
)
_NOT_STOPPED = (
    "Not stopped: no process of this host was launched for this run and is still alive. A run of "
    "the command is stopped with Ctrl-C there{}; one whose process is gone is marked by dead_runs."
)


class ForkingRunLauncher(DefaultRunLauncher):
    """Fork the process of a run from one that has imported what every run imports.

    The process is that of ``dagster api execute_run``, as with every launcher of Dagster's; only
    how it begins differs. Runs of a code server on another machine, or in another Python, are left
    to that server.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process and write into the run's tags which one it is, for ``dead_runs``.

        Raises
        ------
        DagsterLaunchFailedError
            If there is none, or it ended at once; the daemon marks the run as failed.
        """
        run = context.dagster_run
        if not _runs_here(run):
            super().launch_run(context)
            return
        assert run.job_code_origin is not None
        arguments = ExecuteRunArgs(
            job_origin=run.job_code_origin, run_id=run.run_id, instance_ref=self._instance.get_ref()
        )
        tags = _fork(run.run_id, serialize_value(arguments))
        self._instance.add_run_tags(run.run_id, tags)
        self._run_ids.add(run.run_id)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the process of a run as Ctrl-C does; return whether there was one."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        # Only what was launched: the process of a command is its own, and may do more than this run.
        process = find_process(run.tags, run_id) if run.job_code_origin else None
        if process is None and GRPC_INFO_TAG in run.tags:
            return bool(super().terminate(run_id))
        if process is None:
            host = f", on {run.tags[HOST]}" if HOST in run.tags else ""
            self._instance.report_engine_event(_NOT_STOPPED.format(host), run, cls=type(self))
            return False
        self._instance.report_run_canceling(run)
        # It may end by itself in this moment.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
        return True


def _runs_here(run: dg.DagsterRun) -> bool:
    remote, code = run.remote_job_origin, run.job_code_origin
    if remote is None or code is None or code.repository_origin.executable_path != sys.executable:
        return False
    server = remote.repository_origin.code_location_origin
    if isinstance(server, GrpcServerCodeLocationOrigin):
        return server.socket is not None
    return isinstance(server, ManagedGrpcPythonEnvCodeLocationOrigin)


def _fork(run_id: str, arguments: str) -> dict[str, str]:
    process = _FORKS.Process(target=_execute_run, args=[arguments])
    try:
        process.start()
    except (OSError, EOFError) as error:
        raise DagsterLaunchFailedError(_NOT_FORKED.format(type(error).__name__)) from error
    # At its exit Python waits for each process that is known here, however long its run takes.
    multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]
    try:
        return describe_process(run_id, process.pid)
    except psutil.NoSuchProcess as error:
        raise DagsterLaunchFailedError(_ENDED_AT_ONCE.format(process.pid)) from error


def _execute_run(arguments: str) -> None:
    from dagster._cli.api import execute_run_command

    execute_run_command.main([arguments], standalone_mode=False)
