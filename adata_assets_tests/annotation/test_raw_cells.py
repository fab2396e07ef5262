"""Several raw files as one: ids, obs columns of different types, blocks over all features."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.counts.reading import CountsPlace
from adata_assets.annotation.raw_cells import RawCounts, load_raw_cells
from adata_assets.errors import InputError
from adata_assets.tables import read_table, write_table
from adata_assets_tests.annotation.small_files import Column, SmallFile, write_small

COUNTS = np.array([[1, 0, 2], [0, 0, 3]])


def small(name="a", **fields):
    given = {"counts": COUNTS, "obs_names": ["x", "y"], "var_names": ["G1", "G2", "G3"]}
    return SmallFile(name=name, **{**given, **fields})


def load(tmp_path, *files):
    return load_raw_cells([write_small(file, tmp_path) for file in files])


def of(kind, *values, **fields):
    return {"column": Column(kind, values, **fields)}


def stored(obs, tmp_path):
    write_table(obs, tmp_path / "obs.parquet")
    return read_table(tmp_path / "obs.parquet")


def test_one_file_keeps_its_ids_several_get_their_source_before_them(tmp_path):
    """P2: equal barcodes of two files are two cells."""
    assert load(tmp_path, small()).sample_idx.tolist() == ["x", "y"]
    raw = load(tmp_path, small(), small("b"))
    assert raw.sample_idx.tolist() == ["a:x", "a:y", "b:x", "b:y"]
    assert raw.source.tolist() == ["a", "a", "b", "b"]
    assert raw.n_obs_of_file == (2, 2)
    assert raw.rows_of(1) == slice(2, 4)
    assert raw.label == "a.h5ad, b.h5ad"


def test_ids_are_text_whatever_the_index_holds(tmp_path):
    numbers = small(obs_names=[0, 1])
    unicode = small("b", obs_names=["é細", "a:x"])
    assert load(tmp_path, numbers).sample_idx.tolist() == ["0", "1"]
    assert load(tmp_path, numbers, unicode).sample_idx.tolist() == ["a:0", "a:1", "b:é細", "b:a:x"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"obs_names": ["x", "x"]}, ("b.h5ad", "2 cells share", "'x'", "obs_names_make_unique")),
        ({"obs_names": ["x", ""]}, ("b.h5ad", "must not be empty", "row 1")),
        ({"obs_names": ["omics:1", "y"]}, ("b.h5ad", "'omics:1'", "reserve")),
        ({"obs_names": [], "counts": COUNTS[:0]}, ("b.h5ad holds no cells",)),
    ],
)
def test_ids_that_cannot_be_used_are_refused_with_their_file(tmp_path, fields, words):
    with pytest.raises(InputError) as told:
        load(tmp_path, small(), replace(small("b"), **fields))
    for word in words:
        assert word in str(told.value)


def test_c14_a_column_that_a_file_lacks_is_missing_for_its_cells(tmp_path):
    raw = load(tmp_path, small(obs=of("text", "u", "v")), small("b", obs={}))
    assert raw.obs["column"].tolist()[:2] == ["u", "v"]
    assert raw.obs["column"].isna().tolist() == [False, False, True, True]
    numbers = load(tmp_path, small(obs=of("integer", 5, 6)), small("b", obs={})).obs["column"]
    assert numbers.dtype == float and numbers.tolist()[:2] == [5, 6]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (of("integer", 1, 2), of("float", 2.5, None), [1.0, 2.0, 2.5, None]),
        (of("integer", 1, 2), of("byte", 7, 8), [1.0, 2.0, 7.0, 8.0]),
        (of("integer", 1, 2), of("integer", 7, 8), [1, 2, 7, 8]),
        (of("float32", 0.5, None), of("float", 0.25, 2.0), [0.5, None, 0.25, 2.0]),
        (of("integer", 1, 2), of("text", "u", "2"), ["1", "2", "u", "2"]),
        (of("integer", 2**60 + 1, 2), of("float", 0.5, 1.0), [str(2**60 + 1), "2", "0.5", "1.0"]),
        (of("bool", True, False), of("text", "u", "False"), ["True", "False", "u", "False"]),
        (of("bool", True, False), of("nullable-boolean", None, True), [True, False, None, True]),
        (of("category", "u", None), of("text", "u", "v"), ["u", None, "u", "v"]),
        (of("category", 1, 2), of("category", "1", "w"), ["1", "2", "1", "w"]),
        (of("category", 1, None), of("nullable-integer", 1, None), [1.0, None, 1.0, None]),
        (of("nullable-text", "u", None), of("float", None, None), ["u", None, None, None]),
    ],
)
def test_c14_columns_of_several_types_keep_their_values(tmp_path, first, second, expected):
    """Numbers stay numbers where no value changes; what cannot be one type becomes text."""
    raw = load(tmp_path, small(obs=first), small("b", obs=second))
    found = stored(raw.obs, tmp_path)["column"]
    assert found.astype(object).where(found.notna(), None).tolist() == expected


def test_categories_are_united_and_unused_ones_stay(tmp_path):
    first = of("category", "u", "v", unused=("w", "u"), ordered=True)
    raw = load(tmp_path, small(obs=first), small("b", obs=of("category", "z", None)))
    assert isinstance(raw.obs["column"].dtype, pd.CategoricalDtype)
    assert list(raw.obs["column"].cat.categories) == ["w", "u", "v", "z"]
    assert raw.obs["column"].tolist()[:3] == ["u", "v", "z"]
    assert raw.obs["column"].isna().tolist()[3]


def test_bytes_are_text_as_the_file_meant_it(tmp_path):
    both = of("bytes", b"B cell", "é細".encode())
    assert load(tmp_path, small(obs=both)).obs["column"].tolist() == ["B cell", "é細"]
    with pytest.raises(InputError, match=r"a\.h5ad: obs column 'column' holds bytes that are no"):
        load(tmp_path, small(obs=of("bytes", b"\xff\xfe", b"")))


def test_a_name_that_stands_for_two_columns_is_refused(tmp_path):
    source = write_small(small(obs=of("integer", 1, 2)), tmp_path)
    with h5py.File(source.path, "r+") as store:
        store["obs"].attrs["column-order"] = ["column", "column"]
    with pytest.raises(InputError, match=r"a\.h5ad: several obs columns are named \['column'\]"):
        load_raw_cells([source, source])


def test_files_without_any_column_keep_their_cells(tmp_path):
    assert load(tmp_path, small(), small("b")).obs.shape == (4, 0)


def counts_of(raw, tmp_path, n_features=(3, 3)):
    places = [CountsPlace("X", "counts")] * len(raw.files)
    return RawCounts(raw, places, n_features, totals=None, scratch=tmp_path)


def test_blocks_lie_below_each_other_over_the_features_of_all_files(tmp_path):
    raw = load(tmp_path, small(), small("b", counts=COUNTS + 1, dtype="i4", encoding="csc"))
    counts = counts_of(raw, tmp_path)
    whole = np.zeros((4, 6), np.int64)
    for start, block in counts:
        assert block.dtype == np.int32
        whole[start : start + block.shape[0]] += block.toarray()
    expected = np.zeros((4, 6), np.int64)
    expected[:2, :3], expected[2:, 3:] = COUNTS, COUNTS + 1
    assert (whole == expected).all()
    assert [report["source"] for report in counts.reports] == ["a", "b"]
    assert counts.current == 1


def test_features_that_do_not_fit_var_are_refused(tmp_path):
    raw = load(tmp_path, small())
    with pytest.raises(InputError, match=r"3 features where var has 2"):
        list(counts_of(raw, tmp_path, (2,)))
