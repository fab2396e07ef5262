"""``inspect``: what a raw file holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from adata_assets.cli.telling import (
    EXIT_FAILED,
    json_option,
    tell_errors,
    tell_json,
    tell_lines,
    tell_table,
)

if TYPE_CHECKING:
    from adata_assets.onboarding.columns import ColumnLook
    from adata_assets.onboarding.look import FileLook

_N_SHOWN = 3


@click.command()
@click.argument("file")
@json_option
@tell_errors
def inspect(file: str, as_json: bool) -> None:
    """Look into an h5ad file or zarr folder: counts, genes, obs columns, obsm.

    FILE is a path or package://<package>/<file>. obs and var are read whole; of each matrix the
    header and the first 200,000 values, so a matrix that holds no counts further down is found out
    by materialize only. Exit status 1: a dataset of this file would stop, the problems are named.

    \b
    Examples:
      adata-assets inspect cells.h5ad
      adata-assets inspect cells.h5ad --json | jq '.columns[].name'
      adata-assets inspect package://scanpy/datasets/10x_pbmc68k_reduced.h5ad
    """
    from adata_assets.onboarding.look import look_at_source

    look = look_at_source(file)
    if as_json:
        tell_json(look.to_json())
    else:
        tell_lines(_describe(look))
        tell_table(
            ("obs column", "kind", "distinct", "missing", "values", "looks like"), _rows(look)
        )
        tell_lines(f"problem: {problem}" for problem in look.problems)
        tell_lines(f"note: {warning}" for warning in look.warnings)
    if look.problems:
        sys.exit(EXIT_FAILED)


def _describe(look: FileLook) -> Iterator[str]:
    yield f"{look.path}: {look.n_obs:,} cells × {look.n_vars:,} features, {look.n_bytes / 1e6:,.1f} MB"
    for matrix in look.matrices:
        yield f"matrix {matrix.slot}: {matrix.n_obs:,} × {matrix.n_vars:,} {matrix.encoding} {matrix.dtype}"
    yield f"counts: {look.say_counts()}"
    yield f"genes: {look.say_genes()}"
    shapes = (f"{key} {' × '.join(map(str, shape))}" for key, shape in look.obsm.items())
    yield f"obsm: {', '.join(shapes) or 'nothing'}"


def _rows(look: FileLook) -> Iterator[tuple[str, ...]]:
    roles = {name: role.replace("_", " ") for role, name in look.roles.items() if name}
    for column in look.columns:
        numbers = f"{column.n_distinct:,}", f"{column.n_missing:,}"
        role = roles.get(column.name, "")
        yield column.name, column.kind, *numbers, _say_values(column), role


def _say_values(column: ColumnLook) -> str:
    if column.identifier:
        return "(not shown)"
    if column.value_range:
        return " … ".join(f"{end:g}" for end in column.value_range)
    shown = ", ".join(f"{value[:40]} ({n:,})" for value, n in column.levels[:_N_SHOWN])
    more = column.n_distinct - _N_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
