"""Values of obs columns: what is missing, what is plain text."""

from __future__ import annotations

import re
import unicodedata

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
    """
    codes, values = pd.factorize(column.astype(object))
    texts = [clean_text(str(value)) for value in values]
    cleaned = [*(None if text.lower() in MISSING else text for text in texts), None]
    return pd.Series([cleaned[code] for code in codes], index=column.index, dtype=object)


def clean_text(text: str) -> str:
    """Return printable text without control characters, markup and runs of white space."""
    printable = "".join(" " if unicodedata.category(c)[0] == "C" else c for c in text)
    plain = re.sub(r"<[^<>]{1,200}>", " ", printable)
    return " ".join(plain.split())[:MAX_CHARS]
