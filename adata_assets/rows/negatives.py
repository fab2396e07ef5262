"""Negatives: for every anchor, cells drawn evenly from those that contradict its caption.

Each draw is a function of (seed, purpose, id of the anchor, slot) and of the split's cells; who
draws, in which pieces and in which order changes nothing. Draws are with replacement: two slots
of one anchor may hold the same cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adata_assets.errors import InputError
from adata_assets.rows import kernels
from adata_assets.rows.facts import FactClasses, anchor_groups, class_table


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
    return kernels.hash_strings(offsets, characters)


def draw_negatives(
    classes: FactClasses,
    *,
    cell_key: np.ndarray,
    n_slots: int,
    seed: int,
    purpose: str,
    rows: tuple[int, int] | None = None,
) -> np.ndarray:
    """Valid negatives for the cells of one split, int64 positions within the split.

    Up to `kernels.MAX_ATTEMPTS` cells of the split are looked at and the first valid one is taken,
    then as many of those that are not of a given caption's own cell type; after that the valid
    ones are listed and one is picked. Each of these is uniform over the allowed set.

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

    Returns
    -------
    `(n_cells, n_slots)`, or `(stop - start, n_slots)` with `rows`.

    Raises
    ------
    InputError
        A cell has no valid negative in the split; the message names its class.
    """
    n_cells = len(classes.class_of)
    start, stop = rows if rows is not None else (0, n_cells)
    _require_sizes(n_cells, cell_key, n_slots, (start, stop))
    table = class_table(classes)
    type_of = table[classes.class_of, kernels.CELL_TYPE]
    base = _base_of(seed, purpose)
    drawn = np.empty((stop - start, n_slots), dtype=np.int64)
    n_left = kernels.draw_from_all(table, classes.class_of, type_of, cell_key, base, start, drawn)
    if n_left:
        _draw_rest(classes, table, cell_key, base, start, drawn)
    return drawn


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


def _draw_rest(
    classes: FactClasses,
    table: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    start: int,
    drawn: np.ndarray,
) -> None:
    """Fill what is `NOT_DRAWN`, one cell type of given captions at a time, made ones before."""
    groups = anchor_groups(table)
    type_of = table[classes.class_of, kernels.CELL_TYPE]
    open_rows, open_slots = np.nonzero(drawn == kernels.NOT_DRAWN)
    open_class = classes.class_of[start + open_rows]
    is_given = table[open_class, kernels.IS_GIVEN] > 0
    open_type = np.where(is_given, table[open_class, kernels.CELL_TYPE], -1)
    for own_type in np.unique(open_type):
        # A given caption contradicts no cell of its own type, so these need no look.
        candidates = np.flatnonzero((type_of != own_type) | (own_type < 0))
        mine = np.flatnonzero(open_type == own_type)
        rows, slots = open_rows[mine], open_slots[mine]
        drawn[rows, slots] = _draw_among(
            classes, table, groups, cell_key, base, (start + rows, slots), candidates
        )


def _draw_among(
    classes: FactClasses,
    table: np.ndarray,
    groups: np.ndarray,
    cell_key: np.ndarray,
    base: np.uint64,
    anchors: tuple[np.ndarray, np.ndarray],
    candidates: np.ndarray,
) -> np.ndarray:
    """A valid one of `candidates` for each anchor (positions, slots): by attempts, then by list."""
    class_of = classes.class_of
    positions, slots = anchors
    drawn = kernels.draw_from_candidates(table, class_of, cell_key, base, anchors, candidates)
    rest = np.flatnonzero(drawn == kernels.NOT_DRAWN)
    group_of_rest = groups[class_of[positions[rest]]]
    rest = rest[np.argsort(group_of_rest, kind="stable")]
    ends = np.flatnonzero(np.diff(np.sort(group_of_rest))) + 1
    for members in np.split(rest, ends) if len(rest) else []:
        row = int(positions[members[0]])
        allowed = kernels.list_allowed(table, class_of[row], class_of, candidates)
        if not len(allowed):
            raise InputError(_describe_class(classes, int(class_of[row]), row))
        these = (positions[members], slots[members])
        drawn[members] = kernels.draw_from_allowed(cell_key, base, these, allowed)
    return drawn


def _describe_class(classes: FactClasses, cls: int, row: int) -> str:
    facts = dict(zip(classes.fields, classes.known[cls].tolist(), strict=True))
    stated = [
        f for f, is_stated in zip(classes.fields, classes.stated[cls], strict=True) if is_stated
    ]
    source = "given" if classes.is_given[cls] else "made"
    return (
        f"no cell of the split contradicts the {source} caption of class {cls} (cell {row} of the "
        f"split; codes of its facts {facts}; the caption states {stated}): remove its cells with "
        "classes_without_negative first"
    )
