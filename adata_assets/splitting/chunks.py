"""The dataset order and its slices, the chunks.

Belongs here: pure functions of split sizes and the number of chunks; nothing is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.spec import SPLITS, Chunks


@dataclass(frozen=True)
class ChunkSlice:
    """One chunk: cells ``start … stop`` of the dataset order, all of one split."""

    partition_key: str
    split: str
    start: int
    stop: int

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return self.stop - self.start


def partition_keys(n_chunks: int) -> list[str]:
    """Return the partition keys of a dataset; the total is part of every key.

    Examples
    --------
    >>> partition_keys(2)
    ['0001-of-0002', '0002-of-0002']
    """
    return [f"{i + 1:04d}-of-{n_chunks:04d}" for i in range(n_chunks)]


def count_chunks(chunks: Chunks, *, n_raw: int | None, n_splits: int) -> int:
    """Return the number of chunks, such that none holds more than ``chunks.size`` cells.

    Parameters
    ----------
    n_raw
        Cells of the raw file; needed for ``size`` only.
    n_splits
        Number of splits that are asked for.

    Examples
    --------
    >>> count_chunks(Chunks(size=1000), n_raw=2700, n_splits=3)
    5
    """
    if chunks.count is not None:
        return chunks.count
    if n_raw is None or chunks.size is None:
        raise InputError("chunks.size needs the number of raw cells, which is not known yet")
    return max(1, -(-n_raw // chunks.size)) + n_splits - 1


def deal_chunks(split_sizes: Mapping[str, int], n_chunks: int) -> list[ChunkSlice]:
    """Deal the dataset order into chunks, each of one split.

    Each split gets one chunk, then each next chunk goes to the split with most cells per chunk
    (ties by split order). Inside a split of n cells and k chunks, chunk i is
    ``n·i//k … n·(i+1)//k``.

    Parameters
    ----------
    split_sizes
        Cells of each split, in dataset order; all > 0.

    Raises
    ------
    InputError
        If there are fewer chunks than splits or fewer cells than chunks.

    Examples
    --------
    >>> [(c.split, c.start, c.stop) for c in deal_chunks({"train": 8, "test": 2}, 3)]
    [('train', 0, 4), ('train', 4, 8), ('test', 8, 10)]
    """
    n_obs = sum(split_sizes.values())
    if n_chunks < len(split_sizes) or n_chunks > n_obs:
        raise InputError(
            f"{n_chunks} chunks cannot hold {n_obs} cells in {len(split_sizes)} splits: every "
            f"chunk has one split and at least one cell; set chunks.count between "
            f"{len(split_sizes)} and {n_obs} (or another chunks.size)"
        )
    n_of = dict.fromkeys(split_sizes, 1)
    for _ in range(n_chunks - len(split_sizes)):
        # max() keeps the first of equals: ties go by split order.
        fullest = max(split_sizes, key=lambda split: Fraction(split_sizes[split], n_of[split]))
        n_of[fullest] += 1
    keys = iter(partition_keys(n_chunks))
    slices, first = [], 0
    for split, n in split_sizes.items():
        k = n_of[split]
        slices += [
            ChunkSlice(next(keys), split, first + n * i // k, first + n * (i + 1) // k)
            for i in range(k)
        ]
        first += n
    return slices


def find_chunk(
    split_sizes: Mapping[str, int], partition_key: str, *, n_chunks: int | None = None
) -> ChunkSlice:
    """Return the slice of one partition key.

    Raises
    ------
    InputError
        If the key does not belong to its own total.
    """
    match = re.fullmatch(r"\d{4}-of-(\d{4})", partition_key)
    slices = deal_chunks(split_sizes, n_chunks or int(match.group(1)) if match else 0)
    for chunk in slices:
        if chunk.partition_key == partition_key:
            return chunk
    raise InputError(f"no chunk {partition_key!r} among {[c.partition_key for c in slices]}")


def order_cells(split: pd.Series, group: pd.Series | None) -> np.ndarray:
    """Return each cell's place in the dataset order: split, then group, then source order.

    Parameters
    ----------
    split
        Split of each cell in source order; None for cells that are not published.
    group
        Group of each cell, or None.

    Returns
    -------
    int64 ``(n_obs,)``; -1 where ``split`` is None.
    """
    code = pd.Categorical(split, categories=list(SPLITS)).codes
    rank = (
        np.zeros(len(split), np.int64)
        if group is None
        else pd.Categorical(group, categories=sorted(group.dropna().unique())).codes
    )
    kept = np.flatnonzero(code >= 0)
    order = kept[np.lexsort((kept, np.asarray(rank)[kept], code[kept]))]
    position = np.full(len(split), -1, np.int64)
    position[order] = np.arange(len(order))
    return position


def sizes_of(split: Sequence[str] | pd.Series) -> dict[str, int]:
    """Return the cells of each split that has any, in split order."""
    counts = pd.Series(split, dtype=object).value_counts()
    return {name: int(counts[name]) for name in SPLITS if name in counts}
