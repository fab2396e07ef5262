"""What ``plan`` says in words: short, whatever the number of chunks."""

from __future__ import annotations

from adata_assets.forecast import Forecast
from adata_assets.freshness import Node
from adata_assets.workplace import Plan

FORECAST = Forecast("cells", 60, True, {"train": 60}, {"train": 3}, 10, 5, 5)


def test_chunks_of_a_stage_are_told_together():
    stale = {
        Node("counts"): "missing",
        Node("cell_texts", "0001-of-0003"): "missing",
        Node("cell_texts", "0002-of-0003"): "missing",
        Node("share_links", "0002-of-0003"): "stale: chunk_files changed",
    }
    *_, missing, changed = Plan(FORECAST, stale).lines()
    assert missing == "would run (missing): counts, cell_texts (2 chunks)"
    assert changed == "would run (stale: chunk_files changed): share_links@0002-of-0003"


def test_nothing_to_run_is_said():
    assert list(Plan(FORECAST, {}).lines())[-1] == "cells is up to date"
