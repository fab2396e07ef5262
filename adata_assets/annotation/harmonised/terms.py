"""What one value of cell metadata becomes: its words, its term, and what is to be said about it.

Belongs here: one pair of text and term id. Columns and counts stand in ``harmonise``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from adata_assets.annotation.harmonised.ontology import (
    ONTOLOGY_FIELDS,
    NoTerm,
    Term,
    is_name_of,
    look_up_term,
    read_term_id,
)

FINDING_COLUMNS = ("column", "finding", "value", "detail", "n_obs")
# Fields with a fixed vocabulary instead of an ontology, after the CELLxGENE schema.
_VOCABULARY = {
    "suspension_type": {"cells": "cell", "nuclei": "nucleus", "cell": "cell", "nucleus": "nucleus"},
    "tissue_type": {
        word: word
        for word in ("tissue", "organoid", "cell line", "primary cell culture", "cell culture")
    },
}
_BETWEEN_TERMS = " || "


class Finding(NamedTuple):
    """One row of the report."""

    column: str
    finding: str
    value: str | None
    detail: str
    n_obs: int


@dataclass(frozen=True)
class Remark:
    """A finding about a value; ``of_id`` if it is about the term id column."""

    finding: str
    value: str
    detail: str
    of_id: bool = False


@dataclass(frozen=True)
class HarmonisedValue:
    """The words and the term of one value; several terms stand with `` || `` between them."""

    value: str | None
    term_id: str | None
    findings: tuple[Remark, ...] = ()


def harmonise_value(
    field: str, text: str | None, term_id: str | None, *, species: str
) -> HarmonisedValue:
    """Return what a cleaned text and a cleaned term id of one field become.

    Examples
    --------
    >>> harmonise_value("cell_type", "B cells", None, species="human").term_id
    'CL:0000236'
    """
    if field not in ONTOLOGY_FIELDS:
        return _from_vocabulary(field, text)
    remarks: list[Remark] = []
    if term_id is not None:
        found = [look_up_term(field, part, species=species) for part in _split_ids(term_id)]
        if terms := _all_terms(found):
            said = _remarks_on_id(field, text, term_id, terms, species)
            return HarmonisedValue(_labels(terms), _ids(terms), tuple(said))
        remarks = [
            Remark(one.finding, term_id, one.detail, of_id=True)
            for one in found
            if isinstance(one, NoTerm)
        ]
    if text is None:
        return HarmonisedValue(None, None, tuple(remarks))
    return _from_text(field, text, species, remarks)


def _from_text(field: str, text: str, species: str, remarks: list[Remark]) -> HarmonisedValue:
    found = [look_up_term(field, part.strip(), species=species) for part in text.split("||")]
    if terms := _all_terms(found):
        how = " and ".join(dict.fromkeys(term.found_by for term in terms))
        remarks.append(Remark("mapped", text, f"{_labels(terms)!r} ({_ids(terms)}), by {how}"))
        remarks += _remarks_on_retired(text, terms, of_id=False)
        return HarmonisedValue(_labels(terms), _ids(terms), tuple(remarks))
    remarks += [Remark(one.finding, text, one.detail) for one in found if isinstance(one, NoTerm)]
    # An id in the column of names is no word that a caption can say.
    value = None if read_term_id(text) else text
    return HarmonisedValue(value, None, tuple(remarks))


def _remarks_on_id(
    field: str, text: str | None, term_id: str, terms: list[Term], species: str
) -> list[Remark]:
    remarks = _remarks_on_retired(term_id, terms, of_id=True)
    if text is None:
        detail = f"{_labels(terms)!r} ({_ids(terms)}), by its id"
        return [*remarks, Remark("mapped", term_id, detail, of_id=True)]
    parts = [part.strip() for part in text.split("||")]
    agrees = len(parts) == len(terms) and all(
        _agrees(field, part, term, species) for part, term in zip(parts, terms, strict=True)
    )
    if not agrees:
        detail = f"the id says {_labels(terms)!r} ({_ids(terms)}), which is used"
        remarks.append(Remark("disagreement", text, detail))
    return remarks


def _agrees(field: str, text: str, term: Term, species: str) -> bool:
    if is_name_of(text, term.term_id):
        return True
    found = look_up_term(field, text, species=species)
    return isinstance(found, Term) and found.term_id == term.term_id


def _remarks_on_retired(value: str, terms: list[Term], *, of_id: bool) -> list[Remark]:
    return [
        Remark("replaced", value, f"{term.replaces} is now {term.label!r} ({term.term_id})", of_id)
        for term in terms
        if term.replaces
    ]


def _from_vocabulary(field: str, text: str | None) -> HarmonisedValue:
    words = _VOCABULARY.get(field)
    if text is None or words is None:
        return HarmonisedValue(text, None)
    plain = text.lower()
    if plain in words:
        return HarmonisedValue(words[plain], None)
    detail = f"none of {', '.join(sorted(set(words.values())))}"
    return HarmonisedValue(text, None, (Remark("unknown_term", text, detail),))


def _split_ids(text: str) -> list[str]:
    """Return the ids of a cell that has several; they stand with ``||`` or a comma between them."""
    return [part for part in re.split(r"\s*(?:\|\||,)\s*", text) if part] or [text]


def _all_terms(found: list[Term | NoTerm]) -> list[Term]:
    """Return the terms, each once, or none if one of the parts has no term."""
    terms = {one.term_id: one for one in found if isinstance(one, Term)}
    return list(terms.values()) if all(isinstance(one, Term) for one in found) else []


def _labels(terms: list[Term]) -> str:
    return _BETWEEN_TERMS.join(term.label for term in terms)


def _ids(terms: list[Term]) -> str:
    return _BETWEEN_TERMS.join(term.term_id for term in terms)
