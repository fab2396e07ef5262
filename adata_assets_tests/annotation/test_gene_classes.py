"""Genes, viruses, antibodies, spike-ins and all the rest."""

from __future__ import annotations

import pandas as pd
import pytest

from adata_assets.annotation.genes.build import build_genes


def classes_of(index, **columns):
    var = pd.DataFrame(columns, index=pd.Index(index, dtype=object))
    return build_genes([var], species="human").var["feature_class"].tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CD3E", "gene"),
        ("AC015912.3", "gene"),
        ("ERCC1", "gene"),
        ("HIVEP1", "gene"),
        ("GFPT1", "gene"),
        ("CFP", "gene"),
        ("ENSG00000999999", "gene"),
        ("nCoV", "viral"),
        ("SARS-CoV-2", "viral"),
        ("SARS_CoV2_orf1ab", "viral"),
        ("ORF1ab", "viral"),
        ("ENSSASG00005000004", "viral"),
        ("HIV-1", "viral"),
        ("EBV", "viral"),
        ("Human gammaherpesvirus 4", "viral"),
        ("ERCC-00002", "spike_in"),
        ("CD3_TotalSeqB", "antibody"),
        ("ADT_CD3", "antibody"),
        ("Hashtag1", "antibody"),
        ("EGFP", "other"),
        ("tdTomato", "other"),
        ("Cre", "other"),
        ("RFP", "other"),
        ("chr1:1000-2000", "other"),
        ("CD4_sgRNA_1", "other"),
        ("ENSMUSG00000029580", "other"),
    ],
)
def test_classes_by_name(name, expected):
    assert classes_of(["ACTB", "B2M", "CD4", name])[-1] == expected


def test_single_letters_are_viral_beside_the_virus():
    assert classes_of(["orf1ab", "S", "N"]) == ["viral", "viral", "viral"]
    assert classes_of(["ACTB", "S", "N"]) == ["gene", "gene", "gene"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("Gene Expression", "gene"),
        ("Antibody Capture", "antibody"),
        ("CRISPR Guide Capture", "other"),
        ("Peaks", "other"),
        ("Multiplexing Capture", "other"),
        ("Custom", "other"),
        (None, "gene"),
        ("protein_coding", "gene"),
    ],
)
def test_classes_that_the_file_declares(declared, expected):
    types = ["Gene Expression", declared]
    assert classes_of(["ACTB", "CD4"], feature_types=types)[-1] == expected


def test_classes_of_cellxgene():
    index = ["ENSG00000010610", "ERCC-00002"]
    assert classes_of(index, feature_biotype=["gene", "spike-in"]) == ["gene", "spike_in"]


@pytest.mark.parametrize("name", ["CD4", "cd4-protein", "ENSG00000010610"])
def test_an_antibody_is_never_summed_with_its_gene(name):
    var = pd.DataFrame(
        {
            "gene_ids": ["ENSG00000010610", name],
            "feature_types": ["Gene Expression", "Antibody Capture"],
        },
        index=["CD4", name],
    )
    genes = build_genes([var])
    assert genes.gene_index.tolist() == [0, 1]
    assert genes.var["feature_class"].tolist() == ["gene", "antibody"]
    assert genes.var["id_status"].tolist() == ["current", "own"]


def test_an_antibody_and_a_gene_of_one_own_name_are_two():
    types = ["Antibody Capture", "Gene Expression"]
    var = pd.DataFrame({"feature_types": types}, index=["xyz", "xyz"])
    genes = build_genes([var], species="human")
    assert genes.var["gene_id"].tolist() == ["xyz (antibody)", "xyz"]


def test_only_genes_are_mitochondrial():
    types = ["Gene Expression", "Antibody Capture"]
    var = pd.DataFrame({"feature_types": types}, index=["MT-ND1", "MT-X"])
    assert build_genes([var]).var["is_mt"].tolist() == [True, False]
