"""Filling the slots of some anchors of a split, from all cells or from the anchor's batch.

Belongs here: which cells are tried in which order, and when they are listed. The loops themselves
are in ``draw_kernels``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adata_assets.errors import InputError
from adata_assets.rows import draw_kernels as draws
from adata_assets.rows import kernels
from adata_assets.rows.contradictions import anchor_groups, class_table, relation_table
from adata_assets.rows.facts import FactClasses


@dataclass(frozen=True, eq=False)
class SameBatch:
    """How many negatives are of the anchor's own batch.

    Attributes
    ----------
    share
        Probability of each slot to be drawn from the valid cells of the anchor's batch alone; the
        other slots are drawn from all valid cells. A slot of an anchor without a batch, or with too
        few valid cells in it, is drawn from all.
    batch_of
        int `(n_cells,)`, batch of each cell of the split; -1 = unknown.
    """

    share: float
    batch_of: np.ndarray


def _batches(values: np.ndarray) -> Iterator[np.ndarray]:
    """For each different value the positions that have it."""
    order = np.argsort(values, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(values[order])) + 1) if len(order) else ()


class Draw:
    """Draws from all cells of the split."""

    def __init__(
        self, classes: FactClasses, cell_key: np.ndarray, base: np.uint64, start: int
    ) -> None:
        self.classes, self.class_of, self.cell_key = classes, classes.class_of, cell_key
        self.base, self.start = base, start
        self.table, self.related = class_table(classes), relation_table(classes)
        self.type_of = self.table[self.class_of, kernels.CELL_TYPE]
        self._groups: np.ndarray | None = None

    @property
    def group_of(self) -> np.ndarray:
        """Of each class; equal numbers allow the same negatives."""
        if self._groups is None:
            self._groups = anchor_groups(self.table)
        return self._groups

    def fill(self, slot: int, drawn: np.ndarray) -> None:
        """Fill what is not drawn in a slot."""
        n_left = draws.draw_from_all(
            self.table,
            self.related,
            self.class_of,
            self.type_of,
            self.cell_key,
            self.base,
            self.start,
            slot,
            drawn,
        )
        if n_left:
            self._fill_rest(slot, drawn)

    def _fill_rest(self, slot: int, drawn: np.ndarray) -> None:
        """Anchors of one cell type with given captions at a time; all others share the cells."""
        rows = np.flatnonzero(drawn[:, slot] == draws.NOT_DRAWN)
        own = self.class_of[self.start + rows]
        is_given = self.table[own, kernels.IS_GIVEN] > 0
        everyone = np.arange(len(self.class_of))
        for mine in _batches(np.where(is_given, self.table[own, kernels.CELL_TYPE], -1)):
            among = draws.list_of_other_types(
                self.table, self.related, own[mine[0]], self.class_of, everyone
            )
            self.try_members(rows[mine], slot, among, self.base, drawn)
            self.pick(rows[mine], slot, among, self.base, drawn, is_last=True)

    def try_members(
        self, rows: np.ndarray, slot: int, among: np.ndarray, base: np.uint64, drawn: np.ndarray
    ) -> None:
        """Attempts among some cells for the rows of which the slot is not drawn."""
        begin = np.zeros(len(rows), np.int64)
        self.attempt(rows, slot, among, (begin, begin + len(among)), ~base, drawn)

    def attempt(
        self,
        rows: np.ndarray,
        slot: int,
        members: np.ndarray,
        range_of: tuple[np.ndarray, np.ndarray],
        base: np.uint64,
        drawn: np.ndarray,
    ) -> None:
        """Attempts for each row among its own range of members."""
        draws.draw_from_members(
            self.table,
            self.related,
            self.class_of,
            self.cell_key,
            base,
            rows,
            self.start + rows,
            slot,
            members,
            *range_of,
            drawn,
        )

    def pick(
        self,
        rows: np.ndarray,
        slot: int,
        among: np.ndarray,
        base: np.uint64,
        drawn: np.ndarray,
        *,
        is_last: bool,
    ) -> None:
        """List the valid ones among some cells for the rows not drawn, and pick one each."""
        rest = rows[drawn[rows, slot] == draws.NOT_DRAWN]
        for mine in _batches(self.group_of[self.class_of[self.start + rest]]):
            row = self.start + int(rest[mine[0]])
            cls = int(self.class_of[row])
            allowed = draws.list_allowed(self.table, self.related, cls, self.class_of, among)
            if is_last and not len(allowed):
                raise InputError(_describe_class(self.classes, cls, row))
            anchors = self.start + rest[mine]
            draws.pick_allowed(
                self.cell_key, base, rest[mine], anchors, slot, allowed, is_last, drawn
            )


class InBatch:
    """Draws the slots that are to be of the anchor's own batch, where that can be."""

    def __init__(
        self, draw: Draw, same_batch: SameBatch, base: np.uint64, drawn: np.ndarray
    ) -> None:
        self._draw, self._base = draw, base
        self._is_asked = np.zeros(drawn.shape, dtype=bool)
        if same_batch.share == 0:
            return
        batch = same_batch.batch_of
        self._members = np.argsort(batch, kind="stable")
        own = batch[draw.start : draw.start + len(drawn)]
        self._begin = np.searchsorted(batch[self._members], own, side="left")
        self._end = np.searchsorted(batch[self._members], own, side="right")
        draws.draw_coins(
            draw.cell_key, base, draw.start, drawn.shape[1], 0.0, same_batch.share, self._is_asked
        )
        self._is_asked &= (own >= 0)[:, None]

    def fill(self, slot: int, drawn: np.ndarray) -> None:
        """Fill the slot where it is to be of the own batch and a valid cell is left in that."""
        rows = np.flatnonzero(self._is_asked[:, slot])
        if not len(rows):
            return
        range_of = (self._begin[rows], self._end[rows])
        self._draw.attempt(rows, slot, self._members, range_of, self._base, drawn)
        rest = rows[drawn[rows, slot] == draws.NOT_DRAWN]
        for mine in _batches(self._begin[rest]):
            among = self._members[self._begin[rest[mine[0]]] : self._end[rest[mine[0]]]]
            self._draw.pick(rest[mine], slot, among, self._base, drawn, is_last=False)


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
