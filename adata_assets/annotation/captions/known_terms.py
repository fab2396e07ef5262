"""Which ontology term stands behind each known fact of a cell.

Belongs here: the facts of ``known`` looked up as the harmonised columns are, before rare categories
are folded: negatives are decided on what a cell is, not on how often that occurs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from adata_assets.annotation.harmonised.ontology import ONTOLOGY_FIELDS
from adata_assets.annotation.harmonised.terms import harmonise_value
from adata_assets.annotation.values import clean_values

TERM_SUFFIX = "_ontology_term_id"


def find_terms(
    known: pd.DataFrame, published: pd.DataFrame, columns: Mapping[str, str], *, species: str
) -> pd.Series:
    """Return the terms of what is known of each cell.

    Where the file has a column ``<column>_ontology_term_id`` its id decides, else the text.

    Parameters
    ----------
    known
        What ``known_of`` returned: a column of str or None per fact.
    published
        The files' own columns that leave the machine, of the same cells.
    columns
        Obs column of each fact of ``known``.
    species
        ``human``, ``mouse`` or ``other``: whose development stages.

    Returns
    -------
    JSON objects, field to term id; several terms of one value stand with `` || `` between them.
    """
    terms = {
        field: _terms_of_field(field, known[field], _ids(published, columns[field]), species)
        for field in known
        if field in ONTOLOGY_FIELDS
    }
    return _as_json(pd.DataFrame(terms, index=known.index, dtype=object))


def _ids(published: pd.DataFrame, column: str) -> pd.Series:
    name = f"{column}{TERM_SUFFIX}"
    if name in published:
        return clean_values(published[name])
    return pd.Series(np.full(len(published), None, dtype=object), index=published.index)


def _terms_of_field(field: str, texts: pd.Series, ids: pd.Series, species: str) -> np.ndarray:
    text_of, text = pd.factorize(texts)
    id_of, term_id = pd.factorize(ids)
    # Missing is -1, which is the last entry.
    named, numbered = [*text, None], [*term_id, None]
    code, pairs = pd.factorize(text_of % len(named) * len(numbered) + id_of % len(numbered))
    found = [
        _term(field, named[pair // len(numbered)], numbered[pair % len(numbered)], species)
        for pair in pairs.tolist()
    ]
    return np.array([*found, None], dtype=object)[code]


def _term(field: str, text: str | None, term_id: str | None, species: str) -> str | None:
    if text is None:
        return None
    return harmonise_value(field, text, term_id, species=species).term_id


def _as_json(terms: pd.DataFrame) -> pd.Series:
    code = np.zeros(len(terms), np.int64)
    for name in terms:
        codes, values = pd.factorize(terms[name])
        code = pd.factorize(code * (len(values) + 1) + codes + 1)[0]
    first = pd.Series(code).drop_duplicates().index
    texts = [
        json.dumps({f: v for f, v in row.items() if isinstance(v, str)}, sort_keys=True)
        for row in terms.iloc[first].to_dict("records")
    ]
    return pd.Series(np.array(texts or ["{}"], dtype=object)[code], index=terms.index)
