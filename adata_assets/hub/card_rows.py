"""What the card says about rows: the format, its columns, the sentences, the first row.

Belongs here: one description for each column that a format can have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adata_assets.errors import InputError
from adata_assets.hub.markdown import code_span

_FORMATS = {
    "single": "each row is one cell, without a text.",
    "pairs": (
        "each row is one cell and one text. Every cell has two rows: one with its own caption and "
        "one with the caption of another cell."
    ),
    "multiplets": (
        "each row is one cell (the anchor), the caption that describes it (the positive) and "
        "{n_negatives} that do not fit (the negatives)."
    ),
}
_PAIRS_NOTE = (
    "The two rows of a cell share their `sample_idx`: a look-up by id sees two rows for each id."
)
_CONTRADICTS = "of another cell whose known facts contradict this cell's caption"
# (format or None for all, pattern of the name, what the column holds)
_COLUMNS: tuple[tuple[str | None, str, str], ...] = (
    (None, "sample_idx", "id of the cell; an entry of `adata.obs.index` in the linked file"),
    (None, "cell_sentence_1", "the id of the cell, by which its embedding is looked up"),
    (None, "cell_sentence_2", "gene symbols, separated by spaces, by falling expression"),
    (
        None,
        "cell_sentence_3",
        "marker genes, of any cell type, that the cell expresses, by falling expression; can "
        "contain the cell type",
    ),
    (None, "cell_sentence_4", "the genes of `cell_sentence_2`; can contain the cell type"),
    (None, "share_link", "address of the `.h5ad` file that holds the cell"),
    (
        None,
        "adata_link",
        "the same cells as a zarr store: address of a zip whose root is the zarr root, or path of "
        "a zarr folder",
    ),
    ("pairs", "caption", "a text: the cell's own caption, or that of another cell"),
    ("pairs", "sentence_1", "the sentence of the cell, named for evaluators"),
    ("pairs", "sentence_2", "a text, its own caption or another cell's, named for evaluators"),
    ("pairs", "label", "1.0 if the text is the cell's own caption, 0.0 if it is another cell's"),
    ("multiplets", "positive", "the caption of the cell"),
    ("multiplets", r"negative_\d*[13579]_idx", f"id {_CONTRADICTS}; its caption is the negative"),
    (
        "multiplets",
        r"negative_\d*[02468]_idx",
        f"id {_CONTRADICTS}; its cell sentence is the negative",
    ),
    ("multiplets", r"negative_\d*[13579]", f"caption {_CONTRADICTS}"),
    ("multiplets", r"negative_\d*[02468]", f"cell sentence {_CONTRADICTS}"),
)
_REQUIRED = {
    "single": ("sample_idx", "share_link"),
    "pairs": ("sample_idx", "label", "share_link"),
    "multiplets": ("sample_idx", "positive", "share_link"),
}


def explain_dataset_type(format: str, columns: Sequence[str], *, n_negatives: int) -> str:
    """Return the format in words and one list item for each column, in the order given (S3).

    Parameters
    ----------
    format
        ``single``, ``pairs`` or ``multiplets``.
    columns
        All columns of the published rows.
    n_negatives
        Negatives of a multiplet; not looked at for other formats.

    Raises
    ------
    InputError
        If the format is unknown, a column is repeated, has no description in this format or is
        missing, or the negative columns are not those of 1 … ``n_negatives``.
    """
    if format not in _FORMATS:
        raise InputError(f"row format {format!r} is unknown: use one of {', '.join(_FORMATS)}")
    _require_columns(format, columns)
    if format == "multiplets":
        _require_negatives(columns, n_negatives)
    n_words = "1 text or cell" if n_negatives == 1 else f"{n_negatives} texts or cells"
    lines = [f"This dataset is in the **{format}** format: {_FORMATS[format]} Its columns:", ""]
    lines += [f"- {code_span(name)}: {_describe_column(format, name)}" for name in columns]
    if format == "pairs":
        lines += ["", _PAIRS_NOTE]
    return "\n".join(lines).replace("{n_negatives}", n_words)


def describe_columns(format: str, columns: Sequence[str]) -> dict[str, str]:
    """Return what each column of a format holds, by its name; unknown columns are left out.

    Examples
    --------
    >>> describe_columns("pairs", ["label", "other"])
    {'label': "1.0 if the text is the cell's own caption, 0.0 if it is another cell's"}
    """
    told = {name: _describe_column(format, name) for name in columns}
    return {name: text for name, text in told.items() if text is not None}


def describe_sentence_length(lengths_max: int, lengths_min: int, asked: int) -> str:
    """Return the length of the cell sentences as it stands before the word "genes" (S4).

    Parameters
    ----------
    lengths_max, lengths_min
        Most and fewest genes in a sentence, counted in the published rows.
    asked
        Largest number of genes that the dataset's YAML asks for.

    Raises
    ------
    InputError
        If the rows break what was asked.

    Examples
    --------
    >>> describe_sentence_length(100, 100, 100), describe_sentence_length(100, 37, 100)
    ('100', 'at most 100')
    """
    if not 0 <= lengths_min <= lengths_max <= asked:
        raise InputError(
            f"cell sentences have {lengths_min} to {lengths_max} genes, but at most {asked} were "
            "asked for (sentences.length): materialize cell_texts and hf_splits again"
        )
    return str(asked) if lengths_min == asked else f"at most {asked}"


def describe_labels(n_labelled: Mapping[str, int], n_train: int) -> str:
    """Return what the card says about sentences that contain the cell type.

    Parameters
    ----------
    n_labelled
        For each semantic sentence the number of cells whose cell type stands in it, counted when
        they were written.
    n_train
        Train cells.

    Examples
    --------
    >>> describe_labels({"cell_sentence_3": 280}, 560).partition(" It ")[0].partition(": ")[2]
    'the cell type stands among the genes of `cell_sentence_3` in 280 of the 560 train cells.'
    """
    told = [f"{code_span(key)} in {n:,}" for key, n in n_labelled.items() if n]
    if not told:
        return ""
    return (
        "**Contains the label** (`contains_label`): the cell type stands among the genes of "
        f"{' and of '.join(told)} of the {n_train:,} train cells. It stands before the first "
        "marker gene of that type, or first of all. Labels were drawn at random; validation and "
        "test cells have none. A model that is given these sentences is told the answer: do not "
        "evaluate on train with them."
    )


def format_example_row(row: Mapping[str, Any], *, max_chars: int = 80) -> str:
    """Return ``column: value`` lines of one row; values are JSON, cut after ``max_chars`` (S6).

    A value never spans two lines, so it cannot end the block that it is shown in.

    Examples
    --------
    >>> print(format_example_row({"sample_idx": "AAAC-1", "label": 1.0}))
    sample_idx: "AAAC-1"
    label: 1.0
    """
    if not row:
        raise InputError("the example row has no columns: materialize hf_splits again")
    return "\n".join(f"{_one_line(name)}: {_shorten(row[name], max_chars)}" for name in row)


def _describe_column(format: str, name: str) -> str | None:
    for only, pattern, text in _COLUMNS:
        if only in (None, format) and re.fullmatch(pattern, name):
            return text
    return None


def _require_columns(format: str, columns: Sequence[str]) -> None:
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise InputError(f"columns {repeated} stand twice in the {format} rows")
    if unknown := [name for name in columns if _describe_column(format, name) is None]:
        raise InputError(
            f"columns {unknown} have no description in format {format!r}: publish only the "
            "format's own columns, or describe them in adata_assets/hub/card_rows.py"
        )
    if missing := [name for name in _REQUIRED[format] if name not in columns]:
        raise InputError(f"the {format} rows have no {missing}; found {list(columns)}")


def _require_negatives(columns: Sequence[str], n_negatives: int) -> None:
    found = [name for name in columns if name.startswith("negative")]
    ids = [f"negative_{i}_idx" for i in range(1, n_negatives + 1)]
    texts = [f"negative_{i}" for i in range(1, n_negatives + 1)]
    if sorted(found) not in (sorted(ids), sorted(texts)):
        raise InputError(
            f"negative columns are {found}: expected {ids} or {texts} (negatives_per_sample)"
        )


def _shorten(value: Any, max_chars: int) -> str:
    plain = value.item() if hasattr(value, "item") else value
    text = _one_line(json.dumps(plain, ensure_ascii=False, default=str))
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
