"""What all subcommands share: exit codes, errors in one line, JSON, tables.

Belongs here: how something is told. What is told is the matter of each subcommand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import click

from adata_assets.beta import ignore_beta_warnings
from adata_assets.errors import InputError

EXIT_FAILED, EXIT_INPUT = 1, 2

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout instead of words."
)


def tell_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Let a subcommand end with one line and an exit code where it cannot do what it is asked."""

    @wraps(command)
    def told(*args: Any, **options: Any) -> None:
        ignore_beta_warnings()
        try:
            command(*args, **options)
        except InputError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(EXIT_INPUT)
        except RuntimeError as error:
            # Imported now: the command's help is to come at once.
            from adata_assets.hub.hub_repository import PublishError
            from adata_assets.share.contract import ShareError

            if isinstance(error, PublishError):
                click.echo(f"error: {error}", err=True)
                sys.exit(EXIT_INPUT)
            if not isinstance(error, ShareError):
                raise
            click.echo(f"failed: {error}", err=True)
            sys.exit(EXIT_FAILED)

    return told


def say_aside(line: str) -> None:
    """Print a line to stderr: what is no result, so that stdout stays JSON."""
    click.echo(line, err=True)


def tell_json(facts: Any) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(facts, indent=1, default=str))


def tell_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line, err=err)


def tell_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table that fits the terminal; in a pipe it is 120 characters wide."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with console.capture() as printed:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()).rstrip())
