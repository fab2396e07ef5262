"""``plan``, ``materialize`` and ``gc``: a dataset is brought up to date, and what is left over goes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from adata_assets.cli.output import (
    EXIT_FAILED,
    json_option,
    say_aside,
    tell_errors,
    tell_json,
    tell_lines,
)
from adata_assets.cli.progress import Progress

if TYPE_CHECKING:
    from adata_assets.workplace import Workplace


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
@json_option
@tell_errors
def materialize(dataset_id: str, jobs: int, forced: str | None, as_json: bool) -> None:
    """Bring a dataset up to date: run what is missing, failed or stale, and nothing else.

    A failed chunk does not stop the others; called again, only what is left runs. On a terminal a
    bar says how far it is.

    \b
    Examples:
      adata-assets materialize pbmc68k
      adata-assets materialize pbmc68k --jobs 2
      adata-assets materialize pbmc68k --force cell_texts,hf_splits
      adata-assets materialize pbmc68k --json > result.json
    """
    from adata_assets.runs import show_progress
    from adata_assets.workplace import Workplace

    show_progress()
    say = say_aside if as_json else click.echo
    progress = Progress(dataset_id, n_jobs=jobs)
    with Workplace.open(dataset_id, say=say) as workplace:
        with progress:
            outcomes = workplace.materialize(
                n_jobs=jobs, forced=forced, on_begin=progress.begin, on_end=progress.end
            )
        errors = [error for outcome in outcomes for error in outcome.errors]
        unfinished = [] if errors else workplace.find_unfinished()
        if as_json:
            runs = [{**vars(o.run), "seconds": o.seconds, "errors": o.errors} for o in outcomes]
            tell_json(_result_of(workplace, runs, errors, unfinished))
        tell_lines((f"failed: {error}" for error in errors), err=True)
        tell_lines((f"not finished: {what}" for what in unfinished), err=True)
        if errors or unfinished:
            sys.exit(EXIT_FAILED)
        if not outcomes:
            say(f"{dataset_id} is up to date: nothing to do.")
        tell_lines(() if as_json else workplace.describe_result())


def _result_of(
    workplace: Workplace, runs: list[Any], errors: list[str], unfinished: list[str]
) -> dict[str, Any]:
    is_done = not errors and not unfinished
    told = {"dataset_id": workplace.graph.dataset_id, "is_fresh": is_done, "runs": runs}
    made = workplace.find_result() if is_done else {"folder": None, "n_rows": None}
    return {**told, "errors": errors, "unfinished": unfinished, **made}


@click.command()
@click.argument("dataset_id")
@json_option
@tell_errors
def plan(dataset_id: str, as_json: bool) -> None:
    """Say what would run, and how many cells, chunks and bytes there will be.

    \b
    Examples:
      adata-assets plan pbmc68k
      adata-assets plan pbmc68k --json | jq '.would_run[].stage'
    """
    from adata_assets.workplace import Workplace

    with Workplace.open(dataset_id, say=say_aside if as_json else click.echo) as workplace:
        found = workplace.plan()
        if as_json:
            tell_json(found.to_json())
        else:
            tell_lines(found.lines())


@click.command()
@click.argument("dataset_id")
@click.option("--delete", is_flag=True, help="Remove what is listed.")
@json_option
@tell_errors
def gc(dataset_id: str, delete: bool, as_json: bool) -> None:
    """List what nothing names any more: shared files, unfinished uploads, stored old chunks.

    Nothing is removed without --delete. What the current splits or a release name stays.

    \b
    Examples:
      adata-assets gc pbmc68k
      adata-assets gc pbmc68k --delete
    """
    from adata_assets.workplace import Workplace

    with Workplace.open(dataset_id, say=say_aside if as_json else click.echo) as workplace:
        found = workplace.collect_leftovers(delete=delete)
        if as_json:
            tell_json({"dataset_id": dataset_id, "removed": delete, **asdict(found)})
            return
        lines = list(found.lines())
        tell_lines(f"{'removed' if delete else 'would remove'} {line}" for line in lines)
        if not lines:
            click.echo(f"{dataset_id}: nothing is left over.")
