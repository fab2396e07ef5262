"""C3, C4, C5, C6, C8, C9: the columns of the three formats."""

from __future__ import annotations

import pyarrow as pa
import pytest

from adata_assets.errors import InputError
from adata_assets.rows.formats import FORMATS, build_rows, column_names

KEYS = ["cell_sentence_1", "cell_sentence_2"]
IDS = ["c1", "c2", "c3"]


def parts(**changed: object) -> dict[str, object]:
    common = {
        "sample_idx": pa.array(IDS),
        "sentences": {KEYS[0]: pa.array(IDS), KEYS[1]: pa.array(["LYZ CD3E", "", "LYZ"])},
        "share_link": pa.array(["h5ad"] * 3).dictionary_encode(),
        "adata_link": pa.array(["zarr"] * 3),
    }
    return common | changed


def texts_of(format: str) -> dict[str, object]:
    caption = pa.array(["A.", "B.", "C."])
    return {
        "single": {},
        "pairs": {"caption": caption, "negative_caption": pa.array(["C.", "A.", "A."])},
        "multiplets": {
            "caption": caption,
            "negative_ids": [
                pa.array(["c3", "c1", "c1"]),
                pa.chunked_array([["c2"], ["c3", "c1"]]),
            ],
        },
    }[format]


def test_columns_of_the_formats() -> None:
    links = ["share_link", "adata_link"]
    assert column_names("single", sentence_keys=KEYS, n_negatives=0) == [
        "sample_idx",
        *KEYS,
        *links,
    ]
    assert column_names("pairs", sentence_keys=KEYS, n_negatives=1) == [
        "sample_idx", *KEYS, "caption", "label", *links
    ]  # fmt: skip
    assert column_names("multiplets", sentence_keys=KEYS[:1], n_negatives=2) == [
        "sample_idx", KEYS[0], "positive", "negative_1_idx", "negative_2_idx", *links
    ]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_rows_have_the_columns_as_filled_strings(format: str) -> None:
    """C3, C6, C9: the same names and types for every piece, no nulls."""
    rows = build_rows(format, **parts(**texts_of(format)))
    n_negatives = 2 if format == "multiplets" else 0
    assert rows.column_names == column_names(format, sentence_keys=KEYS, n_negatives=n_negatives)
    for field in rows.schema:
        assert field.type == (pa.float64() if field.name == "label" else pa.string())
    assert all(column.null_count == 0 for column in rows.columns)
    assert rows["cell_sentence_1"] == rows["sample_idx"]


def test_multiplets_rows() -> None:
    rows = build_rows("multiplets", **parts(**texts_of("multiplets"))).to_pydict()
    assert rows["positive"] == ["A.", "B.", "C."]
    assert rows["negative_1_idx"] == ["c3", "c1", "c1"]
    assert rows["negative_2_idx"] == ["c2", "c3", "c1"]


def test_pairs_rows() -> None:
    """C8: two rows per anchor, the true caption first."""
    rows = build_rows("pairs", **parts(**texts_of("pairs"))).to_pydict()
    assert rows["sample_idx"] == ["c1", "c1", "c2", "c2", "c3", "c3"]
    assert rows["caption"] == ["A.", "C.", "B.", "A.", "C.", "A."]
    assert rows["label"] == [1.0, 0.0] * 3
    assert rows["cell_sentence_2"] == ["LYZ CD3E"] * 2 + [""] * 2 + ["LYZ"] * 2


@pytest.mark.parametrize("format", FORMATS)
def test_no_cells(format: str) -> None:
    none = pa.array([], pa.string())
    texts = {k: [none] if k == "negative_ids" else none for k in texts_of(format)}
    sentences = dict.fromkeys(KEYS, none)
    rows = build_rows(
        format, sample_idx=none, sentences=sentences, share_link=none, adata_link=none, **texts
    )
    assert rows.num_rows == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"share_link": pa.array(["a", None, "c"])}, r"'share_link' is null in 1 .* \['c2'\]"),
        ({"adata_link": pa.array(["a"])}, "'adata_link' has 1 values for 3 cells"),
        ({"caption": pa.array(IDS)}, r"'single' got \['caption'\] and take none"),
        ({"sample_idx": pa.array(["c1", "x", "y"])}, r"differs from sample_idx, .*\['x', 'y'\]"),
        ({"sentences": {"genes": pa.array(IDS)}}, r"\['genes'\]: name them cell_sentence_1"),
    ],
)
def test_bad_columns_are_named(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_rows("single", **parts(**changed))


def test_ids_of_the_consumer_are_refused() -> None:
    """C4: no sample_idx begins with omics:."""
    ids = pa.array(["omics:1", "b", "c"])
    with pytest.raises(InputError, match=r"first for \['omics:1'\]"):
        build_rows("single", **parts(sample_idx=ids, sentences={KEYS[0]: ids}))


def test_missing_texts_and_wrong_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"'pairs' got \['caption'\]"):
        build_rows("pairs", **parts(caption=pa.array(IDS)))
    with pytest.raises(InputError, match="'triplets' is unknown: choose one of single, pairs"):
        column_names("triplets", sentence_keys=KEYS, n_negatives=1)
    with pytest.raises(InputError, match="multiplets with 0 negatives"):
        build_rows("multiplets", **parts(caption=pa.array(IDS), negative_ids=[]))
    with pytest.raises(InputError, match="name them cell_sentence_1"):
        column_names("single", sentence_keys=[], n_negatives=0)
