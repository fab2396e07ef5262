"""``status``: what is fresh, stale, failed or missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from adata_assets.cli.output import (
    EXIT_FAILED,
    json_option,
    say_aside,
    tell_errors,
    tell_json,
    tell_lines,
    tell_table,
)

if TYPE_CHECKING:
    from adata_assets.status import DatasetStatus, NodeStatus

_N_CHUNKS_SHOWN = 3


@click.command()
@click.argument("dataset_id", required=False)
@json_option
@tell_errors
def status(dataset_id: str | None, as_json: bool) -> None:
    """Say of each stage and chunk whether it is fresh, stale, failed or missing, and why.

    Without DATASET_ID all datasets are told. Of a failure the error's first line and the run's id
    are shown; the UI has the rest. Sources are looked at, nothing is run. Exit status 0: all is
    fresh; 1: something is not.

    \b
    Examples:
      adata-assets status
      adata-assets status pbmc68k
      adata-assets status pbmc68k --json | jq '.datasets[].nodes[] | select(.state == "failed")'
    """
    from adata_assets.workplace import Workplace

    with Workplace.open_all(dataset_id, say=say_aside) as workplaces:
        found = [workplace.find_status() for workplace in workplaces]
    if as_json:
        tell_json({"datasets": [dataset.to_json() for dataset in found]})
    else:
        for dataset in found:
            tell_lines([_sum_up(dataset)])
            tell_table(("stage", "chunks", "state", "why", "run"), _rows(dataset))
    if not all(dataset.is_fresh for dataset in found):
        sys.exit(EXIT_FAILED)


def _sum_up(dataset: DatasetStatus) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in dataset.count().items() if n)
    return f"{dataset.dataset_id}: {counts}"


def _rows(dataset: DatasetStatus) -> Iterator[tuple[str, ...]]:
    by_stage: dict[str, list[NodeStatus]] = {}
    for node in dataset.nodes:
        by_stage.setdefault(node.stage, []).append(node)
    for stage, nodes in by_stage.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for node in nodes:
            told: tuple[str, ...] = (node.state, node.reason, (node.run_id or "")[:8])
            alike.setdefault(told, []).append(node.partition_key or "")
        for number, (same, chunks) in enumerate(alike.items()):
            yield (stage if number == 0 else "", _say_chunks(chunks, len(nodes)), *same)


def _say_chunks(chunks: list[str], n_all: int) -> str:
    if len(chunks) == n_all:
        return "" if chunks == [""] else f"all {n_all}"
    more = len(chunks) - _N_CHUNKS_SHOWN
    return ", ".join(chunks[:_N_CHUNKS_SHOWN]) + (f" and {more} more" if more > 0 else "")
