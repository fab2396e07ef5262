"""The gene table: ids, symbols, classes, features that share an id."""

from __future__ import annotations

import pandas as pd
import pytest

from adata_assets.annotation.genes import build_genes
from adata_assets.errors import InputError


def test_ids_in_a_column_symbols_in_the_index():
    genes = build_genes(
        pd.DataFrame({"gene_ids": ["ENSG00000000001.4", "ENSG00000000002"]}, index=["A", "mt-B"])
    )
    assert genes.var["gene_id"].tolist() == ["ENSG00000000001", "ENSG00000000002"]
    assert genes.var["symbol"].tolist() == ["A", "mt-B"]
    assert genes.var["is_mt"].tolist() == [False, True]


def test_p12_mitochondria_are_found_by_symbol_when_the_index_holds_ensembl_ids():
    source = pd.DataFrame(
        {"feature_name": ["MT-ND1", "CD3E"]}, index=["ENSG00000198888", "ENSG00000198851"]
    )
    old_rule = source.index.str.startswith("MT-")
    assert not old_rule.any()
    assert build_genes(source).var["is_mt"].tolist() == [True, False]


def test_ensembl_ids_alone_have_no_symbol():
    genes = build_genes(pd.DataFrame(index=["ENSMUSG00000000001", "ENSMUSG00000000003"]))
    assert genes.var["symbol"].isna().all()


def test_features_that_share_an_id_are_one_gene():
    genes = build_genes(pd.DataFrame({"gene_ids": ["g1", "g2", "g1"]}, index=["A", "B", "C"]))
    assert genes.gene_index.tolist() == [0, 1, 0]
    assert genes.var["n_source_features"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("nCoV", "viral"), ("HIVEP1", "gene"), ("ERCC-00002", "spike_in"), ("CD3E", "gene")],
)
def test_feature_classes(name, expected):
    genes = build_genes(pd.DataFrame(index=[name, "ACTB"]))
    assert genes.var["feature_class"].iloc[0] == expected


def test_antibodies_are_not_genes():
    types = ["Gene Expression", "Antibody Capture"]
    genes = build_genes(pd.DataFrame({"feature_types": types}, index=["CD3E", "CD3"]))
    assert genes.var["feature_class"].tolist() == ["gene", "antibody"]


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"keys.gene_symbol names the var column 'name'.*\['x'\]"):
        build_genes(pd.DataFrame({"x": [1]}, index=["A"]), symbol_key="name")
