"""``adata-assets``: the command. Each subcommand gets, calls, prints.

Exit status: 0 done, 1 something failed to materialize or a release has findings, 2 the input cannot
be used.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from adata_assets.errors import InputError
from adata_assets.release_cli import lint, retract, verify

EXIT_FAILED, EXIT_INPUT = 1, 2


def _tell_input_errors(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def told(*args: Any, **options: Any) -> None:
        # What Dagster marks as beta is pinned here; the user cannot act on it.
        warnings.filterwarnings("ignore", message=".*is currently in (beta|preview).*")
        try:
            command(*args, **options)
        except InputError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(EXIT_INPUT)
        except RuntimeError as error:
            # Imported now: the command's help is to come at once.
            from adata_assets.share.contract import ShareError

            if not isinstance(error, ShareError):
                raise
            click.echo(f"failed: {error}", err=True)
            sys.exit(EXIT_FAILED)

    return told


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Raw single-cell h5ad files in, published Hugging Face datasets out.

    \b
    Examples:
      adata-assets plan pbmc68k
      adata-assets materialize pbmc68k --jobs 2
      adata-assets serve
      adata-assets verify lab/pbmc68k --level sample
    """


@main.command()
@click.argument("dataset_id")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Chunks at once."
)
@click.option(
    "--force",
    "forced",
    is_flag=False,
    flag_value="*",
    metavar="[STAGES]",
    help="Run fresh stages too: all of them, or a comma-separated selection.",
)
@_tell_input_errors
def materialize(dataset_id: str, jobs: int, forced: str | None) -> None:
    """Bring a dataset up to date: run what is missing, failed or stale, and nothing else."""
    from adata_assets.runs import show_progress
    from adata_assets.workplace import Workplace

    show_progress()
    with Workplace.open(dataset_id, say=click.echo) as workplace:
        outcomes = workplace.materialize(n_jobs=jobs, forced=forced)
        errors = [error for outcome in outcomes for error in outcome.errors]
        _fail_with([f"failed: {error}" for error in errors])
        _fail_with([f"not finished: {what}" for what in workplace.find_unfinished()])
        if not outcomes:
            click.echo(f"{dataset_id} is up to date: nothing to do.")
        for line in workplace.describe_result():
            click.echo(line)


def _fail_with(lines: list[str]) -> None:
    for line in lines:
        click.echo(line, err=True)
    if lines:
        sys.exit(EXIT_FAILED)


@main.command()
@click.argument("dataset_id")
@_tell_input_errors
def plan(dataset_id: str) -> None:
    """Say what would run, and how many cells, chunks and bytes there will be."""
    from adata_assets.workplace import Workplace

    with Workplace.open(dataset_id, say=click.echo) as workplace:
        for line in workplace.describe_plan():
            click.echo(line)


@main.command()
@click.argument("dataset_id")
@click.option("--delete", is_flag=True, help="Remove what is listed.")
@_tell_input_errors
def gc(dataset_id: str, delete: bool) -> None:
    """List what nothing names any more: shared files, unfinished uploads, stored old chunks.

    Nothing is removed without --delete. What the current splits or a release name stays.
    """
    from adata_assets.workplace import Workplace

    with Workplace.open(dataset_id, say=click.echo) as workplace:
        lines = list(workplace.collect_leftovers(delete=delete))
        for line in lines:
            click.echo(f"{'removed' if delete else 'would remove'} {line}")
        if not lines:
            click.echo(f"{dataset_id}: nothing is left over.")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535))
@_tell_input_errors
def serve(host: str, port: int) -> None:
    """Serve the files of the local share store, so that links of the datasets work."""
    from adata_assets.instance import prepare_home
    from adata_assets.share.serve import serve as serve_files
    from adata_assets.storage import Storage

    root = Storage.from_environment(prepare_home()).root
    click.echo(f"serving the shared files of {root} at http://{host}:{port} (stop with Ctrl-C)")
    serve_files(Path(root.path), host=host, port=port)


@main.command()
@_tell_input_errors
def home() -> None:
    """Print the Dagster home that the command and the UI share; make it if there is none."""
    from adata_assets.instance import prepare_home

    click.echo(prepare_home())


for _command in (lint, verify, retract):
    main.add_command(_command)

if __name__ == "__main__":
    main()
