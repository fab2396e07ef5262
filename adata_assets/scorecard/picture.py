"""A picture of an embedding: its first two principal components, by cell type and by batch.

Belongs here: drawing. Components, not UMAP: they take a second, need no seed, and show no clumps
in noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adata_assets.annotation.store import OBS, read_in_order
from adata_assets.artefact import Artefact
from adata_assets.pictures.canvas import GREY, draw, shorten
from adata_assets.splitting.chunks import ChunkSlice

MAX_NAMED = 20
_MAX_CHUNK_OBS = 2000
_FEW_OBS, _LARGE_DOT = 500, 10


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
    vectors: np.ndarray,
    labels: np.ndarray,
    batches: np.ndarray,
    *,
    title: str,
    dot_size: float = 3,
) -> bytes:
    """Return a PNG with one panel by cell type and, with two batches or more, one by batch.

    Batches are coloured but not named: their column may be one that is not published.

    Parameters
    ----------
    vectors
        ``(n_obs, n_dims)``.
    labels, batches
        str or None ``(n_obs,)``.
    dot_size
        Area of a dot in square points.
    """
    points, names = project(vectors), _names_by_size(batches)
    n_panels = 2 if len(names) > 1 else 1

    def paint(panels: Sequence[Any]) -> None:
        _draw_panel(panels[0], points, labels, _names_by_size(labels)[:MAX_NAMED], dot_size)
        panels[0].legend(
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            markerscale=4 if dot_size < _LARGE_DOT else 2,
        )
        panels[0].set_title(f"{title}: cell type")
        if n_panels == 2:
            _draw_panel(panels[1], points, batches, names, dot_size)
            panels[1].set_title(f"{title}: {len(names)} batches")

    inches = (9 if n_panels == 2 else 6, 3.6)
    return draw(paint, n_panels=n_panels, inches=inches, is_framed=True)


def draw_chunk(
    vectors: Sequence[np.ndarray], annotated: Artefact, chunk: ChunkSlice, *, title: str
) -> bytes:
    """Return a PNG of the cells of a chunk by cell type; of a large one every so many.

    Parameters
    ----------
    vectors
        One per cell of the chunk, in order.
    """
    every = -(-chunk.n_obs // _MAX_CHUNK_OBS)
    tables = annotated.local(OBS).parent
    labels = read_in_order(tables, "cell_type", chunk.start, chunk.stop)[::every]
    named = np.array([label if isinstance(label, str) else None for label in labels], dtype=object)
    nothing = np.full(len(named), None, dtype=object)
    shown = np.stack(list(vectors[::every]))
    size = 3 if len(named) > _FEW_OBS else _LARGE_DOT
    title = f"{title}, chunk {chunk.partition_key}"
    return draw_embedding(shown, named, nothing, title=title, dot_size=size)


def _names_by_size(values: np.ndarray) -> list[str]:
    known = [value for value in values if value is not None]
    names, counts = np.unique(np.array(known, dtype=str), return_counts=True)
    return [str(name) for name in names[np.argsort(-counts, kind="stable")]]


def _draw_panel(
    panel: Any, points: np.ndarray, values: np.ndarray, names: list[str], dot_size: float
) -> None:
    import matplotlib as mpl

    colours = mpl.colormaps["tab20"]
    number = {name: i for i, name in enumerate(names)}
    codes = np.array([number.get(value, -1) for value in values])
    style: dict[str, Any] = {"s": dot_size, "linewidths": 0}
    if (codes < 0).any():
        rest = points[codes < 0]
        panel.scatter(*rest.T, color=GREY, label=f"others, unknown ({len(rest)})", **style)
    for i, name in enumerate(names):
        own = points[codes == i]
        # An underscore at the front would hide the name from the legend.
        panel.scatter(*own.T, color=colours(i % colours.N), label=f" {shorten(name)}", **style)
    panel.set(xticks=[], yticks=[], xlabel="component 1", ylabel="component 2")
