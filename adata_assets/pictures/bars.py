"""Numbers of cells as bars: splits by cell type, chunks, outcomes; and histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from adata_assets.pictures.canvas import BLUE, GREY, SPLIT_COLOURS, draw, shorten

MAX_NAMED = 15
_N_BINS = 40
_INCHES_PER_BAR = 0.2
# More bars than this are thinner than a pixel.
_MAX_CHUNKS = 400
# Inside it would lie on the bars.
_OUTSIDE: dict[str, Any] = {
    "frameon": False,
    "loc": "upper left",
    "bbox_to_anchor": (1, 1),
}
_OTHERS, _UNKNOWN = "other cell types", "no cell type"


def draw_splits(labels: pd.Series, splits: pd.Series) -> bytes:
    """Return a PNG with one bar per cell type, its cells by split.

    Parameters
    ----------
    labels, splits
        Of the published cells; a missing label is told as such. The ``MAX_NAMED`` most frequent
        labels are named.
    """
    names = labels.astype(object).where(labels.notna(), _UNKNOWN).astype(str)
    counts = pd.crosstab(names, splits.astype(str))
    ranked = counts.sum(axis=1).drop(_UNKNOWN, errors="ignore").sort_values(kind="stable")[::-1]
    top, rest = list(ranked.index[:MAX_NAMED]), counts.loc[ranked.index[MAX_NAMED:]]
    if len(rest):
        counts.loc[_OTHERS] = rest.sum()
    rows = [name for name in (*top, _OTHERS, _UNKNOWN) if name in counts.index][::-1]
    counts = counts.loc[rows, [split for split in SPLIT_COLOURS if split in counts.columns]]

    def paint(panels: Sequence[Any]) -> None:
        left = np.zeros(len(rows))
        for split in counts.columns:
            n_obs = counts[split].to_numpy()
            label = f"{split} ({n_obs.sum():,})"
            panels[0].barh(
                range(len(rows)), n_obs, left=left, color=SPLIT_COLOURS[split], label=label
            )
            left += n_obs
        panels[0].set_yticks(range(len(rows)), [shorten(str(name)) for name in rows])
        panels[0].set(xlabel="cells", title="published cells by cell type and split")
        panels[0].legend(**_OUTSIDE)

    return draw(paint, inches=(6, max(2.0, 1 + _INCHES_PER_BAR * len(rows))))


def draw_chunks(n_obs: Sequence[int], splits: Sequence[str]) -> bytes:
    """Return a PNG with one bar per chunk, in order, in the colour of its split."""
    every = -(-len(n_obs) // _MAX_CHUNKS)

    def paint(panels: Sequence[Any]) -> None:
        places = np.arange(1, len(n_obs) + 1)[::every]
        heights, names = np.asarray(n_obs)[::every], np.asarray(splits)[::every]
        for split in dict.fromkeys(names):
            own = names == split
            colour = SPLIT_COLOURS.get(split, GREY)
            panels[0].bar(places[own], heights[own], width=0.9 * every, color=colour, label=split)
        panels[0].set(
            xlabel="chunk", ylabel="cells", title=f"cells in each of {len(n_obs):,} chunks"
        )
        panels[0].xaxis.get_major_locator().set_params(integer=True)
        panels[0].legend(**_OUTSIDE)

    return draw(paint)


def draw_outcomes(n_obs: Mapping[str, int]) -> bytes:
    """Return a PNG with one bar per outcome of raw cells, in the order given from top to bottom."""
    names, values = list(n_obs)[::-1], list(n_obs.values())[::-1]

    def paint(panels: Sequence[Any]) -> None:
        colours = [BLUE if name.startswith("published") else GREY for name in names]
        bars = panels[0].barh(range(len(names)), values, color=colours)
        panels[0].bar_label(bars, [f" {value:,}" for value in values])
        panels[0].set_yticks(range(len(names)), [shorten(name) for name in names])
        panels[0].set(xlabel="raw cells", title=f"where {sum(values):,} raw cells went")
        panels[0].margins(x=0.15)

    return draw(paint, inches=(6, max(1.6, 1 + _INCHES_PER_BAR * len(names))))


def draw_histogram(values: np.ndarray, *, title: str, label: str, counted: str) -> bytes:
    """Return a PNG with the histogram of whole numbers, its mean marked.

    Parameters
    ----------
    values
        int ``(n,)``, at least one.
    label, counted
        What the values are, and of what.
    """

    def paint(panels: Sequence[Any]) -> None:
        low, high = int(values.min()), int(values.max())
        width = max(1, -(-(high - low + 1) // _N_BINS))
        edges = np.arange(low, high + width + 1, width) - 0.5
        panels[0].hist(values, edges, color=BLUE)
        panels[0].axvline(values.mean(), color="black", lw=0.8, label=f"mean {values.mean():.4g}")
        panels[0].set(title=title, xlabel=label, ylabel=counted)
        panels[0].xaxis.get_major_locator().set_params(integer=True)
        panels[0].legend(frameon=False)

    return draw(paint)
