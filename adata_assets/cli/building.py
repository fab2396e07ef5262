"""``plan``, ``materialize`` and ``gc``: a dataset is brought up to date, and what is left over goes."""

from __future__ import annotations

import sys

import click

from adata_assets.cli.telling import EXIT_FAILED, tell_errors


@click.command()
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
@tell_errors
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


@click.command()
@click.argument("dataset_id")
@tell_errors
def plan(dataset_id: str) -> None:
    """Say what would run, and how many cells, chunks and bytes there will be."""
    from adata_assets.workplace import Workplace

    with Workplace.open(dataset_id, say=click.echo) as workplace:
        for line in workplace.describe_plan():
            click.echo(line)


@click.command()
@click.argument("dataset_id")
@click.option("--delete", is_flag=True, help="Remove what is listed.")
@tell_errors
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
