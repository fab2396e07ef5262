"""The gene table: ids, symbols, classes, features that share an id."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.genes.build import build_genes, report_genes
from adata_assets.errors import InputError
from adata_assets.schemas.annotated import VarSchema


def var_of(index, **columns):
    return pd.DataFrame(columns, index=pd.Index(index, dtype=object))


def build(index, *, species="human", **columns):
    genes = build_genes([var_of(index, **columns)], species=species)
    VarSchema.validate(genes.var)
    return genes


def ids_of(*names, species="human"):
    return build(names, species=species).features["gene_id"].tolist()


def test_a_files_own_ids_win_over_its_symbols():
    genes = build(["CD8A", "CD4"], gene_ids=["ENSG00000010610.10", "ENSG00000153563"])
    assert genes.var["gene_id"].tolist() == ["ENSG00000010610", "ENSG00000153563"]
    assert genes.var["symbol"].tolist() == ["CD4", "CD8A"]
    assert set(genes.var["mapped_by"]) == {"id"} and set(genes.var["id_status"]) == {"current"}


@pytest.mark.parametrize(
    "written",
    [
        "ENSG00000182378.14",
        "ENSG00000182378.14_PAR_Y",
        "ENSG00000182378_PAR_Y",
        "ENSGR0000182378",
        "PLCXD1_ENSG00000182378",
        "ENSG00000182378|PLCXD1",
        "GRCh38_ENSG00000182378",
        "hg19_PLCXD1",
        "GRCh38______PLCXD1",
    ],
)
def test_ways_to_write_an_id(written):
    """The copy on Y has the sequence of the one on X: reads cannot be told apart."""
    genes = build([written, "ENSG00000182378"])
    assert genes.var["gene_id"].tolist() == ["ENSG00000182378"]
    assert genes.var["symbol"].tolist() == ["PLCXD1"]
    assert genes.var["n_source_features"].tolist() == [2]


def test_p12_ids_without_symbols_get_them_from_the_table():
    index = ["ENSG00000198888", "ENSG00000198851"]
    assert not pd.Index(index).str.startswith("MT-").any()
    var = build(index).var
    assert var["symbol"].tolist() == ["MT-ND1", "CD3E"]
    assert var["is_mt"].tolist() == [True, False]
    assert var["biotype"].tolist() == ["protein_coding", "protein_coding"]


def test_retired_and_unknown_ids_are_kept():
    genes = build(
        ["SOD2", "X", "CD4"], gene_ids=["ENSG00000112096", "ENSG00000999999", "ENSG00000010610"]
    )
    assert genes.var["id_status"].tolist() == ["retired", "unknown", "current"]
    assert genes.var["gene_id"].tolist()[:2] == ["ENSG00000112096", "ENSG00000999999"]
    assert genes.var["symbol"].tolist() == ["SOD2", "X", "CD4"]
    assert set(genes.var["feature_class"]) == {"gene"}


@pytest.mark.parametrize(
    ("name", "gene_id", "mapped_by"),
    [
        ("CD4", "ENSG00000010610", "symbol"),
        ("HLA-A", "ENSG00000206503", "symbol"),
        ("MT-ND1", "ENSG00000198888", "symbol"),
        ("NKX2-1", "ENSG00000136352", "symbol"),
        ("H2AFZ", "ENSG00000164032", "alias"),
        ("C1ORF112", "ENSG00000000460", "alias"),
        ("Actb", "Actb", "none"),
        ("cd4", "cd4", "none"),
        ("NOT-A-GENE", "NOT-A-GENE", "none"),
    ],
)
def test_names_are_looked_up_as_they_are_written(name, gene_id, mapped_by):
    features = build(["ACTB", "GAPDH", "B2M", name]).features.iloc[-1]
    assert (features["gene_id"], features["mapped_by"]) == (gene_id, mapped_by)


def test_mouse_names_are_looked_up_as_they_are_written():
    """Capitals beside mouse symbols are human transgenes; a whole file of capitals is a style."""
    assert ids_of("Actb", "Gapdh", "B2m", "MYC", species="mouse")[-1] == "MYC"
    genes = build(["ACTB", "GAPDH", "B2M"], species="mouse")
    assert genes.var["symbol"].tolist() == ["Actb", "Gapdh", "B2m"]
    assert genes.var["mapped_by"].tolist() == ["alias"] * 3


def test_p13_an_ambiguous_name_stays_unmapped():
    genes = build(["STRA13", "Y_RNA", "CD4"])
    assert genes.var["gene_id"].tolist() == ["STRA13", "Y_RNA", "ENSG00000010610"]
    assert genes.var["id_status"].tolist() == ["own", "own", "current"]
    assert genes.features["n_candidates"].tolist()[0] == 2
    assert genes.features["n_candidates"].tolist()[1] > 100


def test_a_shared_symbol_is_the_gene_that_the_nomenclature_names():
    assert ids_of("WASH7P") == ["ENSG00000227232"]


def test_numbers_of_clones_are_no_aliases():
    """AC079922.2 was given to other genes from release to release."""
    assert ids_of("AC079922.2", "CD4")[0] == "AC079922.2"


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (["TBCE", "TBCE-1"], ["ENSG00000284770"] * 2),
        (["TMBIM4", "TMBIM4.1"], ["ENSG00000155957"] * 2),
        (["H2AFZ", "H2AFZ-2"], ["ENSG00000164032"] * 2),
        (["CD4", "TMBIM4-1"], ["ENSG00000010610", "TMBIM4-1"]),
        (["NKX2", "NKX2-1"], ["NKX2", "ENSG00000136352"]),
        (["STRA13", "STRA13-1"], ["STRA13", "STRA13-1"]),
    ],
)
def test_names_made_unique(index, expected):
    """GENE-1 is GENE where the file has GENE too, and where GENE-1 is no gene of its own."""
    assert ids_of(*index) == expected


def test_features_that_share_an_id_are_one_gene():
    genes = build(["B", "H2AZ1", "ENSG00000164032", "H2AZ1"])
    assert genes.gene_index.tolist() == [0, 1, 1, 1] and genes.gene_index.dtype == np.int32
    assert genes.var["n_source_features"].tolist() == [1, 3]
    assert genes.var["mapped_by"].tolist() == ["none", "id"]
    assert genes.features["mapped_by"].tolist() == ["none", "symbol", "id", "symbol"]


def test_an_alias_gives_way_where_the_file_has_the_gene():
    """Two names in one file are two genes of its annotation, whatever was renamed later."""
    assert ids_of("H2AFZ", "H2AZ1") == ["H2AFZ", "ENSG00000164032"]
    assert ids_of("H2AFZ", "H2AFZ-1", "ENSG00000164032")[:2] == ["H2AFZ", "H2AFZ-1"]
    assert ids_of("H2AFZ", "H2AFZ") == ["ENSG00000164032"] * 2
    contested = build(["CD4", "H2AFZ", "H2AZ"]).features
    assert contested["mapped_by"].tolist()[1:] == ["none", "none"]
    assert contested["n_candidates"].tolist()[1:] == [2, 2]


def test_files_are_united_by_id():
    """One file with Ensembl ids, one with symbols, one numbered with a column of ids."""
    sources = [
        var_of(["ENSG00000010610", "ENSG00000164032"]),
        var_of(["H2AFZ", "x"]),
        var_of([0, 1], anything=["ENSG00000164032.3", "ENSG00000153563.2"]),
    ]
    genes = build_genes(sources)
    assert genes.species == "human" and genes.species_by == "ids"
    assert genes.gene_index.tolist() == [0, 1, 1, 2, 1, 3]
    assert genes.var["in_all_sources"].tolist() == [False, True, False, False]
    assert genes.features["source"].tolist() == [0, 0, 1, 1, 2, 2]


def test_numbered_features_with_a_column_of_symbols():
    assert build([0, 1], feature_name=["CD4", "CD8A"]).var["symbol"].tolist() == ["CD4", "CD8A"]


def test_numbered_features_without_names_are_refused():
    with pytest.raises(
        InputError, match=r"file 1 are numbered 0 … 1 .*\['n_cells'\].*keys.gene_id"
    ):
        build_genes([var_of(["0", "1"], n_cells=[3, 4])])


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"keys.gene_symbol names the var column 'name'.*\['x'\]"):
        build_genes([var_of(["A"], x=[1])], symbol_key="name")


def test_stated_columns_are_used():
    var = var_of(["a", "b"], n=["CD4", "CD8A"], i=["ENSG00000010610", None])
    genes = build_genes([var], id_key="i", symbol_key="n", species="human")
    assert genes.var["symbol"].tolist() == ["CD4", "CD8A"]
    assert genes.features["mapped_by"].tolist() == ["id", "symbol"]


def test_other_species_keep_their_ids_and_symbols():
    ids = ["ENSDARG00000063895", "ENSDARG00000037746"]
    genes = build_genes([var_of(["mt-nd1", "actb1"], gene_ids=ids)])
    assert genes.species == "other"
    assert genes.var["gene_id"].tolist() == ids
    assert genes.var["symbol"].tolist() == ["mt-nd1", "actb1"]
    assert genes.var["is_mt"].tolist() == [True, False]
    assert genes.var["id_status"].tolist() == ["unknown", "unknown"]


def test_own_ids_of_other_species_are_united():
    var = var_of(["A", "B", "mt:ND1"], gene_ids=["FBgn0000001", "FBgn0000002", "FBgn0000001"])
    genes = build_genes([var], organism="Drosophila melanogaster")
    assert genes.gene_index.tolist() == [0, 1, 0]
    assert genes.var["id_status"].tolist() == ["own", "own"]


def test_features_without_a_name_stay_apart():
    genes = build(["CD4", "", None, float("nan")])
    assert genes.gene_index.tolist() == [0, 1, 2, 3]
    assert genes.var["feature_class"].tolist() == ["gene", "other", "other", "other"]


def test_no_features():
    assert build([]).gene_index.tolist() == []


def test_report_counts_features_genes_and_umis():
    genes = build(["CD4", "H2AFZ", "CD8A", "STRA13", "Y_RNA", "nCoV", "x"])
    report = report_genes(genes, np.array([50, 20, 10, 5, 6, 8, 1]))
    shown = report.set_index(["id_status", "mapped_by", "feature_class"])
    assert shown["n_counts"].to_dict() == {
        ("current", "alias", "gene"): 20,
        ("current", "symbol", "gene"): 60,
        ("own", "ambiguous", "gene"): 11,
        ("own", "none", "gene"): 1,
        ("own", "none", "viral"): 8,
    }
    assert shown.loc[("own", "ambiguous", "gene"), "examples"] == "Y_RNA, STRA13"
    assert report["n_features"].sum() == 7
    assert report["pct_counts"].sum() == pytest.approx(100)


def test_report_shows_at_most_twenty_examples():
    genes = build([f"x{i}" for i in range(30)])
    (examples,) = report_genes(genes, np.arange(30))["examples"]
    assert examples.split(", ") == [f"x{i}" for i in range(29, 9, -1)]


def test_report_of_nothing_counted():
    report = report_genes(build(["CD4"]), np.array([0]))
    assert report["pct_counts"].tolist() == [0.0]
