"""Negatives: for every anchor, cells drawn evenly from those that contradict its caption.

A share of them can be of the anchor's batch, or its nearest in an embedding, under the same rule.
Each draw is a function of (seed, purpose, id of the anchor, slot), of the cells in the anchor's
earlier slots and of the split's cells; who draws, in which pieces and in which order changes nothing.
The slots of an anchor hold different cells where that many contradict it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adata_assets.errors import InputError
from adata_assets.rows import draw_kernels as draws
from adata_assets.rows.drawing import Draw, InBatch, SameBatch
from adata_assets.rows.facts import FactClasses
from adata_assets.rows.nearest import Hard, Nearest, unit_vectors

__all__ = [
    "KINDS",
    "Hard",
    "SameBatch",
    "cell_keys",
    "draw_negatives",
    "unit_vectors",
]

# How a negative was drawn; its number is the place here.
KINDS = ("uniform", "same_batch", "hard")


def cell_keys(cell_ids: pa.StringArray | pa.ChunkedArray | Sequence[str]) -> np.ndarray:
    """A stable 64-bit hash of every id, uint64 `(n_cells,)`.

    FNV-1a over the UTF-8 bytes, then the output function of splitmix64; a function of the id
    alone, on every machine and with every version of the libraries.

    Raises
    ------
    InputError
        An id is null.

    Examples
    --------
    >>> cell_keys(["AAAC-1", "AAAG-1"]).tolist()
    [18183845876773865141, 1710732537697493051]
    """
    if isinstance(cell_ids, pa.ChunkedArray):
        ids = cell_ids.combine_chunks()
    else:
        ids = cell_ids if isinstance(cell_ids, pa.Array) else pa.array(list(cell_ids), pa.string())
    ids = ids.cast(pa.large_binary())
    if ids.null_count:
        row = pc.index(pc.is_null(ids), True).as_py()
        raise InputError(f"the cell id of row {row} is null: every cell needs an id")
    if not len(ids):
        return np.empty(0, dtype=np.uint64)
    offsets = np.frombuffer(ids.buffers()[1], np.int64)[ids.offset : ids.offset + len(ids) + 1]
    characters = np.frombuffer(ids.buffers()[2] or b"", dtype=np.uint8)
    return draws.hash_strings(offsets, characters)


def draw_negatives(
    classes: FactClasses,
    *,
    cell_key: np.ndarray,
    n_slots: int,
    seed: int,
    purpose: str,
    rows: tuple[int, int] | None = None,
    same_batch: SameBatch | None = None,
    hard: Hard | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Valid negatives for the cells of one split, int64 positions within the split, and their kinds.

    Up to `draw_kernels.MAX_ATTEMPTS` cells of the split are looked at and the first is taken that
    is valid and in no earlier slot, then as many of those whose cell type does not rule them out;
    after that the valid ones are listed and one is picked. Each of these is uniform over the valid
    cells that no earlier slot holds, or over all valid ones when those are used up.

    Parameters
    ----------
    classes
        Of exactly the split's cells in dataset order (see :meth:`FactClasses.take`).
    cell_key
        uint64 `(n_cells,)`, from :func:`cell_keys`.
    n_slots
        Negatives per cell, at least 1.
    seed, purpose
        Name the stream: the dataset's seed and what the draw is for.
    rows
        Draw only for the cells `start <= i < stop`; the same values as in a draw for all.
    same_batch
        Which share is drawn from the anchor's own batch; None: none is.
    hard
        Which share is the anchor's nearest, and where; None: none is.

    Returns
    -------
    Negatives, `(n_cells, n_slots)`, or `(stop - start, n_slots)` with `rows`; and of the same shape,
    int8, the place of each one's kind in `KINDS`.

    Raises
    ------
    InputError
        A cell has no valid negative in the split; the message names its class.
    """
    n_cells = len(classes.class_of)
    start, stop = rows if rows is not None else (0, n_cells)
    _require_sizes(n_cells, cell_key, n_slots, (start, stop))
    draw = Draw(classes, cell_key, _base_of(seed, purpose), start)
    drawn = np.full((stop - start, n_slots), draws.NOT_DRAWN, dtype=np.int64)
    kinds = np.zeros(drawn.shape, dtype=np.int8)
    parts = _begin_parts(draw, drawn, seed, purpose, same_batch, hard)
    for slot in range(n_slots):
        for kind, part in parts.items():
            is_open = drawn[:, slot] == draws.NOT_DRAWN
            part.fill(slot, drawn)
            kinds[is_open & (drawn[:, slot] != draws.NOT_DRAWN), slot] = KINDS.index(kind)
        draw.fill(slot, drawn)
    return drawn, kinds


def _begin_parts(
    draw: Draw,
    drawn: np.ndarray,
    seed: int,
    purpose: str,
    same_batch: SameBatch | None,
    hard: Hard | None,
) -> dict[str, InBatch | Nearest]:
    parts: dict[str, InBatch | Nearest] = {}
    # One number decides the kind of a slot, so that the shares of kinds add up.
    coins = _base_of(seed, f"{purpose}/batch")
    if same_batch is not None:
        parts["same_batch"] = InBatch(draw, same_batch, coins, drawn)
    if hard is not None:
        below = same_batch.share if same_batch is not None else 0.0
        looks = _base_of(seed, f"{purpose}/hard")
        parts["hard"] = Nearest(draw, hard, coins, looks, below, drawn)
    return parts


def _require_sizes(n_cells: int, cell_key: np.ndarray, n_slots: int, rows: tuple[int, int]) -> None:
    if cell_key.shape != (n_cells,) or cell_key.dtype != np.uint64:
        raise InputError(
            f"cell_key is {cell_key.dtype} {cell_key.shape} for {n_cells} cells of the split: "
            "give cell_keys(ids) of the same cells"
        )
    if n_slots < 1:
        raise InputError(f"n_slots is {n_slots}: draw at least 1 negative per cell")
    if not 0 <= rows[0] <= rows[1] <= n_cells:
        raise InputError(f"rows {rows} are not within the {n_cells} cells of the split")
    if n_cells >= 2**32:
        raise InputError(f"a split of {n_cells} cells: negatives are drawn from below 2**32")


def _base_of(seed: int, purpose: str) -> np.uint64:
    digest = blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))
