"""Two datasets by clicking, on a fresh instance: make all, mend a chunk, look at what is there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from adata_assets_tests.sockets import free_port
from adata_assets_tests.ui import pages, questions
from adata_assets_tests.ui.browser import (
    HOW_TO_INSTALL,
    MATERIALIZE_S,
    find_chromium,
    open_page,
    running_dagster,
)
from adata_assets_tests.ui.two_datasets import CHUNKS, write_project

FAILING = "cell_texts"
CHROMIUM = find_chromium()


@pytest.mark.skipif(CHROMIUM is None, reason=HOW_TO_INSTALL)
def test_two_datasets_by_clicking(tmp_path):
    project, storage = write_project(tmp_path), tmp_path / "storage"
    # Where the folder of the chunk is to be lies a file.
    obstacle = storage / "cells" / FAILING / CHUNKS[1]
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()
    with (
        running_dagster(tmp_path, free_port(), project) as dagster,
        open_page(CHROMIUM or "") as page,
    ):
        pages.see_lineages(page, dagster, ["cells", "pbmc68k"])
        pages.leave(page)
        dagster.wait(lambda: questions.has_ticked(dagster), "automated", MATERIALIZE_S)
        # Dagster looks at a backfill twice a minute: the other dataset's story is told meanwhile.
        pages.observe_source(page, dagster, "cells")
        pages.materialize_all(page, dagster, "pbmc68k")
        pages.leave(page)
        mend_a_chunk(page, dagster, obstacle)
        pages.see_columns_and_plots(page, dagster)
        pages.see_pictures(page, dagster)
        pages.see_a_tick(page, dagster, "refresh_links_cells")
        pages.leave(page)
        # Not the backfill's own end: Dagster would look at it once more, half a minute later.
        dagster.wait(lambda: questions.is_made(dagster, "pbmc68k"), "materialized", MATERIALIZE_S)
        questions.require_green(dagster, "pbmc68k", n_assets=15, n_chunks=4)
        runs = questions.find_runs(dagster, "pbmc68k")
        assert {run.status for run in runs} == {"SUCCESS"}
        assert all("dagster/backfill" in run.tags for run in runs)
        pages.see_checks(page, dagster, questions.latest_partition(dagster, pages.EMBEDDING))
        pages.see_scorecard(page, dagster)
    require_loads(storage / "pbmc68k" / "hf_splits", n_rows=700)
    require_loads(storage / "cells" / "hf_splits", n_rows=80)


def mend_a_chunk(page, dagster, obstacle) -> None:
    """One chunk is red and says why; made again alone it is green, and the splits follow."""
    dagster.wait(lambda: questions.find_failed(dagster, "cells"), "failed", MATERIALIZE_S)
    dagster.wait(lambda: questions.is_idle(dagster, "cells"), "idle", MATERIALIZE_S)
    (failed,) = questions.find_failed(dagster, "cells")
    assert failed.partition_key == CHUNKS[1]
    pages.read_error(page, dagster, failed.run_id, f"cannot write to {obstacle}")
    pages.open_partition(page, dagster, f"cells/{FAILING}", CHUNKS[1])
    expect(page.get_by_text("Failed (1)")).to_be_visible(timeout=pages.CLICK_MS)
    assert not questions.made(dagster, "cells/hf_splits"), "a chunk is missing"
    obstacle.unlink()
    pages.launch_chosen_partition(page)
    pages.leave(page)
    dagster.wait(lambda: questions.is_made(dagster, "cells"), "followed", MATERIALIZE_S)
    pages.open_partition(page, dagster, f"cells/{FAILING}", CHUNKS[1])
    expect(page.get_by_text("Failed (0)")).to_be_visible(timeout=pages.CLICK_MS)
    questions.require_green(dagster, "cells", n_assets=13, n_chunks=2)
    assert questions.find_failed(dagster, "cells") == [failed]
    last = next(r for r in questions.find_runs(dagster, "cells") if "hf_splits" in r.stages)
    assert "dagster/from_automation_condition" in last.tags


def require_loads(folder, n_rows: int) -> None:
    from datasets import load_dataset

    assert sum(split.num_rows for split in load_dataset(str(folder)).values()) == n_rows
