"""The tables of ``cellxgene-ontology-guide`` in the form in which terms are looked up.

Belongs here: one ontology in memory, its names spelt alike. What a name means in a field of cell
metadata stands in ``ontology``. Nothing is downloaded: the tables are files of that package.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The package's NCBI Taxonomy has 1.26 million terms and takes 3 GB to read; these are organisms that
# the CELLxGENE schema admits, and the chicken.
_ORGANISMS = {
    "NCBITaxon:9606": ("Homo sapiens", "human"),
    "NCBITaxon:10090": ("Mus musculus", "mouse", "house mouse"),
    "NCBITaxon:10116": ("Rattus norvegicus", "rat", "Norway rat"),
    "NCBITaxon:7955": ("Danio rerio", "zebrafish"),
    "NCBITaxon:7227": ("Drosophila melanogaster", "fruit fly"),
    "NCBITaxon:6239": ("Caenorhabditis elegans", "C. elegans"),
    "NCBITaxon:9544": ("Macaca mulatta", "rhesus macaque", "rhesus monkey"),
    "NCBITaxon:9541": ("Macaca fascicularis", "crab-eating macaque", "cynomolgus macaque"),
    "NCBITaxon:9483": ("Callithrix jacchus", "common marmoset", "white-tufted-ear marmoset"),
    "NCBITaxon:9595": ("Gorilla gorilla gorilla", "western lowland gorilla"),
    "NCBITaxon:9598": ("Pan troglodytes", "chimpanzee"),
    "NCBITaxon:30608": ("Microcebus murinus", "gray mouse lemur"),
    "NCBITaxon:9986": ("Oryctolagus cuniculus", "rabbit"),
    "NCBITaxon:9823": ("Sus scrofa", "pig"),
    "NCBITaxon:9031": ("Gallus gallus", "chicken"),
}
_TYPOGRAPHIC = str.maketrans("’‘′`´‐‑–—−_", "'''''----- ")


@dataclass(frozen=True)
class Retired:
    """What stands in the place of a deprecated term: one id, or several to choose from."""

    replaced_by: str | None
    consider: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Ontology:
    """One ontology.

    Attributes
    ----------
    name, version
        Such as ``CL`` and ``v2026-03-26``.
    labels
        Name of each term that is not deprecated, by id.
    by_label, by_synonym
        Ids by normalised name.
    ancestors
        Ids of all terms above each one.
    retired
        Deprecated terms, by id.
    retired_by_label
        Their ids by normalised name, without the word *obsolete*.
    """

    name: str
    version: str
    labels: Mapping[str, str]
    by_label: Mapping[str, tuple[str, ...]]
    by_synonym: Mapping[str, tuple[str, ...]]
    ancestors: Mapping[str, tuple[str, ...]]
    retired: Mapping[str, Retired]
    retired_by_label: Mapping[str, tuple[str, ...]]

    def has(self, term_id: str) -> bool:
        """Whether there is such a term, deprecated or not."""
        return term_id in self.labels or term_id in self.retired


def normalise_name(text: str) -> str:
    """Return a name as it is compared: case, blanks and typographic signs do not count.

    Examples
    --------
    >>> normalise_name(" CD4_T  cell"), normalise_name("10x 3′ v3")
    ('cd4 t cell', "10x 3' v3")
    """
    plain = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHIC)
    return " ".join(plain.casefold().split())


@functools.cache
def load_ontology(name: str) -> Ontology:
    """Return one ontology, read once per process.

    Parameters
    ----------
    name
        ``CL``, ``UBERON``, ``MONDO``, ``EFO``, ``HsapDv``, ``MmusDv``, ``PATO``, ``HANCESTRO``
        or ``NCBITaxon`` (common organisms only).
    """
    if name == "NCBITaxon":
        terms = {i: {"label": n[0], "synonyms": n[1:]} for i, n in _ORGANISMS.items()}
        return _index(name, "of common organisms", terms)
    from cellxgene_ontology_guide.supported_versions import CXGSchema, clear_ontology_file_cache

    schema = CXGSchema()
    ontology = _index(name, schema.supported_ontologies[name]["version"], schema.ontology(name))
    # The package would keep the file's 60 MB of dictionaries beside the index.
    clear_ontology_file_cache()
    return ontology


def _index(name: str, version: str, terms: Mapping[str, Mapping[str, Any]]) -> Ontology:
    live = {i: term for i, term in terms.items() if not term.get("deprecated")}
    gone = {i: term for i, term in terms.items() if term.get("deprecated")}
    return Ontology(
        name=name,
        version=version,
        labels={i: term["label"] for i, term in live.items()},
        by_label=_by_name((i, term["label"]) for i, term in live.items()),
        by_synonym=_by_name((i, s) for i, term in live.items() for s in term.get("synonyms", ())),
        ancestors={i: tuple(map(sys.intern, t.get("ancestors", ()))) for i, t in live.items()},
        retired={
            i: Retired(term.get("replaced_by"), tuple(map(_plain_id, term.get("consider", ()))))
            for i, term in gone.items()
        },
        retired_by_label=_by_name(
            (i, re.sub(r"^obsolete[:\s]+", "", term["label"], flags=re.IGNORECASE))
            for i, term in gone.items()
            if term["label"]
        ),
    )


def _plain_id(term_id: str) -> str:
    """Return ``HsapDv:0000258`` for ``obo.HsapDv_0000258``, as some tables have it."""
    return term_id.removeprefix("obo.").replace("_", ":")


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for term_id, text in pairs:
        found.setdefault(normalise_name(text), {})[term_id] = None
    return {text: tuple(ids) for text, ids in found.items()}
