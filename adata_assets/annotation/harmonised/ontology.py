"""Words of cell metadata as terms of public ontologies, offline.

Belongs here: which term an id or a name means, and what lies above a term (tables of the
``cellxgene-ontology-guide`` package). How a text finds its term, the first that finds one wins:

1. it is an id: ``CL:0000236``, ``CL_0000236`` or the term's web address;
2. it is the name of one term; 3. it is a synonym of one term only;
4. by a form of it that the field allows: of cell types the singular, ``CD14+`` as
   ``CD14-positive``, the name without its last word ``cell`` (``B``); of development stages the
   name without ``human`` or ``mouse``; ``M`` and ``F`` for sex; ``healthy`` for no disease;
5. it is the name of a retired term that names one term in its place.

Case, white space and typographic quotes do not count, ``_`` is a blank; of several terms none is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adata_assets.annotation.harmonised.ontology_tables import (
    Ontology,
    load_ontology,
    normalise_name,
)
from adata_assets.annotation.values import MISSING, clean_text
from adata_assets.errors import InputError

NORMAL = "PATO:0000461"
# Ontology and the terms below which a field lies (none: everywhere), as the CELLxGENE schema says.
_Place = tuple[str, frozenset[str]]
_STAGES: dict[str, tuple[_Place, ...]] = {
    "human": (("HsapDv", frozenset()),),
    "mouse": (("MmusDv", frozenset()),),
    "other": (("UBERON", frozenset(["UBERON:0000105"])),),
}
_PLACES: dict[str, tuple[_Place, ...]] = {
    "assay": (("EFO", frozenset(["EFO:0002772", "EFO:0010183"])),),
    "cell_type": (("CL", frozenset(["CL:0000000"])),),
    "disease": (("MONDO", frozenset()), ("PATO", frozenset([NORMAL]))),
    "organism": (("NCBITaxon", frozenset()),),
    "self_reported_ethnicity": (("HANCESTRO", frozenset()),),
    "sex": (("PATO", frozenset(["PATO:0001894"])),),
    "tissue": (("UBERON", frozenset(["UBERON:0001062"])),),
}
# A tissue can be a cell culture, which is named by its cell type; by id only, for no one means a
# tissue who writes "B cell".
_BY_ID_ONLY: dict[str, tuple[_Place, ...]] = {"tissue": (("CL", frozenset(["CL:0000000"])),)}
ONTOLOGY_FIELDS = (*sorted(_PLACES), "development_stage")
_PREFIXES = {
    name.casefold(): name
    for name in ("CL", "UBERON", "MONDO", "EFO", "HsapDv", "MmusDv", "PATO", "HANCESTRO")
} | {"afpo": "AfPO", "ncbitaxon": "NCBITaxon"}
_ALIASES = {"sex": {"m": "male", "f": "female"}, "disease": {"healthy": "normal"}}
_N_SUGGESTED = 3


@dataclass(frozen=True)
class Term:
    """A term that a text means.

    Attributes
    ----------
    term_id, label
        Of the term as the ontology has it now.
    found_by
        The rule that found it, in words: ``its id``, ``its name``, ``a synonym``, …
    replaces
        The retired term that the text means, or None.
    """

    term_id: str
    label: str
    found_by: str
    replaces: str | None = None


@dataclass(frozen=True)
class NoTerm:
    """Why a text finds no term.

    Attributes
    ----------
    finding
        ``unknown_term``, ``ambiguous`` or ``deprecated`` (retired without one term in its place).
    detail
        The reason in words.
    """

    finding: Literal["unknown_term", "ambiguous", "deprecated"]
    detail: str


def find_term(field: str, text: str, *, species: str = "human") -> Term | None:
    """Return the term that a text means in a field of cell metadata, or None.

    Parameters
    ----------
    field
        One of ``ONTOLOGY_FIELDS``.
    text
        An id or a name.
    species
        ``human``, ``mouse`` or ``other``: whose development stages.

    Examples
    --------
    >>> find_term("cell_type", "Macrophages").term_id
    'CL:0000235'
    >>> find_term("disease", "PATO:0000461").label
    'normal'
    """
    found = look_up_term(field, text, species=species)
    return found if isinstance(found, Term) else None


def look_up_term(field: str, text: str, *, species: str = "human") -> Term | NoTerm:
    """Return what ``find_term`` does, or why there is none.

    Raises
    ------
    InputError
        If the field has no ontology.
    """
    places = _places(field, species)
    plain = clean_text(text)
    if plain.lower() in MISSING:
        return NoTerm("unknown_term", f"{text!r} says that nothing is known")
    if term_id := read_term_id(plain):
        return _look_up_id(field, term_id, (*places, *_id_places(field)))
    return _look_up_name(field, plain, places)


def read_term_id(text: str) -> str | None:
    """Return a text as a term id (``CL:0000236``), or None if it is none of a known ontology.

    Examples
    --------
    >>> read_term_id("http://purl.obolibrary.org/obo/CL_0000236"), read_term_id("T_cells")
    ('CL:0000236', None)
    """
    match = re.fullmatch(r"(?:https?://\S+/)?([A-Za-z]+)[:_](\d+)", text.strip())
    prefix = _PREFIXES.get(match[1].casefold()) if match else None
    return f"{prefix}:{match[2]}" if match and prefix else None


def ancestors_of(term_id: str) -> frozenset[str]:
    """Return the ids of all terms above a term, without itself; none above a retired one.

    Raises
    ------
    InputError
        If there is no such term.

    Examples
    --------
    >>> "CL:0000542" in ancestors_of("CL:0000236")  # a B cell is a lymphocyte
    True
    """
    known = read_term_id(term_id)
    ontology = _ontology_of(known) if known else None
    if known is None or ontology is None or not ontology.has(known):
        raise InputError(f"{term_id!r} is no term of {', '.join(sorted(_PREFIXES.values()))}")
    return frozenset(ontology.ancestors.get(known, ()))


def is_name_of(text: str, term_id: str) -> bool:
    """Whether a term is called so, by name or synonym."""
    ontology, name = _ontology_of(term_id), normalise_name(text)
    return term_id in (*ontology.by_label.get(name, ()), *ontology.by_synonym.get(name, ()))


def suggest_terms(field: str, text: str, *, species: str = "human") -> list[str]:
    """Return up to three names with their ids that contain all words of a text, the shortest first.

    Examples
    --------
    >>> suggest_terms("cell_type", "CD14+ Mono")[:1]
    ["'CD14-positive monocyte' (CL:0001054)"]
    """
    words = [f" {word}" for word in normalise_name(text.replace("+", "-positive ")).split()]
    found: dict[str, str] = {}
    for name, roots in _places(field, species):
        ontology = load_ontology(name)
        for names in (ontology.by_label, ontology.by_synonym):
            for spelt, ids in names.items():
                if all(word in f" {spelt}" for word in words):
                    found |= {i: ontology.labels[i] for i in ids if _lies_below(ontology, i, roots)}
    nearest = sorted(found, key=lambda term_id: (len(found[term_id]), term_id))[:_N_SUGGESTED]
    return [f"{found[term_id]!r} ({term_id})" for term_id in nearest]


def _places(field: str, species: str) -> tuple[_Place, ...]:
    if field == "development_stage":
        return _STAGES.get(species, _STAGES["other"])
    if field not in _PLACES:
        raise InputError(f"{field!r} has no ontology; fields that have: {list(ONTOLOGY_FIELDS)}")
    return _PLACES[field]


def _id_places(field: str) -> tuple[_Place, ...]:
    if field == "development_stage":
        return tuple(place for places in _STAGES.values() for place in places)
    return _BY_ID_ONLY.get(field, ())


def _ontology_of(term_id: str) -> Ontology:
    prefix = term_id.partition(":")[0]
    return load_ontology("HANCESTRO" if prefix == "AfPO" else prefix)


def _lies_below(ontology: Ontology, term_id: str, roots: frozenset[str]) -> bool:
    return not roots or term_id in roots or not roots.isdisjoint(ontology.ancestors[term_id])


def _fits(term_id: str, places: tuple[_Place, ...]) -> bool:
    ontology = _ontology_of(term_id)
    return term_id in ontology.labels and any(
        load_ontology(name) is ontology and _lies_below(ontology, term_id, roots)
        for name, roots in places
    )


def _look_up_id(field: str, term_id: str, places: tuple[_Place, ...]) -> Term | NoTerm:
    ontology = _ontology_of(term_id)
    if _fits(term_id, places):
        return Term(term_id, ontology.labels[term_id], "its id")
    if term_id in ontology.retired:
        return _replace(term_id, places, found_by="its id")
    if term_id in ontology.labels:
        return NoTerm("unknown_term", f"{ontology.labels[term_id]!r} is no {_words(field)}")
    return NoTerm("unknown_term", f"no such term in {ontology.name} {ontology.version}")


def _replace(term_id: str, places: tuple[_Place, ...], *, found_by: str) -> Term | NoTerm:
    seen, current = [term_id], term_id
    while replacement := read_term_id(_ontology_of(current).retired[current].replaced_by or ""):
        if _fits(replacement, places):
            label = _ontology_of(replacement).labels[replacement]
            return Term(replacement, label, found_by, replaces=term_id)
        if replacement in seen or replacement not in _ontology_of(replacement).retired:
            break
        seen.append(replacement)
        current = replacement
    consider = ", ".join(_ontology_of(term_id).retired[term_id].consider) or "none"
    reason = f"{term_id} is retired without one term in its place; to consider: {consider}"
    return NoTerm("deprecated", reason)


def _look_up_name(field: str, text: str, places: tuple[_Place, ...]) -> Term | NoTerm:
    plain = normalise_name(text)
    for form, rule in _forms(field, plain):
        for synonyms in (False, True):
            ids = list(_ids_called(form, places, synonyms=synonyms))
            if len(ids) == 1:
                found_by = rule or ("a synonym" if synonyms else "its name")
                return Term(ids[0], _ontology_of(ids[0]).labels[ids[0]], found_by)
            if ids:
                called = [f"{_ontology_of(i).labels[i]!r} ({i})" for i in ids]
                return NoTerm("ambiguous", f"could be {', '.join(called[:5])}")
    for name, _ in places:
        retired = load_ontology(name).retired_by_label.get(plain, ())
        if len(retired) == 1:
            found = _replace(retired[0], places, found_by="its name")
            if isinstance(found, Term) or load_ontology(name).retired[retired[0]].consider:
                return found
    return NoTerm("unknown_term", f"no {_words(field)} of {places[0][0]} is called so")


def _ids_called(name: str, places: tuple[_Place, ...], *, synonyms: bool) -> Iterator[str]:
    for ontology_name, roots in places:
        ontology = load_ontology(ontology_name)
        ids = (ontology.by_synonym if synonyms else ontology.by_label).get(name, ())
        yield from (term_id for term_id in ids if _lies_below(ontology, term_id, roots))


def _forms(field: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name, then its other forms, each with the rule that made it."""
    yield name, ""
    if alias := _ALIASES.get(field, {}).get(name):
        yield alias, f"reading {name!r} as {alias!r}"
    if field == "development_stage":
        yield re.sub(r"\b(human|mouse) ", "", name), "leaving out the species"
    if field != "cell_type":
        return
    forms = {name: ""}
    if name.endswith("s") and not name.endswith("ss"):
        forms[name[:-1]] = "its singular"
    for form, rule in list(forms.items()):
        positive = re.sub(r"(?<=\w)\+(?=\s|$)", "-positive", form)
        forms.setdefault(positive, " and ".join(filter(None, (rule, "reading '+' as '-positive'"))))
    yield from list(forms.items())[1:]
    for form, rule in forms.items():
        yield f"{form} cell", " and ".join(filter(None, (rule, "adding 'cell'")))


def _words(field: str) -> str:
    return field.replace("_", " ")
