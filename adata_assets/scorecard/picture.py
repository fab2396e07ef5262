"""A picture of an embedding: its first two principal components, by cell type and by batch.

Belongs here: drawing. Components, not UMAP: they take a second, need no seed, and show no clumps
in noise.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

MAX_NAMED = 20
_MAX_NAME_CHARS = 32
_GREY = "#c8c8c8"
# A palette makes a picture of 5,000 points a third as large; more colours cannot be told apart.
_N_COLOURS = 64


def project(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components, float64 ``(n_obs, 2)``.

    The largest loading of each is positive; one-dimensional vectors get a second component of 0.
    """
    from scipy.linalg import eigh

    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    n_dims = centred.shape[1]
    if n_dims < 2:
        return np.column_stack([centred, np.zeros(len(centred))])
    _, axes = eigh(centred.T @ centred, subset_by_index=[n_dims - 2, n_dims - 1])
    axes = axes[:, ::-1]
    largest = np.abs(axes).argmax(axis=0)
    return np.asarray(centred @ (axes * np.sign(axes[largest, [0, 1]])))


def draw_embedding(
    vectors: np.ndarray, labels: np.ndarray, batches: np.ndarray, *, title: str
) -> bytes:
    """Return a PNG with one panel by cell type and, with two batches or more, one by batch.

    Batches are coloured but not named: their column may be one that is not published.

    Parameters
    ----------
    vectors
        ``(n_obs, n_dims)``.
    labels, batches
        str or None ``(n_obs,)``.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points, names = project(vectors), _names_by_size(batches)
    # Names of cell types are text, whatever dollar signs they hold.
    with mpl.rc_context({"text.parse_math": False, "font.size": 8}):
        figure = Figure(figsize=(9 if len(names) > 1 else 6, 3.6), dpi=90, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        panels = figure.subplots(1, 2 if len(names) > 1 else 1, squeeze=False)[0]
        _draw_panel(panels[0], points, labels, _names_by_size(labels)[:MAX_NAMED])
        panels[0].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, markerscale=4)
        panels[0].set_title(f"{title}: cell type")
        if len(names) > 1:
            _draw_panel(panels[1], points, batches, names)
            panels[1].set_title(f"{title}: {len(names)} batches")
        canvas.draw()
        return _to_png(np.asarray(canvas.buffer_rgba()))


def _names_by_size(values: np.ndarray) -> list[str]:
    known = [value for value in values if value is not None]
    names, counts = np.unique(np.array(known, dtype=str), return_counts=True)
    return [str(name) for name in names[np.argsort(-counts, kind="stable")]]


def _draw_panel(panel: Any, points: np.ndarray, values: np.ndarray, names: list[str]) -> None:
    import matplotlib as mpl

    colours = mpl.colormaps["tab20"]
    number = {name: i for i, name in enumerate(names)}
    codes = np.array([number.get(value, -1) for value in values])
    style: dict[str, Any] = {"s": 3, "linewidths": 0}
    if (codes < 0).any():
        rest = points[codes < 0]
        panel.scatter(*rest.T, color=_GREY, label=f"others, unknown ({len(rest)})", **style)
    for i, name in enumerate(names):
        shown = name if len(name) <= _MAX_NAME_CHARS else f"{name[: _MAX_NAME_CHARS - 1]}…"
        own = points[codes == i]
        # An underscore at the front would hide the name from the legend.
        panel.scatter(*own.T, color=colours(i % colours.N), label=f" {shown}", **style)
    panel.set(xticks=[], yticks=[], xlabel="component 1", ylabel="component 2")


def _to_png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels[:, :, :3]).quantize(_N_COLOURS, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()
