"""The columns of the three published formats and the tables that have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.compute as pc

from adata_assets.errors import InputError
from adata_assets.schemas.rows import row_schema
from adata_assets.spec import DatasetSpec

FORMATS = ("single", "pairs", "multiplets")

_N_SHOWN = 3

# The consumer reads names that begin so as codes of an embedding, not as ids of cells.
_RESERVED_PREFIX = "omics:"

StringColumn: TypeAlias = pa.Array | pa.ChunkedArray


def schema_of_rows(spec: DatasetSpec) -> pandera.DataFrameSchema:
    """Return the schema of the rows that a dataset publishes."""
    return row_schema(
        spec.format,
        sentence_keys=spec.sentences.keys,
        negatives_per_sample=spec.negatives_per_sample,
        evaluator_columns=spec.evaluator_columns,
        negatives_as_text=spec.negatives.form == "text",
    )


def column_names(
    format: str,
    *,
    sentence_keys: Sequence[str],
    n_negatives: int,
    negatives_as_text: bool = False,
) -> list[str]:
    """The columns of a format, in their published order.

    `sentence_keys` are the names `cell_sentence_1` to `cell_sentence_k`; `n_negatives` matters to
    multiplets only, as does whether they are texts instead of ids.

    Raises
    ------
    InputError
        An unknown format, other sentence names, or multiplets without negatives.

    Examples
    --------
    >>> column_names("pairs", sentence_keys=["cell_sentence_1"], n_negatives=0)
    ['sample_idx', 'cell_sentence_1', 'caption', 'label', 'share_link', 'adata_link']
    """
    if format not in FORMATS:
        raise InputError(f"format {format!r} is unknown: choose one of {', '.join(FORMATS)}")
    expected = [f"cell_sentence_{i}" for i in range(1, len(sentence_keys) + 1)]
    if not sentence_keys or list(sentence_keys) != expected:
        raise InputError(
            f"sentence columns {list(sentence_keys)}: name them cell_sentence_1, cell_sentence_2, …"
        )
    if format == "multiplets" and n_negatives < 1:
        raise InputError(f"multiplets with {n_negatives} negatives: ask for at least 1")
    middle = {
        "single": [],
        "pairs": ["caption", "label"],
        "multiplets": [
            "positive",
            *negative_columns(n_negatives, negatives_as_text=negatives_as_text),
        ],
    }
    return ["sample_idx", *sentence_keys, *middle[format], "share_link", "adata_link"]


def negative_columns(n_negatives: int, *, negatives_as_text: bool) -> list[str]:
    """The negatives of multiplets: ids, or texts, never both (C7).

    Examples
    --------
    >>> negative_columns(1, negatives_as_text=False), negative_columns(1, negatives_as_text=True)
    (['negative_1_idx'], ['negative_1'])
    """
    end = "" if negatives_as_text else "_idx"
    return [f"negative_{i}{end}" for i in range(1, n_negatives + 1)]


def build_rows(
    format: str,
    *,
    sample_idx: StringColumn,
    sentences: Mapping[str, StringColumn],
    share_link: StringColumn,
    adata_link: StringColumn,
    caption: StringColumn | None = None,
    negative_ids: Sequence[StringColumn] | None = None,
    negative_texts: Sequence[StringColumn] | None = None,
    negative_caption: StringColumn | None = None,
) -> pa.Table:
    """The rows of some cells of a split, in the order of the cells.

    Parameters
    ----------
    format
        One of `FORMATS`. *pairs* gives two rows per cell, first the true caption with label 1.0,
        then the negative's with 0.0; the others give one.
    sample_idx
        Ids of the cells; `cell_sentence_1` must equal them, because the consumer looks the
        embedding up by it.
    sentences
        `cell_sentence_1` to `cell_sentence_k`.
    share_link, adata_link
        The links of each cell's chunk.
    caption
        Needed for pairs and multiplets (there it is the column `positive`).
    negative_ids
        multiplets: per slot the ids of the drawn cells.
    negative_texts
        multiplets, instead of ids: per slot the caption (odd slots) or the cell sentence (even
        slots) of the drawn cells.
    negative_caption
        pairs: the caption of the drawn cell.

    Returns
    -------
    Columns as :func:`column_names` says; `label` float64, all others `pa.string()`, no nulls.

    Raises
    ------
    InputError
        A column is missing, not asked for, of another length or has nulls; an id begins with
        ``omics:``; `cell_sentence_1` differs from `sample_idx`.
    """
    is_text = negative_texts is not None
    given = {
        "caption": caption,
        "negative_ids": negative_ids,
        "negative_texts": negative_texts,
        "negative_caption": negative_caption,
    }
    negatives = list(negative_texts or negative_ids or [])
    names = column_names(
        format,
        sentence_keys=list(sentences),
        n_negatives=len(negatives),
        negatives_as_text=is_text,
    )
    _require_given(format, given, is_text)
    named = negative_columns(len(negatives), negatives_as_text=is_text)
    texts = {
        "single": {},
        "pairs": {"caption": caption, "negative_caption": negative_caption},
        "multiplets": {"positive": caption, **dict(zip(named, negatives, strict=True))},
    }
    links = {"share_link": share_link, "adata_link": adata_link}
    rows = _require_strings({"sample_idx": sample_idx, **sentences, **texts[format], **links})
    _require_ids(rows)
    return _pair_up(rows, names) if format == "pairs" else rows.select(names)


def add_evaluator_columns(pairs: pa.Table) -> pa.Table:
    """Pairs with `sentence_1` (the genes) and `sentence_2` (the caption) before `label`.

    Evaluators of sentence-transformers look for these names; the other columns stay.
    """
    at = pairs.column_names.index("label")
    named = pairs.add_column(at, "sentence_1", pairs["cell_sentence_2"])
    return named.add_column(at + 1, "sentence_2", pairs["caption"])


def _require_given(format: str, given: Mapping[str, object], is_text: bool) -> None:
    needed: set[str] = {
        "single": set(),
        "pairs": {"caption", "negative_caption"},
        "multiplets": {"caption", "negative_texts" if is_text else "negative_ids"},
    }[format]
    has = {name for name, value in given.items() if value is not None}
    if has != needed:
        raise InputError(
            f"rows of format {format!r} got {sorted(has) or 'no texts'} and take "
            f"{sorted(needed) or 'none'}: pass exactly these"
        )


def _require_strings(columns: Mapping[str, StringColumn]) -> pa.Table:
    n_rows = len(columns["sample_idx"])
    arrays = {}
    for name, column in columns.items():
        if len(column) != n_rows:
            raise InputError(
                f"column {name!r} has {len(column)} values for {n_rows} cells: give one per cell"
            )
        if column.null_count:
            ids = _first_ids(columns["sample_idx"], pc.is_null(column))
            raise InputError(
                f"column {name!r} is null in {column.null_count} of {n_rows} rows, first for "
                f"{ids}: every published column is filled in every row"
            )
        arrays[name] = _as_string(column)
    return pa.table(arrays)


def _as_string(column: StringColumn) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(pa.string())


def _first_ids(sample_idx: StringColumn, is_bad: StringColumn) -> list[str]:
    return list(sample_idx.filter(is_bad).slice(0, _N_SHOWN).to_pylist())


def _require_ids(rows: pa.Table) -> None:
    ids = rows["sample_idx"]
    is_reserved = pc.starts_with(ids, _RESERVED_PREFIX)
    if pc.any(is_reserved).as_py():
        raise InputError(
            f"sample_idx begins with {_RESERVED_PREFIX!r}, first for {_first_ids(ids, is_reserved)}: "
            "the consumer reserves that prefix; rename the cells"
        )
    differs = pc.not_equal(rows["cell_sentence_1"], ids)
    if pc.any(differs).as_py():
        raise InputError(
            f"cell_sentence_1 differs from sample_idx, first for {_first_ids(ids, differs)}: "
            "it is the id by which the consumer finds the embedding"
        )


def _pair_up(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Two rows per cell: its own caption with label 1.0, then the negative's with 0.0."""
    n_cells = rows.num_rows
    each_twice = pa.array(np.repeat(np.arange(n_cells), 2))
    own_then_other = pa.array(np.arange(2 * n_cells).reshape(2, n_cells).T.ravel())
    captions = pa.chunked_array([*rows["caption"].chunks, *rows["negative_caption"].chunks])
    pairs = rows.drop_columns(["caption", "negative_caption"]).take(each_twice)
    pairs = pairs.append_column("caption", captions.take(own_then_other))
    pairs = pairs.append_column("label", pa.array(np.tile([1.0, 0.0], n_cells)))
    return pairs.select(names)
