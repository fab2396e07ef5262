"""What the card says about formats, columns, sentence lengths and the first row."""

from __future__ import annotations

import re

import numpy as np
import pytest

from adata_assets.errors import InputError
from adata_assets.hub.card_parts import (
    describe_sentence_length,
    explain_dataset_type,
    format_example_row,
)

CELL = ["sample_idx", "cell_sentence_1", "cell_sentence_2"]
LINKS = ["share_link", "adata_link"]
COLUMNS = {
    "single": [*CELL, *LINKS],
    "pairs": [*CELL, "caption", "label", *LINKS],
    "multiplets": [*CELL, "positive", "negative_1_idx", "negative_2_idx", *LINKS],
}


def _listed(text: str) -> list[str]:
    return re.findall(r"^- `([^`]+)`: \S", text, flags=re.MULTILINE)


@pytest.mark.parametrize("format", list(COLUMNS))
def test_s3_exactly_the_columns_that_are_there(format: str) -> None:
    """S3: the format is named, every column is described once, in order, and no other."""
    text = explain_dataset_type(format, COLUMNS[format], n_negatives=2)
    assert f"**{format}** format" in text
    assert _listed(text) == COLUMNS[format]
    other = {name for names in COLUMNS.values() for name in names} - set(COLUMNS[format])
    assert not [name for name in other if re.search(rf"`{name}`", text)]


@pytest.mark.parametrize("format", ["pairs", "multiplets"])
def test_s3_the_other_column_sets_of_a_format(format: str) -> None:
    """S3, C7, C8: resolved negatives, evaluator names, further sentences, no zarr column."""
    columns = {
        "pairs": ["sample_idx", "sentence_1", "sentence_2", "label", "share_link"],
        "multiplets": [*CELL, "cell_sentence_3", "positive", "negative_1", "share_link"],
    }[format]
    text = explain_dataset_type(format, columns, n_negatives=1)
    assert _listed(text) == columns
    assert "adata_link" not in text


def test_c6_odd_negatives_are_captions_and_even_ones_cells() -> None:
    """C6, C7."""
    ids = explain_dataset_type("multiplets", COLUMNS["multiplets"], n_negatives=2)
    assert re.search(r"`negative_1_idx`: id .*caption is the negative", ids)
    assert re.search(r"`negative_2_idx`: id .*cell sentence is the negative", ids)
    assert "2 texts or cells" in ids
    columns = ["sample_idx", "positive", "negative_1", "negative_2", "share_link"]
    texts = explain_dataset_type("multiplets", columns, n_negatives=2)
    assert re.search(r"`negative_1`: caption of another", texts)
    assert re.search(r"`negative_2`: cell sentence of another", texts)


def test_c4_pairs_say_that_a_look_up_sees_two_rows() -> None:
    """C4."""
    text = explain_dataset_type("pairs", COLUMNS["pairs"], n_negatives=0)
    assert "two rows for each id" in text
    assert "two rows" not in explain_dataset_type("single", COLUMNS["single"], n_negatives=0)


@pytest.mark.parametrize(
    ("format", "columns", "message"),
    [
        ("triplets", COLUMNS["single"], "single, pairs, multiplets"),
        ("single", [*COLUMNS["single"], "positive"], "positive.*no description"),
        ("pairs", [*COLUMNS["pairs"], "negative_1_idx"], "negative_1_idx.*no description"),
        ("single", [*COLUMNS["single"], "sample_idx"], "sample_idx.*twice"),
        ("pairs", ["sample_idx", "caption", "share_link"], "label"),
        ("multiplets", [*COLUMNS["multiplets"][:-3], *LINKS], "negative_2_idx"),
        ("multiplets", [*COLUMNS["multiplets"], "negative_1"], "negatives_per_sample"),
        ("multiplets", COLUMNS["single"], "positive"),
    ],
)
def test_s3_columns_that_do_not_fit_are_refused(
    format: str, columns: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        explain_dataset_type(format, columns, n_negatives=2)


def test_s4_the_length_is_that_of_the_rows() -> None:
    """S4: the number alone only if every sentence has it; a longer sentence is an error."""
    assert describe_sentence_length(100, 100, 100) == "100"
    assert describe_sentence_length(100, 99, 100) == "at most 100"
    assert describe_sentence_length(37, 0, 100) == "at most 100"
    for longest, shortest in ((101, 90), (50, 60), (50, -1)):
        with pytest.raises(InputError, match=r"sentences\.length"):
            describe_sentence_length(longest, shortest, 100)


def test_s6_every_column_with_its_value_shortened() -> None:
    """S6."""
    row = {
        "sample_idx": "AAAC-1",
        "cell_sentence_2": "CD3D " * 100,
        "label": np.float32(1.0),
        "n": np.int64(3),
        "none": None,
    }
    lines = format_example_row(row, max_chars=40).splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(row)
    values = [line.partition(": ")[2] for line in lines]
    assert values[0] == '"AAAC-1"'
    assert (len(values[1]), values[1][-1]) == (40, "…")
    assert values[2:] == ["1.0", "3", "null"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u0085", "\x0c"])
def test_s6_a_value_cannot_end_its_block(end: str) -> None:
    text = f"T cell{end}```{end}<script>"
    assert len(format_example_row({"caption": text}).splitlines()) == 1


def test_s6_an_empty_row_is_refused() -> None:
    with pytest.raises(InputError, match="no columns"):
        format_example_row({})
