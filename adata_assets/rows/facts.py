"""What a cell is known to be, as classes of cells.

A *class* is a set of cells with the same known facts, the same caption and the same stated facts;
everything is decided between classes, and the rule is in ``contradictions``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from adata_assets.errors import InputError
from adata_assets.rows.relations import Ancestors, code_values

CAPTION_FIELD = "caption"


@dataclass(frozen=True, eq=False)
class FactClasses:
    """The classes of a table of cells.

    Attributes
    ----------
    fields
        ``"caption"``, then the fields of the facts.
    known
        int32 `(n_classes, n_fields)`, code of the value, -1 = unknown; the caption's code stands
        in column 0 for every cell that has a caption.
    stated
        bool `(n_classes, n_fields)`: the class's caption states that field; column 0 is False.
    is_given
        bool `(n_classes,)`: the caption was given as free text (else made from facts, or none).
    class_of
        int32 `(n_cells,)`, the class of each cell.
    related
        For each field of the facts (without the caption) bool `(n, n)`: which of its codes below n
        go together though they differ, as `relations` says; a field that is missing has none.
    """

    fields: tuple[str, ...]
    known: np.ndarray
    stated: np.ndarray
    is_given: np.ndarray
    class_of: np.ndarray
    related: tuple[np.ndarray, ...] = field(default=())

    def take(self, rows: np.ndarray) -> FactClasses:
        """The same classes for other cells: the given rows, in the given order."""
        return replace(self, class_of=self.class_of[rows])


def build_fact_classes(
    caption_id: pd.Series,
    caption_source: pd.Series,
    stated_facts: Sequence[Mapping[str, str]] | pd.Series,
    known: pd.DataFrame,
    *,
    terms: pd.DataFrame | None = None,
    ancestors: Ancestors | None = None,
) -> FactClasses:
    """The classes of `n_cells` cells; all arguments are aligned by position.

    Parameters
    ----------
    caption_id
        Equal for equal captions; missing where a cell has none.
    caption_source
        ``"given"`` or ``"made"``; missing where a cell has no caption.
    stated_facts
        Per cell, field -> value of what the caption states: mappings, or JSON objects as strings
        (missing = nothing). Which fields are stated counts; their values are those of `known`.
    known
        One column of strings per field; missing = unknown.
    terms
        Columns of `known`, some or all: the ontology term of each value, missing where none is.
    ancestors
        Ids of all terms above a term; needed with `terms`.

    Raises
    ------
    InputError
        Lengths differ; a caption without a source or the reverse; an unknown source; no JSON
        object; a made caption that states a field which is not known of its cell.

    Examples
    --------
    >>> classes = build_fact_classes(
    ...     pd.Series(["c1", "c2", "c1"]), pd.Series(["made"] * 3),
    ...     pd.Series(['{"sex": "male"}', '{"sex": "female"}', '{"sex": "male"}']),
    ...     pd.DataFrame({"sex": ["male", "female", "male"]}))
    >>> classes.class_of.tolist(), classes.known.tolist()
    ([0, 1, 0], [[0, 0], [1, 1]])
    """
    _require_aligned(caption_id, caption_source, stated_facts, known, terms)
    _require_sources(caption_id, caption_source)
    fields = (CAPTION_FIELD, *known.columns)
    is_given = caption_source.isin(["given"]).to_numpy(dtype=bool)
    given_terms = {} if terms is None else {f: terms[f] for f in terms.columns}
    coded = [code_values(known[f], given_terms.get(f), ancestors) for f in known.columns]
    codes = [pd.factorize(caption_id)[0], *(one.codes for one in coded)]
    pattern_of, patterns = _stated_patterns(stated_facts)
    is_made = caption_source.isin(["made"]).to_numpy(dtype=bool)
    _require_fields(patterns, pattern_of, is_made, list(known.columns))
    # Without a caption nothing is stated, whatever was left in the column.
    pattern_of = np.where(is_made | is_given, pattern_of, patterns.index(frozenset()))
    class_of, first_row = distinct_rows([*codes, pattern_of, is_given.astype(np.int64)])
    stated = np.array([[f in p for f in fields] for p in patterns], dtype=bool)
    stated[:, 0] = False
    classes = FactClasses(
        fields=fields,
        known=np.stack([column[first_row] for column in codes], axis=1).astype(np.int32),
        stated=stated[pattern_of[first_row]],
        is_given=is_given[first_row],
        class_of=class_of.astype(np.int32),
        related=tuple(one.related for one in coded),
    )
    _require_stated_is_known(classes, first_row)
    return classes


def _require_aligned(
    caption_id: pd.Series,
    caption_source: pd.Series,
    stated_facts: Sequence[Mapping[str, str]] | pd.Series,
    known: pd.DataFrame,
    terms: pd.DataFrame | None,
) -> None:
    lengths = {
        "caption_id": len(caption_id),
        "caption_source": len(caption_source),
        "stated_facts": len(stated_facts),
        "known": len(known),
        "terms": len(known if terms is None else terms),
    }
    if len(set(lengths.values())) > 1:
        raise InputError(f"facts of different numbers of cells: {lengths}; give one row per cell")
    if CAPTION_FIELD in known.columns:
        raise InputError(f"known has a column {CAPTION_FIELD!r}: captions come from caption_id")
    if not known.columns.is_unique:
        raise InputError(f"known has the columns {list(known.columns)}: name each field once")


def _require_sources(caption_id: pd.Series, caption_source: pd.Series) -> None:
    has_source = caption_source.notna().to_numpy()
    is_odd = has_source & ~caption_source.isin(["given", "made"]).to_numpy()
    if is_odd.any():
        row = int(is_odd.argmax())
        raise InputError(
            f"caption_source of row {row} is {caption_source.iloc[row]!r}: "
            "write 'given' or 'made', or leave it missing where there is no caption"
        )
    differs = has_source != caption_id.notna().to_numpy()
    if differs.any():
        row = int(differs.argmax())
        raise InputError(
            f"row {row} has caption_id {caption_id.iloc[row]!r} and caption_source "
            f"{caption_source.iloc[row]!r}: a cell has both or neither"
        )


def _stated_patterns(
    stated_facts: Sequence[Mapping[str, str]] | pd.Series,
) -> tuple[np.ndarray, list[frozenset[str]]]:
    """For every cell its set of stated fields, as a position in the list of different sets."""
    if isinstance(stated_facts, pd.Series):
        texts = stated_facts
    else:
        texts = pd.Series([json.dumps(dict(facts or {})) for facts in stated_facts], dtype=object)
    text_of, distinct = pd.factorize(texts)
    sets = [_stated_fields(text, i, text_of) for i, text in enumerate(distinct)]
    # Missing texts have the code -1 and find the empty set at the end.
    sets.append(frozenset())
    patterns = list(dict.fromkeys(sets))
    position = {fields: i for i, fields in enumerate(patterns)}
    return np.array([position[fields] for fields in sets])[text_of], patterns


def _stated_fields(text: str, code: int, text_of: np.ndarray) -> frozenset[str]:
    row = int((text_of == code).argmax())
    try:
        facts = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"caption_facts of row {row} is {text[:80]!r}, which is not JSON ({error}): "
            "write a JSON object"
        ) from error
    if not isinstance(facts, dict):
        raise InputError(f"caption_facts of row {row} is {text[:80]!r}: write a JSON object")
    return frozenset(field for field, value in facts.items() if value is not None)


def distinct_rows(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows of integer columns (>= -1): code per row, first row per code."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        n_values = int(column.max(initial=-1)) + 2
        code = pd.factorize(code * n_values + column + 1)[0]
    first_row = np.full(int(code.max(initial=-1)) + 1, len(code), dtype=np.int64)
    np.minimum.at(first_row, code, np.arange(len(code)))
    return code, first_row


def _require_fields(
    patterns: Sequence[frozenset[str]],
    pattern_of: np.ndarray,
    is_made: np.ndarray,
    known: list[str],
) -> None:
    for pattern in np.unique(pattern_of[is_made]):
        unlisted = patterns[pattern] - set(known)
        if unlisted:
            row = int((is_made & (pattern_of == pattern)).argmax())
            raise InputError(
                f"the made caption of row {row} states {sorted(unlisted)}, which known has no "
                f"column for (it has {known}): add the column"
            )


def _require_stated_is_known(classes: FactClasses, first_row: np.ndarray) -> None:
    broken = classes.stated & (classes.known < 0) & ~classes.is_given[:, None]
    if broken.any():
        cls, field = np.argwhere(broken)[0]
        raise InputError(
            f"the made caption of row {first_row[cls]} states {classes.fields[field]!r}, "
            "which is missing in known: a caption states only what is known"
        )
