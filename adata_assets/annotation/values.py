"""Values of obs columns: what is missing, what is plain text."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

MISSING = frozenset(
    ["", "unknown", "na", "n/a", "nan", "none", "not reported", "unassigned", "<na>"]
)
MAX_CHARS = 2000


def clean_values(column: pd.Series) -> pd.Series:
    """Return the column as str with None for every way of saying that nothing is known.

    Examples
    --------
    >>> clean_values(pd.Series(["B", "nan", "Unknown", None])).tolist()
    ['B', None, None, None]
    >>> clean_values(pd.Series([63.0, None, 0.5])).tolist()
    ['63', None, '0.5']
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, values = pd.factorize(column.astype(object))
    # A missing value has code -1, which is the last entry.
    cleaned = np.full(len(values) + 1, None, dtype=object)
    for place, value in enumerate(values):
        # Numbers become floats beside a missing value; an age is 63, not 63.0.
        is_whole = isinstance(value, float) and value.is_integer()
        text = clean_text(str(int(value) if is_whole else value))
        cleaned[place] = None if text.lower() in MISSING else text
    return pd.Series(cleaned[codes], index=column.index, dtype=object)


def clean_text(text: str) -> str:
    """Return printable text without control characters, markup and runs of white space."""
    printable = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    plain = re.sub(r"<[^<>]{1,200}>", " ", printable)
    return " ".join(plain.split())[:MAX_CHARS]
