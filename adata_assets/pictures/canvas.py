"""A small canvas: panels in, PNG bytes out.

Belongs here: size, fonts, colours and the file. What is drawn is in the other modules.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

GREY, BLUE = "#c8c8c8", "#3b6ea5"
SPLIT_COLOURS = {"train": "#3b6ea5", "validation": "#e0912f", "test": "#5a9e6f"}
_DPI = 90
# A palette makes a picture of 5,000 points a third as large; more colours cannot be told apart.
_N_COLOURS = 64
_MAX_NAME_CHARS = 32


def draw(
    paint: Callable[[Sequence[Any]], None],
    *,
    n_panels: int = 1,
    inches: tuple[float, float] = (6, 3),
    is_framed: bool = False,
) -> bytes:
    """Return the PNG of some panels side by side.

    Parameters
    ----------
    paint
        Is given the panels, matplotlib's ``Axes``.
    inches
        Width and height.
    is_framed
        Whether the panels have all four sides.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Names are text, whatever dollar signs they hold; a letter that the font lacks is a box.
    style: dict[Any, Any] = {"text.parse_math": False, "font.size": 8}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=inches, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        panels = figure.subplots(1, n_panels, squeeze=False)[0]
        for panel in panels:
            panel.spines[["top", "right"]].set_visible(is_framed)
        paint(panels)
        canvas.draw()
        return to_png(np.asarray(canvas.buffer_rgba()))


def to_png(pixels: np.ndarray) -> bytes:
    """Return the PNG of pixels, uint8 ``(height, width, 4)``; their alpha is left out."""
    from PIL import Image

    picture = Image.fromarray(pixels[:, :, :3]).quantize(_N_COLOURS, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def shorten(name: str) -> str:
    """Return a name that fits beside a panel.

    Examples
    --------
    >>> shorten("B cell"), len(shorten("a" * 99))
    ('B cell', 32)
    """
    return name if len(name) <= _MAX_NAME_CHARS else f"{name[: _MAX_NAME_CHARS - 1]}…"
