"""What the obs columns of a file hold: kinds, levels, what is missing.

Belongs here: one description per column. What a column may be used for is in ``roles``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from adata_assets.annotation.harmonised.privacy import find_identifiers
from adata_assets.annotation.values import clean_values

Kind = Literal["category", "text", "yes/no", "integer", "number", "empty"]

# Enough to recognise a column; a column of cell ids has one level per cell.
MAX_LEVELS = 20


@dataclass(frozen=True)
class ColumnLook:
    """One obs column.

    Attributes
    ----------
    n_distinct
        Different values, missing ones left out.
    n_missing
        Cells without a value, or with a word that says so (``unknown``, ``na``, …).
    levels
        Of texts: the most frequent values with their numbers of cells, at most ``MAX_LEVELS``.
    value_range
        Of numbers: the smallest and the largest.
    identifier
        Why the column looks like a direct identifier of people; its values are not told then.
    """

    name: str
    kind: Kind
    n_distinct: int
    n_missing: int
    levels: tuple[tuple[str, int], ...] = ()
    value_range: tuple[float, float] | None = None
    identifier: str | None = None

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.kind in ("integer", "number")


def describe_columns(obs: pd.DataFrame) -> tuple[ColumnLook, ...]:
    """Describe every obs column, in the file's order; a name may stand there twice.

    Examples
    --------
    >>> [one] = describe_columns(pd.DataFrame({"donor": ["a", "a", "unknown"]}))
    >>> one.kind, one.n_distinct, one.n_missing, one.levels
    ('text', 1, 1, (('a', 2),))
    """
    reasons = find_identifiers(obs)
    names = [str(name) for name in obs.columns]
    return tuple(
        _describe(name, obs.iloc[:, place], reasons.get(name)) for place, name in enumerate(names)
    )


def _describe(name: str, column: pd.Series, identifier: str | None) -> ColumnLook:
    dtype = column.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return _describe_numbers(name, column, identifier)
    texts = clean_values(column)
    found = texts.value_counts()
    # Equal frequencies are sorted by value, or the order of the cells would show.
    ordered = sorted(found.items(), key=lambda level: (-level[1], str(level[0])))[:MAX_LEVELS]
    levels = () if identifier else tuple((str(value), int(n)) for value, n in ordered)
    n_missing = int(texts.isna().sum())
    kind = _kind_of(dtype) if len(found) else "empty"
    return ColumnLook(name, kind, len(found), n_missing, levels, identifier=identifier)


def _describe_numbers(name: str, column: pd.Series, identifier: str | None) -> ColumnLook:
    known = column.dropna()
    n_missing = len(column) - len(known)
    if known.empty:
        return ColumnLook(name, "empty", 0, n_missing, identifier=identifier)
    kind: Kind = "integer" if pd.api.types.is_integer_dtype(known.dtype) else "number"
    ends = None if identifier else (float(known.min()), float(known.max()))
    return ColumnLook(name, kind, int(known.nunique()), n_missing, (), ends, identifier)


def _kind_of(dtype: object) -> Kind:
    if pd.api.types.is_bool_dtype(dtype):
        return "yes/no"
    return "category" if isinstance(dtype, pd.CategoricalDtype) else "text"
