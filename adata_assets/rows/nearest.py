"""Hard negatives: of some valid cells the one whose vector is nearest to the anchor's.

Belongs here: what is near, and which slots are filled so. Which cells are looked at, and the loop
over them, is in ``draw_kernels``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adata_assets.rows import draw_kernels as draws
from adata_assets.rows.drawing import Draw

# Where half of the cells are valid, the nearest of so many is among the nearest 0.4 % of them: hard,
# but seldom the one cell that somebody labelled wrongly.
N_LOOKED_AT = 512
# The length of a vector: products of two stay within int32.
_UNIT = 32_767


@dataclass(frozen=True, eq=False)
class Hard:
    """How many negatives are the nearest ones, and in which space.

    Attributes
    ----------
    share
        Probability of each slot to be hard. A slot for which none of the cells that are looked at
        is valid is drawn like the others.
    vectors
        int16 `(n, n_dims)`, from :func:`unit_vectors`; may lie on disk.
    vector_of
        int64 `(n_cells,)`, for each cell of the split the place of its vector.
    """

    share: float
    vectors: np.ndarray
    vector_of: np.ndarray


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 as multiples of 1/32767, int16: their products are exact everywhere.

    Cosines of them are within 0.0001 of those of the vectors. One of length 0 stays so, and is
    equally far from all.

    Examples
    --------
    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist()
    [[19660, 26214], [0, 0]]
    """
    values = vectors.astype(np.float64)
    # Squares of large values would not be finite.
    values /= np.maximum(np.abs(values).max(axis=1, keepdims=True, initial=0), np.finfo(float).tiny)
    lengths = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    return np.rint(values / np.maximum(lengths, 1) * _UNIT).astype(np.int16)


class Nearest:
    """Fills the slots that are to be hard, where that can be.

    Parameters
    ----------
    draw
        All cells of the split.
    coins, base
        Of the streams that say which slots are hard, and which cells are looked at.
    below
        The share of slots that other kinds have; numbers below it are theirs.
    drawn
        int64 `(n_rows, n_slots)`, what is to be filled.
    """

    def __init__(
        self,
        draw: Draw,
        hard: Hard,
        coins: np.uint64,
        base: np.uint64,
        below: float,
        drawn: np.ndarray,
    ) -> None:
        self._draw, self._hard, self._base = draw, hard, base
        # Mapped or not, writable or not: to the compiler these would be different types.
        self._vectors = np.asarray(hard.vectors).view()
        self._vectors.flags.writeable = False
        self._is_asked = np.zeros(drawn.shape, dtype=bool)
        draws.draw_coins(
            draw.cell_key,
            coins,
            draw.start,
            drawn.shape[1],
            below,
            below + hard.share,
            self._is_asked,
        )

    def fill(self, slot: int, drawn: np.ndarray) -> None:
        """Fill the slot where it is to be hard and a valid cell is found."""
        rows = np.flatnonzero(self._is_asked[:, slot] & (drawn[:, slot] == draws.NOT_DRAWN))
        draws.take_nearest(
            self._draw.table,
            self._draw.related,
            self._draw.class_of,
            self._draw.cell_key,
            self._base,
            rows,
            self._draw.start,
            slot,
            N_LOOKED_AT,
            self._vectors,
            self._hard.vector_of,
            drawn,
        )
