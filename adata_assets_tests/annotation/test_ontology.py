"""Which term a text means, offline."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from adata_assets.annotation.harmonised.ontology import (
    ONTOLOGY_FIELDS,
    NoTerm,
    Term,
    ancestors_of,
    find_term,
    is_name_of,
    look_up_term,
    read_term_id,
    suggest_terms,
)
from adata_assets.annotation.harmonised.ontology_tables import load_ontology, normalise_name
from adata_assets.errors import InputError


@pytest.mark.parametrize(
    ("field", "text", "term_id", "label", "found_by"),
    [
        ("cell_type", "CL:0000236", "CL:0000236", "B cell", "its id"),
        ("cell_type", "cl_0000236", "CL:0000236", "B cell", "its id"),
        ("cell_type", "b  CELL", "CL:0000236", "B cell", "its name"),
        ("cell_type", "B lymphocyte", "CL:0000236", "B cell", "a synonym"),
        ("cell_type", "B cells", "CL:0000236", "B cell", "its singular"),
        ("cell_type", "T_cells", "CL:0000084", "T cell", "its singular"),
        ("cell_type", "Macrophages", "CL:0000235", "macrophage", "its singular"),
        ("cell_type", "B", "CL:0000236", "B cell", "adding 'cell'"),
        ("cell_type", "NK", "CL:0000623", "natural killer cell", "adding 'cell'"),
        ("cell_type", "pDC", "CL:0000784", "plasmacytoid dendritic cell", "a synonym"),
        (
            "cell_type",
            "CD14+ Monocytes",
            "CL:0001054",
            "CD14-positive monocyte",
            "its singular and reading '+' as '-positive'",
        ),
        ("tissue", "blood", "UBERON:0000178", "blood", "its name"),
        ("tissue", "CL:0000057", "CL:0000057", "fibroblast", "its id"),
        ("disease", "COVID-19", "MONDO:0100096", "COVID-19", "its name"),
        ("disease", "PATO:0000461", "PATO:0000461", "normal", "its id"),
        ("disease", "normal", "PATO:0000461", "normal", "its name"),
        ("disease", "Healthy", "PATO:0000461", "normal", "reading 'healthy' as 'normal'"),
        ("sex", "F", "PATO:0000383", "female", "reading 'f' as 'female'"),
        ("assay", "10x 3′ V3", "EFO:0009922", "10x 3' v3", "its name"),
        ("self_reported_ethnicity", "Yoruba", "AfPO:0000105", "Yoruba", "its name"),
        ("organism", "human", "NCBITaxon:9606", "Homo sapiens", "a synonym"),
        (
            "development_stage",
            "fifth decade human stage",
            "HsapDv:0000239",
            "fifth decade stage",
            "leaving out the species",
        ),
    ],
)
def test_a_text_finds_its_term(field: str, text: str, term_id: str, label: str, found_by: str):
    assert look_up_term(field, text) == Term(term_id, label, found_by)


@pytest.mark.parametrize(
    ("field", "text", "finding", "detail"),
    [
        ("cell_type", "CD8 T", "unknown_term", "no cell type of CL is called so"),
        ("cell_type", "CL:9999999", "unknown_term", "no such term in CL v"),
        ("cell_type", "UBERON:0000178", "unknown_term", "'blood' is no cell type"),
        ("assay", "COVID-19", "unknown_term", "no assay of EFO is called so"),
        ("assay", "nuc-seq", "ambiguous", "EFO:0008835"),
        ("tissue", "B cell", "unknown_term", "no tissue of UBERON"),
        ("disease", "PATO:0000384", "unknown_term", "'male' is no disease"),
        ("cell_type", "CL:0000004", "deprecated", "CL:0000000, CL:0000003, CL:0001034"),
        ("development_stage", "HsapDv:0000087", "deprecated", "HsapDv:0000258"),
        ("sex", " Unknown ", "unknown_term", "nothing is known"),
        ("sex", "", "unknown_term", "nothing is known"),
    ],
)
def test_what_finds_no_term_says_why(field: str, text: str, finding: str, detail: str):
    found = look_up_term(field, text)
    assert isinstance(found, NoTerm) and found.finding == finding and detail in found.detail
    assert find_term(field, text) is None


def test_retired_terms_are_replaced_across_ontologies():
    assert find_term("tissue", "UBERON:0000027") == Term(
        "UBERON:0001466", "pedal digit", "its id", replaces="UBERON:0000027"
    )
    by_name = find_term("cell_type", "native cell")
    assert by_name is not None
    assert (by_name.term_id, by_name.replaces) == ("CL:0000000", "CL:0000003")
    diabetes = find_term("disease", "EFO:0000400")
    assert diabetes is not None and diabetes.term_id == "MONDO:0005015"


def test_stages_belong_to_the_species():
    assert find_term("development_stage", "Theiler stage 10", species="human") is None
    mouse = find_term("development_stage", "Theiler stage 10", species="mouse")
    assert mouse is not None and mouse.term_id.startswith("MmusDv:")
    other = find_term("development_stage", "embryo stage", species="other")
    assert other is not None and other.term_id == "UBERON:0000068"


def test_every_name_of_the_cell_ontology_finds_its_own_term():
    for term_id, label in load_ontology("CL").labels.items():
        assert find_term("cell_type", label) == Term(term_id, label, "its name")


def test_no_retired_term_comes_out():
    ontology = load_ontology("CL")
    for term_id in ontology.retired:
        found = look_up_term("cell_type", term_id)
        assert isinstance(found, NoTerm) or found.term_id in ontology.labels


def test_ancestors():
    assert {"CL:0000542", "CL:0000738", "CL:0000000"} <= ancestors_of("CL:0000236")
    assert "CL:0000236" not in ancestors_of("CL:0000236")
    assert ancestors_of("PATO:0000461") >= {"PATO:0000001"}
    assert ancestors_of("CL:0000003") == frozenset()
    for wrong in ("CL:9999999", "B cell", "GO:0000001"):
        with pytest.raises(InputError, match=wrong):
            ancestors_of(wrong)


def test_names_and_suggestions():
    assert is_name_of("B-Lymphocyte", "CL:0000236") and not is_name_of("T cell", "CL:0000236")
    assert suggest_terms("cell_type", "naive CD4 T") == [
        "'naive thymus-derived CD4-positive, alpha-beta T cell' (CL:0000895)"
    ]
    assert suggest_terms("cell_type", "no such thing") == []


@pytest.mark.parametrize(
    ("text", "term_id"),
    [
        ("CL:0000236", "CL:0000236"),
        ("http://www.ebi.ac.uk/efo/EFO_0009922", "EFO:0009922"),
        ("hsapdv:0000087", "HsapDv:0000087"),
        ("CD4_T", None),
        ("T_1", None),
        ("CL:", None),
        ("", None),
    ],
)
def test_ids_are_told_from_names(text: str, term_id: str | None):
    assert read_term_id(text) == term_id


@pytest.mark.parametrize("text", ["\ud800", "\x00", "γδ T", "a" * 5000, "+", "s", "||", "CL_", "̈"])
@pytest.mark.parametrize("field", ONTOLOGY_FIELDS)
def test_odd_texts_find_nothing_and_break_nothing(field: str, text: str):
    assert find_term(field, text) is None


def test_a_field_without_ontology_is_named():
    with pytest.raises(InputError, match="'donor_id' has no ontology"):
        find_term("donor_id", "D1")


def test_names_compare_alike():
    assert normalise_name("ＣＤ４–positive  T_cell") == "cd4-positive t cell"


def test_tables_are_read_offline_and_once(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    load_ontology.cache_clear()
    assert find_term("disease", "influenza") is not None
    assert load_ontology("MONDO") is load_ontology("MONDO")


def test_importing_reads_no_table():
    code = (
        "import sys; import adata_assets.annotation.harmonised.harmonise; "
        "assert not [m for m in sys.modules if m.startswith('cellxgene')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
