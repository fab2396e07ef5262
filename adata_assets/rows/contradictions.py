"""Which cells contradict what an anchor's caption says.

The rule, for an anchor a and another cell b:

* a's caption was *made* from facts: some field that it states is known for both, and the two values
  exclude each other.
* a's caption was *given* as free text: both have captions, these differ, and the cell type is
  unknown for one of them or the two types exclude each other. (What a given caption states cannot
  be read off it.)

Two values exclude each other if they are not equal and, where ontology terms are known for both,
neither is the other's ancestor (``relations``).
"""

from __future__ import annotations

import numpy as np

from adata_assets.rows import kernels
from adata_assets.rows.facts import FactClasses, distinct_rows
from adata_assets.rows.relations import pack_relations

CELL_TYPE_FIELD = "cell_type"


def class_table(classes: FactClasses) -> np.ndarray:
    """The classes as `kernels` takes them, int32 `(n_classes, 3 + 2 * (n_fields - 1))`."""
    known, is_given = classes.known, classes.is_given[:, None]
    if CELL_TYPE_FIELD in classes.fields:
        cell_type = known[:, [classes.fields.index(CELL_TYPE_FIELD)]]
    else:
        cell_type = np.full((len(known), 1), -1)
    stated = np.where(classes.stated[:, 1:], known[:, 1:], -1)
    columns = [is_given, cell_type, known[:, :1], known[:, 1:], stated]
    return np.concatenate(columns, axis=1, dtype=np.int32, casting="unsafe")


def relation_table(classes: FactClasses) -> np.ndarray:
    """Which codes go together, as `kernels` takes it, int32."""
    facts = classes.fields[1:]
    related = classes.related or tuple(np.zeros((0, 0), dtype=bool) for _ in facts)
    place = facts.index(CELL_TYPE_FIELD) if CELL_TYPE_FIELD in facts else -1
    return pack_relations(related, place)


def anchor_groups(table: np.ndarray) -> np.ndarray:
    """int64 `(n_classes,)`: classes with equal numbers allow exactly the same negatives."""
    is_given = table[:, kernels.IS_GIVEN] > 0
    n_facts = (table.shape[1] - kernels.FIRST_FACT) // 2
    of_given = table[:, [kernels.CELL_TYPE, kernels.CAPTION]]
    of_made = table[:, kernels.FIRST_FACT + n_facts :]
    columns = [
        is_given.astype(np.int64),
        *np.where(is_given[:, None], of_given, -1).T,
        *np.where(is_given[:, None], -1, of_made).T,
    ]
    return distinct_rows(columns)[0]


def incompatible(classes: FactClasses, anchor: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether cell `other[i]` is a valid negative for cell `anchor[i]`, bool `(n,)`.

    `anchor` and `other` are int `(n,)`, positions among the cells of `classes`.
    """
    class_of = classes.class_of
    return kernels.are_incompatible(
        class_table(classes), relation_table(classes), class_of[anchor], class_of[other]
    )


def classes_without_negative(classes: FactClasses, split_of: np.ndarray) -> np.ndarray:
    """Cells whose class has no valid negative in their own split, bool `(n_cells,)`.

    Taken to a fixpoint: among the cells that stay, every one has a valid negative. Cells with
    `split_of` -1 (int8, `(n_cells,)`) are in no split, serve nobody and get False.
    """
    table, related = class_table(classes), relation_table(classes)
    groups = anchor_groups(table)
    by_cell_type = np.argsort(table[:, kernels.CELL_TYPE], kind="stable")
    is_without = np.zeros(len(classes.class_of), dtype=bool)
    for split in np.unique(split_of[split_of >= 0]):
        rows = np.flatnonzero(split_of == split)
        is_left = np.zeros(len(classes.known), dtype=bool)
        is_left[classes.class_of[rows]] = True
        order = by_cell_type[is_left[by_cell_type]]
        types = table[order, kernels.CELL_TYPE]
        group_end = np.searchsorted(types, types, side="right")
        kernels.keep_classes_with_negative(table, related, groups, order, group_end, is_left)
        is_without[rows] = ~is_left[classes.class_of[rows]]
    return is_without
