"""Chunks are contiguous slices of one split; dealing is a pure function."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adata_assets.errors import InputError
from adata_assets.spec import Chunks
from adata_assets.splitting.chunks import count_chunks, deal_chunks, find_chunk, order_cells

sizes = st.lists(st.integers(1, 500), min_size=1, max_size=3).map(
    lambda values: dict(zip(("train", "validation", "test"), values, strict=False))
)


@given(sizes, st.integers(1, 40))
def test_s12_chunks_are_disjoint_complete_and_of_one_split(split_sizes, n_chunks):
    n_obs = sum(split_sizes.values())
    if not len(split_sizes) <= n_chunks <= n_obs:
        with pytest.raises(InputError, match="chunks cannot hold"):
            deal_chunks(split_sizes, n_chunks)
        return
    slices = deal_chunks(split_sizes, n_chunks)
    assert [c.start for c in slices] == [0, *(c.stop for c in slices[:-1])]
    assert slices[-1].stop == n_obs
    assert all(c.n_obs > 0 for c in slices)
    for split, size in split_sizes.items():
        assert sum(c.n_obs for c in slices if c.split == split) == size


@given(st.integers(1, 5000), st.integers(1, 500), sizes)
def test_a_chunk_never_exceeds_the_size_that_was_asked_for(n_raw, size, split_sizes):
    total = sum(split_sizes.values())
    n_raw = max(n_raw, total)
    n_chunks = count_chunks(Chunks(size=size), n_raw=n_raw, n_splits=len(split_sizes))
    if n_chunks <= total:
        assert max(c.n_obs for c in deal_chunks(split_sizes, n_chunks)) <= size


def test_a_key_of_another_total_is_not_found():
    with pytest.raises(InputError, match="no chunk '0004-of-0003'"):
        find_chunk({"train": 10, "test": 5}, "0004-of-0003")


def test_the_dataset_order_is_split_group_source_order():
    split = pd.Series(["test", "train", None, "train", "train"], dtype=object)
    group = pd.Series(["z", "b", "b", "a", "b"], dtype=object)
    assert order_cells(split, group).tolist() == [3, 1, -1, 0, 2]
    assert order_cells(split, None).tolist() == [3, 0, -1, 1, 2]
