"""Whose genes they are: stated, ids, organism, symbols; contradictions are refused."""

from __future__ import annotations

import pandas as pd
import pytest

from adata_assets.annotation.genes.build import build_genes
from adata_assets.errors import InputError

HUMAN_IDS = ["ENSG00000010610", "ENSG00000153563", "ENSG00000164032"]
MOUSE_IDS = ["ENSMUSG00000023274", "ENSMUSG00000053977", "ENSMUSG00000037894"]
HUMAN_NAMES, MOUSE_NAMES = ["CD4", "CD8A", "H2AZ1", "zz"], ["Cd4", "Cd8a", "H2az1", "zz"]


def recognised(*indices, **given):
    genes = build_genes([pd.DataFrame(index=index) for index in indices], **given)
    return genes.species, genes.species_by


@pytest.mark.parametrize(
    ("index", "given", "expected"),
    [
        (HUMAN_IDS, {}, ("human", "ids")),
        (MOUSE_IDS, {}, ("mouse", "ids")),
        (MOUSE_IDS, {"organism": "Homo sapiens"}, ("mouse", "ids")),
        (["ENSGALG00000054818"], {"organism": "human"}, ("other", "ids")),
        (["ENSGALG00000054818", *HUMAN_NAMES], {}, ("other", "ids")),
        (["ENSSASG00005000004", *HUMAN_NAMES], {}, ("human", "symbols")),
        (["mm10___Cd4", "mm10___Cd8a"], {}, ("mouse", "ids")),
        (HUMAN_NAMES, {}, ("human", "symbols")),
        (MOUSE_NAMES, {}, ("mouse", "symbols")),
        (["zz1", "zz2"], {}, ("other", "nothing")),
        (["zz1"], {"organism": "Mus musculus"}, ("mouse", "organism")),
        (["zz1"], {"organism": "NCBITaxon:9606"}, ("human", "organism")),
        (["zz1"], {"organism": "human"}, ("human", "organism")),
        (HUMAN_NAMES, {"organism": "Gallus gallus"}, ("other", "organism")),
        (HUMAN_NAMES, {"organism": "unknown"}, ("human", "symbols")),
        (HUMAN_NAMES, {"organism": "Homo sapiens, Mus musculus"}, ("human", "symbols")),
        (HUMAN_NAMES, {"species": "mouse"}, ("mouse", "stated")),
        (HUMAN_IDS, {"species": "other"}, ("other", "stated")),
    ],
)
def test_species(index, given, expected):
    assert recognised(index, **given) == expected


def test_few_human_ids_do_not_make_a_fly_human():
    fly = [f"FBgn{i:07}" for i in range(20)]
    assert recognised([*fly, HUMAN_IDS[0]]) == ("other", "nothing")


def test_a_few_spiked_in_genes_are_no_mixture():
    human = [f"ENSG{i:011}" for i in range(30)]
    genes = build_genes([pd.DataFrame(index=[*human, MOUSE_IDS[0]])])
    assert genes.species == "human"
    assert genes.var["feature_class"].iloc[-1] == "other"


def test_peaks_do_not_outvote_genes():
    index = [*HUMAN_IDS, *(f"chr1:{i}-{i + 9}" for i in range(9))]
    types = ["Gene Expression"] * 3 + ["Peaks"] * 9
    assert build_genes([pd.DataFrame({"feature_types": types}, index=index)]).species == "human"


@pytest.mark.parametrize("stated", ["mouse", None])
@pytest.mark.parametrize(
    "index", [[*HUMAN_IDS, *MOUSE_IDS], ["hg19_CD4", "hg19_CD8A", "mm10_Cd4", "mm10_Cd8a"]]
)
def test_mixed_species_are_refused(index, stated):
    with pytest.raises(InputError, match=r"file 1 mixes \d human and \d mouse.*split"):
        recognised(index, species=stated)


@pytest.mark.parametrize(("stated", "index"), [("human", MOUSE_IDS), ("mouse", HUMAN_IDS)])
def test_a_stated_species_that_the_ids_contradict_is_refused(stated, index):
    with pytest.raises(InputError, match=rf"stated as {stated}.*begin with {index[0][:-11]} "):
        recognised(index, species=stated)


@pytest.mark.parametrize(("first", "second"), [(HUMAN_IDS, MOUSE_IDS), (HUMAN_NAMES, MOUSE_NAMES)])
def test_files_of_two_species_are_refused(first, second):
    with pytest.raises(InputError, match=r"file 1 human, file 2 mouse.*one dataset for each"):
        recognised(first, second)


def test_files_without_evidence_follow_the_others():
    assert recognised(["zz1", "zz2"], HUMAN_IDS) == ("human", "ids")


def test_mouse_genes_map():
    index = ["mt-Nd1", "H2afz", "0610010K14Rik", "Cd4"]
    genes = build_genes([pd.DataFrame(index=index)])
    assert genes.var["is_mt"].tolist() == [True, False, False, False]
    assert genes.features["mapped_by"].tolist() == ["symbol", "alias", "symbol", "symbol"]
    assert genes.var["gene_id"].str.startswith("ENSMUSG").all()
