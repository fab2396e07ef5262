"""Which values of a fact exclude each other: unequal ones whose ontology terms are not related.

Belongs here: values of one field turned into codes, and which codes go together. Two values go
together if they are equal, if they mean one term, or if the term of one lies above that of the
other. What lies above a term is told by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Ancestors = Callable[[str], frozenset[str]]
# A value that means several terms names them so.
BETWEEN_TERMS = " || "
# The header of `pack_relations`: the number of the cell type, then a pair for each field.
CELL_TYPE_FACT, FIRST_PAIR = 0, 1


@dataclass(frozen=True, eq=False)
class CodedValues:
    """The values of one field as codes.

    Attributes
    ----------
    codes
        int64 `(n_cells,)`; -1 = unknown.
    related
        bool `(n, n)`, which of the codes below n go together; others go with themselves only.
    """

    codes: np.ndarray
    related: np.ndarray


def code_values(
    values: pd.Series, terms: pd.Series | None = None, ancestors: Ancestors | None = None
) -> CodedValues:
    """Turn the values of a field into codes, the same for the same value and term.

    Parameters
    ----------
    values
        Texts; missing = unknown.
    terms
        The ontology term that each value means, several with ``" || "`` between them; missing where
        none is known.
    ancestors
        Ids of all terms above a term; needed with `terms`.

    Examples
    --------
    >>> above = {"T": frozenset({"L"}), "L": frozenset(), "M": frozenset()}
    >>> coded = code_values(pd.Series(["T cell", "lymphocyte", "mystery"]),
    ...                     pd.Series(["T", "L", None]), above.__getitem__)
    >>> coded.codes.tolist(), coded.related.tolist()
    ([0, 1, 2], [[True, True], [True, True]])
    """
    text_of = pd.factorize(values)[0].astype(np.int64)
    if terms is None or ancestors is None or not terms.notna().any():
        return CodedValues(text_of, np.zeros((0, 0), dtype=bool))
    term_of, names = pd.factorize(terms)
    n_terms = len(names) + 1
    pair_of = np.where(text_of < 0, -1, text_of * n_terms + term_of + 1)
    pairs = np.unique(pair_of[pair_of >= 0])
    # A text that has a term in some cell goes with itself where it has none.
    has_term = np.isin(pairs // n_terms, np.unique(pairs[pairs % n_terms > 0] // n_terms))
    ordered = np.concatenate([pairs[has_term], pairs[~has_term]])
    code_of_pair = np.empty(len(pairs), dtype=np.int64)
    code_of_pair[np.searchsorted(pairs, ordered)] = np.arange(len(ordered))
    codes = np.where(pair_of < 0, -1, code_of_pair[np.searchsorted(pairs, pair_of.clip(0))])
    known = ordered[: int(has_term.sum())]
    meant = [_split(names[i - 1]) if i else frozenset() for i in (known % n_terms).tolist()]
    return CodedValues(codes, _relate(known // n_terms, meant, ancestors))


def _split(terms: str) -> frozenset[str]:
    return frozenset(terms.split(BETWEEN_TERMS))


def _relate(
    text_of: np.ndarray, meant: Sequence[frozenset[str]], ancestors: Ancestors
) -> np.ndarray:
    """Which pairs of text and terms go together, bool `(n, n)`."""
    names = sorted({term for terms in meant for term in terms})
    place = {name: i for i, name in enumerate(names)}
    is_meant = np.zeros((len(meant), len(names)), dtype=np.float32)
    is_above = np.eye(len(names), dtype=np.float32)
    for row, terms in enumerate(meant):
        is_meant[row, [place[term] for term in terms]] = 1
    for name in names:
        above = [place[term] for term in ancestors(name) if term in place]
        is_above[place[name], above] = 1
    below_or_above = is_above + is_above.T
    by_term: np.ndarray = (is_meant @ below_or_above @ is_meant.T) > 0
    return by_term | (text_of[:, None] == text_of[None, :])


def pack_relations(related: Sequence[np.ndarray], cell_type_fact: int) -> np.ndarray:
    """All fields' relations as the one int32 array that `kernels` takes.

    It begins with the number of the cell type's field (-1: none); then for each field the number of
    codes n that have relations and where its `(n, n)` of 0 and 1 begins.
    """
    header = [cell_type_fact]
    begin = FIRST_PAIR + 2 * len(related)
    for matrix in related:
        header += [len(matrix), begin]
        begin += matrix.size
    parts = [np.array(header), *(matrix.ravel() for matrix in related)]
    return np.concatenate(parts).astype(np.int32)
