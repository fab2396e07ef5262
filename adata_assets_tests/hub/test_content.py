"""Hashes of columns depend on the values and their order, not on how parquet stores them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adata_assets.hub.content import ContentHasher, group_shards, hash_table

ROWS = {
    "text": ["a", "bc", None, "", "ü"],
    "label": [1.0, 0.0, None, 2.5, -1.0],
    "n": [1, 2, 3, 4, 5],
}


def _hash(rows: dict[str, list[object]]) -> dict[str, str]:
    hasher = ContentHasher()
    hasher.add(pa.table(rows))
    return dict(hasher.finish().columns)


def test_storage_does_not_matter(tmp_path: Path) -> None:
    """Shards, row groups, compression and dictionaries."""
    table = pa.table(ROWS)
    pq.write_table(table, tmp_path / "whole.parquet", row_group_size=5)
    shards = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    pq.write_table(table.slice(0, 2), shards[0], row_group_size=1, compression="none")
    pq.write_table(table.slice(2), shards[1], row_group_size=2, use_dictionary=False)
    whole = hash_table([tmp_path / "whole.parquet"])
    assert hash_table(shards) == whole
    assert whole.n_rows == 5
    assert dict(whole.columns) == _hash(ROWS)
    coded = table.set_column(0, "text", table["text"].dictionary_encode())
    hasher = ContentHasher()
    hasher.add(coded)
    assert hasher.finish() == whole


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("text", ["ab", "c", None, "", "ü"]),
        ("text", ["a", "bc", "", None, "ü"]),
        ("text", ["bc", "a", None, "", "ü"]),
        ("label", [1.0, 0.0, 0.0, 2.5, -1.0]),
        ("n", [1, 2, 3, 5, 4]),
    ],
)
def test_each_change_is_seen_in_its_column_only(name: str, values: list[object]) -> None:
    before, after = _hash(ROWS), _hash({**ROWS, name: values})
    assert {column for column in before if before[column] != after[column]} == {name}


def test_other_types_have_a_hash_too() -> None:
    assert _hash({"l": [["a"], None]}) != _hash({"l": [None, ["a"]]})


def test_shards_are_grouped_in_order() -> None:
    names = ["data/train-00001-of-00002.parquet", "cells/train-00000-of-00001.parquet"]
    found = group_shards([*names, "data/train-00000-of-00002.parquet", "README.md", "a.parquet"])
    assert found == {
        "cells/train": names[1:],
        "data/train": ["data/train-00000-of-00002.parquet", names[0]],
    }
