"""``inspect`` and ``new``: what a raw file holds, and a dataset of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adata_assets.cli.output import (
    EXIT_FAILED,
    json_option,
    tell_errors,
    tell_json,
    tell_lines,
    tell_table,
)

if TYPE_CHECKING:
    from adata_assets.new_dataset import NewDataset
    from adata_assets.onboarding.columns import ColumnLook
    from adata_assets.onboarding.look import FileLook
    from adata_assets.spec import DatasetSpec

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


@click.command()
@click.argument("dataset_id")
@click.option("--source", required=True, help="h5ad file, zarr folder, or package:// address.")
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    help="Dagster project that gets the dataset; default ADATA_ASSETS_PROJECT, else the one that "
    "ships.",
)
@json_option
@tell_errors
def new(dataset_id: str, source: str, project: Path | None, as_json: bool) -> None:
    """Propose the YAML of a dataset from a look into its raw file, and write it.

    The YAML goes to defs/<DATASET_ID>/defs.yaml of the project and is loaded there; one that is
    there is never overwritten. It works as it is: read its comments, correct it, build it. Exit
    status 1: it was written, but the file has problems, which are named.

    \b
    Examples:
      adata-assets new pbmc3k --source pbmc3k_raw.h5ad
      adata-assets new lung --source /data/lung.h5ad --project ~/atlas
    """
    from adata_assets.new_dataset import add_dataset

    added = add_dataset(dataset_id, source, project=project)
    look = added.proposed.look
    problems = look.problems if look else ()
    if as_json:
        attributes = added.proposed.spec.model_dump(mode="json", exclude_unset=True)
        tell_json({"path": added.path, "problems": problems, "attributes": attributes})
    else:
        click.echo(f"wrote {added.path}")
        tell_lines(_say_proposed(added.proposed.spec, added.n_chunks))
        tell_lines(f"problem: {problem}" for problem in problems)
        tell_lines(_say_next(added))
    if problems:
        sys.exit(EXIT_FAILED)


def _say_proposed(spec: DatasetSpec, n_chunks: int) -> Iterator[str]:
    how = (
        "cells one by one"
        if spec.splits.split_by == "cell"
        else f"{spec.keys.group} by whole values"
    )
    shares = ", ".join(f"{name} {share:g}" for name, share in spec.splits.fractions.items())
    yield f"proposed: format {spec.format}, {n_chunks} chunks, splits {shares}, dealt {how}"


def _say_next(added: NewDataset) -> Iterator[str]:
    yield "next:"
    yield f"  read the comments in {added.path} and correct it"
    if added.project is not None:
        yield f"  export ADATA_ASSETS_PROJECT={added.project.absolute()}"
    yield f"  adata-assets plan {added.dataset_id}"
    yield f"  adata-assets materialize {added.dataset_id}"
    yield (
        "  or in the UI (make ui; Reload definitions when it is open): "
        f"asset {added.dataset_id}/source, Observe; the rest follows by itself"
    )


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
