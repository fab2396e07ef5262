"""Pictures are small, the same every time, and drawn of whatever the data are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.pictures.bars import draw_chunks, draw_histogram, draw_outcomes, draw_splits
from adata_assets.pictures.quality import draw_quality

MAX_BYTES = 60_000
RNG = np.random.default_rng(0)
LARGE = {
    "quality": lambda: draw_quality(
        {"log10 counts": RNG_VALUES, "% mitochondrial": RNG_VALUES / 9e3}, RNG_VALUES > 500
    ),
    "splits": lambda: draw_splits(
        pd.Series([f"$type_{i % 40} {'x' * 40}" if i % 7 else None for i in range(4000)]),
        pd.Series(["train", "validation", "test", "train"] * 1000),
    ),
    "chunks": lambda: draw_chunks(range(1, 1301), ["train"] * 1000 + ["test"] * 300),
    "outcomes": lambda: draw_outcomes({f"removed: rule {i}": i * 9999 for i in range(25)}),
    "histogram": lambda: draw_histogram(
        RNG_VALUES.astype(int), title="genes", label="genes", counted="cells"
    ),
}
RNG_VALUES = RNG.lognormal(7, 1, 4000)


@pytest.mark.parametrize("name", LARGE)
def test_large_ones_are_small_files_and_the_same_twice(name):
    drawn = LARGE[name]()
    assert drawn.startswith(b"\x89PNG")
    assert len(drawn) < MAX_BYTES
    assert drawn == LARGE[name]()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_quality(
            {"log10 genes": np.zeros(3), "% x": np.full(3, np.nan)}, np.ones(3, bool)
        ),
        lambda: draw_quality({"log10 counts": np.array([5.0])}, np.zeros(1, bool)),
        lambda: draw_splits(pd.Series([None, None]), pd.Series(["test", "test"])),
        lambda: draw_splits(pd.Series(["细胞"]).astype("category"), pd.Series(["train"])),
        lambda: draw_chunks([1], ["test"]),
        lambda: draw_outcomes({"published: train": 0}),
        lambda: draw_histogram(np.array([7]), title="$", label="", counted=""),
    ],
)
def test_strange_data_are_drawn(draw):
    assert draw().startswith(b"\x89PNG")
