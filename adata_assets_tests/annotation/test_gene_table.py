"""The committed tables are what their provenance says, and hold together."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.genes.reference import FOLDER, MAPPED_SPECIES, load_gene_table
from adata_assets.tables import read_table

PROVENANCE = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
ENSEMBL = {"human": r"ENSG\d{11}", "mouse": r"ENSMUSG\d{11}"}


@pytest.mark.parametrize("file", PROVENANCE["tables"])
def test_p13_tables_are_pinned(file):
    stated, path = PROVENANCE["tables"][file], FOLDER / file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == stated["sha256"]
    table = read_table(path)
    content = table.to_csv(index=False, lineterminator="\n").encode()
    assert hashlib.sha256(content).hexdigest() == stated["content_sha256"]
    assert len(table) == stated["n_rows"]


def test_provenance_is_complete():
    assert {path.name for path in FOLDER.glob("*.parquet")} == set(PROVENANCE["tables"])
    for package in PROVENANCE["packages"]:
        assert len(package["sha256"]) == 64 and package["licence"] and package["holds"]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000


@pytest.mark.parametrize("species", MAPPED_SPECIES)
def test_ids_are_unique_and_every_alias_resolves(species):
    genes = read_table(FOLDER / f"{species}_genes.parquet")
    aliases = read_table(FOLDER / f"{species}_aliases.parquet")
    assert genes["gene_id"].is_unique and genes["gene_id"].is_monotonic_increasing
    assert genes["gene_id"].str.fullmatch(ENSEMBL[species]).all()
    assert set(genes["status"]) == {"current", "retired"}
    assert not genes["symbol"].dropna().str.fullmatch(ENSEMBL[species]).any()
    assert aliases["gene_id"].isin(genes["gene_id"]).all()
    assert not aliases.duplicated(["alias", "gene_id"]).any()
    assert aliases["alias"].str.len().gt(1).all()


@pytest.mark.parametrize("species", MAPPED_SPECIES)
def test_an_alias_is_never_another_genes_symbol(species):
    genes = read_table(FOLDER / f"{species}_genes.parquet")
    aliases = read_table(FOLDER / f"{species}_aliases.parquet")
    current = genes[genes["status"] == "current"]
    symbols = aliases[aliases["alias"].isin(current["symbol"])]
    own = symbols["gene_id"].map(current.set_index("gene_id")["symbol"])
    assert (own == symbols["alias"]).all()
    assert current["symbol"].value_counts()[symbols["alias"]].gt(1).all()


@pytest.mark.parametrize(("species", "prefix"), [("human", "MT-"), ("mouse", "mt-")])
def test_mitochondrial_genes(species, prefix):
    genes = load_gene_table(species).genes
    assert genes["is_mt"].sum() == 37
    assert genes.loc[genes["is_mt"], "symbol"].str.startswith(prefix).all()


@pytest.mark.parametrize("species", MAPPED_SPECIES)
def test_names_mean_one_gene_or_none(species):
    table = load_gene_table(species)
    assert table.names.index.is_unique
    assert ((table.names["gene"] >= 0) == (table.names["n_candidates"] == 1)).all()
    symbols = table.genes["symbol"].to_numpy(dtype=object)
    by_symbol = table.names[table.names["is_symbol"]]
    assert (symbols[by_symbol["gene"]] == by_symbol.index).all()
    assert (table.genes["status"].iloc[by_symbol["gene"]] == "current").all()


def test_names_that_are_missing_are_unknown():
    found = load_gene_table("human").find_names(np.array([None, "", float("nan")], dtype=object))
    assert found.n_candidates.tolist() == [0, 0, 0] and found.gene.tolist() == [-1, -1, -1]


def test_a_table_is_read_once():
    assert load_gene_table("human") is load_gene_table("human")
    assert isinstance(load_gene_table("human").genes, pd.DataFrame)
