"""Cells before and after cleaning: violins of counts, genes and mitochondrial share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adata_assets.pictures.canvas import BLUE, GREY, draw

_MIN_BINS, _MAX_BINS = 12, 60
# Weights of neighbouring bins: a histogram of counts is ragged where they are few.
_SMOOTH = np.array([1, 2, 3, 2, 1]) / 9


def draw_quality(metrics: Mapping[str, np.ndarray], is_kept: np.ndarray) -> bytes:
    """Return a PNG with one panel per metric: all raw cells on the left, published ones right.

    Parameters
    ----------
    metrics
        Label to values ``(n_obs,)``; missing ones are left out. A label that begins with ``log10``
        stands for a logarithmic scale.
    is_kept
        bool ``(n_obs,)``.
    """

    def paint(panels: Sequence[Any]) -> None:
        for panel, (label, values) in zip(panels, metrics.items(), strict=True):
            _draw_violin(panel, label, np.asarray(values, np.float64), is_kept)
        panels[0].set_ylabel(f"{len(is_kept):,} raw cells (grey), {is_kept.sum():,} published")

    return draw(paint, n_panels=len(metrics), inches=(2.6 * len(metrics), 3))


def _draw_violin(panel: Any, label: str, values: np.ndarray, is_kept: np.ndarray) -> None:
    panel.set(title=label, xticks=[])
    shown = np.log10(np.maximum(values, 1)) if label.startswith("log10") else values
    is_known = np.isfinite(shown)
    if not is_known.any():
        panel.text(0.5, 0.5, "not known", ha="center", transform=panel.transAxes)
        panel.set(yticks=[])
        return
    low, high = shown[is_known].min(), shown[is_known].max()
    # Few cells in narrow bins would look like several groups.
    n_bins = int(np.clip(2 * np.sqrt(is_known.sum()), _MIN_BINS, _MAX_BINS))
    edges = np.linspace(low, high if high > low else low + 1, n_bins + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    for side, colour, chosen in ((-1, GREY, is_known), (1, BLUE, is_known & is_kept)):
        if not chosen.any():
            continue
        density = np.convolve(np.histogram(shown[chosen], edges)[0], _SMOOTH, mode="same")
        panel.fill_betweenx(middles, 0, side * density / density.max(), color=colour, lw=0)
        panel.hlines(np.median(shown[chosen]), *sorted((0, side * 0.9)), color="black", lw=0.8)
