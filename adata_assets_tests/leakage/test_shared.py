"""Keys and equal cells in several splits are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.leakage.shared import count_shared_values, find_shared_cells, looks_like_key
from adata_assets.schemas.leakage import SharedCellSchema, SharedKeySchema
from adata_assets.tables import read_table, write_table

SPLIT = np.array(["train"] * 4 + ["test"] * 2, dtype=object)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("donor_id", True),
        ("Sample", True),
        ("batch", True),
        ("studyAccession", True),
        ("geo_accession", True),
        ("orig.plate", True),
        ("tissue", False),
        ("cell_type", False),
        ("resampled", False),
        ("n_counts", False),
    ],
)
def test_columns_are_known_by_their_names(name, expected):
    assert looks_like_key(name) is expected


def count(**columns):
    series = ((name, pd.Series(values, dtype=object)) for name, values in columns.items())
    return count_shared_values(series, SPLIT, groups=["donor"])


def test_values_of_several_splits_are_counted(tmp_path):
    found = count(donor=list("aabbcc"), batch=list("xxyyyx"), lane=["1", None, "2", "2", None, "1"])
    assert found.values.tolist() == [
        ["donor", True, 3, 0, 0],
        ["batch", False, 2, 2, 6],
        ["lane", False, 2, 1, 2],
    ]
    write_table(found, tmp_path / "t.parquet")
    SharedKeySchema.validate(read_table(tmp_path / "t.parquet"))


def test_a_column_of_ids_is_no_key_unless_it_was_dealt():
    assert count(sample_id=list("abcdef")).empty
    assert count(donor=list("abcdef"))["n_values"].tolist() == [6]


def test_without_keys_the_table_is_empty_and_still_a_table(tmp_path):
    write_table(count(), tmp_path / "t.parquet")
    SharedKeySchema.validate(read_table(tmp_path / "t.parquet"))


def test_equal_cells_count_across_splits_only(tmp_path):
    copies = np.array(["x", "x", None, "y", "x", "y"], dtype=object)
    found = find_shared_cells(copies, np.array(list("abcdef"), dtype=object), SPLIT)
    assert found.values.tolist() == [["e", "test", "a", "train"], ["f", "test", "d", "train"]]
    none = find_shared_cells(copies[:4], np.array(list("abcd"), dtype=object), SPLIT[:4])
    for name, table in (("some", found), ("none", none)):
        write_table(table, tmp_path / name)
        SharedCellSchema.validate(read_table(tmp_path / name))
