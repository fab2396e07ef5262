"""What has to be dealt together: groups that share cells, and cells with the same counts.

Belongs here: connected components, and the cells that join groups of different splits. Which
component goes where is in ``optimise``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# What a set of equal cells is called beside the group columns.
EQUAL_COUNTS = "counts equal to those of cell"
Group = tuple[str, str]


@dataclass(frozen=True)
class Components:
    """Cells that can only be dealt together.

    Attributes
    ----------
    of_cell
        Number of each cell's component, int64 ``(n_obs,)``; components are numbered by their
        smallest value of the first group column.
    groups
        ``(obs column, value)`` of all groups of each component, sorted.
    """

    of_cell: np.ndarray
    groups: tuple[tuple[Group, ...], ...]

    @property
    def sizes(self) -> np.ndarray:
        """Cells of each component, int64."""
        return np.bincount(self.of_cell, minlength=len(self.groups))

    @property
    def names(self) -> list[str]:
        """The first value of each component, for people."""
        return [groups[0][1] for groups in self.groups]


def find_components(keys: pd.DataFrame, copies: pd.Series) -> Components:
    """Connect cells that share a value of any group column, or their counts.

    Parameters
    ----------
    keys
        Group columns, str ``(n_obs, n_columns)``, none missing.
    copies
        The same text for cells with equal counts, None for a cell that has no equal; in the order
        of ``keys``.

    Examples
    --------
    >>> keys = pd.DataFrame({"donor": ["a", "b", "c", "c"], "study": ["1", "1", "2", "2"]})
    >>> found = find_components(keys, pd.Series([None] * 4, dtype=object))
    >>> found.of_cell.tolist(), found.groups[1]
    ([0, 0, 1, 1], (('donor', 'c'), ('study', '2')))
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    nodes, numbers = _number_nodes(keys, copies)
    first = np.repeat(numbers[:, :1], numbers.shape[1] - 1, axis=1).ravel()
    other = numbers[:, 1:].ravel()
    edges = (np.ones(int((other >= 0).sum()), np.int8), (first[other >= 0], other[other >= 0]))
    _, of_node = connected_components(
        coo_matrix(edges, shape=(len(nodes), len(nodes))), directed=False
    )
    # Values of the first column come first and are sorted, so a component appears with its smallest.
    order, _ = pd.factorize(of_node)
    groups: list[list[Group]] = [[] for _ in range(order.max(initial=-1) + 1)]
    for number, node in zip(order, nodes, strict=True):
        if node[0] != EQUAL_COUNTS:
            groups[number].append(node)
    return Components(order[numbers[:, 0]].astype(np.int64), tuple(tuple(own) for own in groups))


def find_joining(keys: pd.DataFrame, copies: pd.Series, locked: Mapping[Group, str]) -> pd.Series:
    """Find the cells that would join groups which are locked to different splits.

    Kinds of cells (their values and their set of equal cells) are tied one after the other, the
    most frequent first, then by their values; a kind that would bring two splits together is not.
    So few cells are named, and the same ones for any order of rows.

    Parameters
    ----------
    keys, copies
        As for ``find_components``.
    locked
        ``(obs column, value)`` to split.

    Returns
    -------
    Per joining cell what it joins, in words; indexed like ``keys``.
    """
    nodes, numbers = _number_nodes(keys, copies)
    kinds, kind_of, n_cells = np.unique(numbers, axis=0, return_inverse=True, return_counts=True)
    ties = _Ties([locked.get(node) for node in nodes])
    told = {
        int(kind): f"joins {words}"
        for kind in np.lexsort((np.arange(len(kinds)), -n_cells))
        if (words := ties.tie([int(node) for node in kinds[kind] if node >= 0], nodes))
    }
    kind_of = kind_of.ravel()
    rows = np.flatnonzero(np.isin(kind_of, list(told)))
    return pd.Series([told[int(kind_of[row])] for row in rows], keys.index[rows], dtype=object)


class _Ties:
    """Union-find whose sets have at most one split."""

    def __init__(self, split_of: Sequence[str | None]) -> None:
        self._parent = list(range(len(split_of)))
        self._split = list(split_of)

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def tie(self, own: Sequence[int], nodes: Sequence[Group]) -> str:
        """Unite some nodes; return in words why that cannot be, or nothing."""
        roots = {self._root(node): node for node in reversed(own)}
        splits = {self._split[root] for root in roots} - {None}
        if len(splits) > 1:
            split_of = {node: self._split[root] for root, node in roots.items()}
            return " to ".join(
                f"{column} {value!r}"
                + (f" ({split_of[node]})" if split_of.get(node) is not None else "")
                for node, (column, value) in ((node, nodes[node]) for node in own)
            )
        target = min(roots)
        for root in roots:
            self._parent[root] = target
        self._split[target] = next(iter(splits), None)
        return ""


def _number_nodes(keys: pd.DataFrame, copies: pd.Series) -> tuple[list[Group], np.ndarray]:
    """All (column, value) pairs, sorted inside each column, and their numbers per cell; -1: none."""
    nodes: list[Group] = []
    numbers = np.empty((len(keys), keys.shape[1] + 1), np.int64)
    columns = [(str(name), keys[name]) for name in keys] + [(EQUAL_COUNTS, copies)]
    for place, (name, column) in enumerate(columns):
        codes, values = pd.factorize(column.to_numpy(dtype=object), sort=True)
        numbers[:, place] = np.where(codes < 0, -1, codes + len(nodes))
        nodes += [(name, str(value)) for value in values]
    return nodes, numbers
