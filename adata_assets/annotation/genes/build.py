"""The gene table of a dataset: id, symbol and class of every feature of its source files.

Belongs here: which id a feature has, and which features are one gene. Genes are marked, never
deleted; what is ambiguous stays unmapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.classes import FEATURE_CLASSES
from adata_assets.annotation.genes.features import read_features
from adata_assets.annotation.genes.mapping import MAPPED_BY, map_features
from adata_assets.annotation.genes.reference import Species
from adata_assets.annotation.genes.species import Evidence, recognise_species
from adata_assets.schemas.annotated import VarSchema

N_EXAMPLES = 20
VAR_COLUMNS = tuple(VarSchema.to_schema().columns)


@dataclass(frozen=True)
class Genes:
    """Genes of ``counts`` and the way there from the sources' features.

    Attributes
    ----------
    var
        ``VarSchema``, one row per gene, ordered by the gene's first feature.
    gene_index
        int32 ``(n_source_features,)``: the gene of each feature, all files one after the other.
    """

    var: pd.DataFrame
    gene_index: np.ndarray


@dataclass(frozen=True)
class GeneMapping(Genes):
    """Genes with the record of how each feature was mapped.

    Attributes
    ----------
    species
        human, mouse, or other, which is not mapped.
    species_by
        What says so: stated, ids, organism, symbols, or nothing.
    features
        One row per feature: source (number of the file), name, gene_id, id_status, mapped_by,
        n_candidates (genes that the names of an unmapped feature can mean; above 1 ambiguous).
    """

    species: Species
    species_by: Evidence
    features: pd.DataFrame


def build_genes(
    source_vars: Sequence[pd.DataFrame],
    *,
    id_key: str | None = None,
    symbol_key: str | None = None,
    species: Species | None = None,
    organism: str | None = None,
) -> GeneMapping:
    """Build the gene table from the ``var`` of the matrices that hold the counts.

    A file's own Ensembl ids win, without version and with the copy on Y (``_PAR_Y``) as the gene on
    X, which has the same sequence. A feature without one is looked up by symbol, then by alias, as
    it is written; in files of capitals then as a name that differs in case alone; at last a name
    made unique (``GENE-1``) follows the bare name of the same file. An alias gives way where the
    same file has the gene already. What is still unclear keeps its own name. Features that end at
    one id are one gene.

    Parameters
    ----------
    source_vars
        One frame per source file, one row per feature; the index are the feature names.
    id_key, symbol_key
        Columns of ids and symbols; None looks for the usual names, then for Ensembl ids.
    species
        Whose genes; None recognises it (``recognise_species``).
    organism
        What obs says of the organism, if anything.

    Raises
    ------
    InputError
        If a named column is not there, if features are numbered and nothing names them, or if
        species contradict each other.

    Examples
    --------
    >>> var = pd.DataFrame({"gene_ids": ["ENSG00000198888.2", "", ""]}, index=["ND1", "H2AFZ", "x"])
    >>> genes = build_genes([var], species="human")
    >>> genes.var[["gene_id", "symbol", "is_mt", "mapped_by"]].values.tolist()
    [['ENSG00000198888', 'MT-ND1', True, 'id'], ['ENSG00000164032', 'H2AZ1', False, 'alias'], ['x', 'x', False, 'none']]
    """
    frames = [
        read_features(var, number, id_key=id_key, symbol_key=symbol_key)
        for number, var in enumerate(source_vars)
    ]
    found, evidence = recognise_species(frames, stated=species, organism=organism)
    features = pd.concat([map_features(frame, found) for frame in frames], ignore_index=True)
    features["gene_id"] = _part_by_class(features)
    gene_index, _ = pd.factorize(features["gene_id"].to_numpy(dtype=object))
    var = _unite(features, gene_index, n_sources=len(frames))
    record = ["source", "name", "gene_id", "id_status", "mapped_by", "n_candidates"]
    return GeneMapping(var, gene_index.astype(np.int32), found, evidence, features[record])


def report_genes(genes: GeneMapping, feature_counts: np.ndarray) -> pd.DataFrame:
    """Count features, genes and UMIs by what became of their ids.

    Parameters
    ----------
    feature_counts
        int64 ``(n_source_features,)``, the counts of each feature over all cells.

    Returns
    -------
    pandas.DataFrame
        id_status, mapped_by (also 'ambiguous': the name can mean several genes), feature_class;
        n_features, n_genes (a gene found in two ways is in two rows), n_counts, pct_counts (of all
        counts; 0 where there are none); examples (names by falling counts, at most 20).

    Examples
    --------
    >>> genes = build_genes([pd.DataFrame(index=["CD4", "nCoV", "STRA13"])], species="human")
    >>> report_genes(genes, np.array([7, 2, 1]))[["mapped_by", "feature_class", "pct_counts"]]
       mapped_by feature_class  pct_counts
    0     symbol          gene        70.0
    1  ambiguous          gene        10.0
    2       none         viral        20.0
    """
    features = genes.features.assign(
        feature_class=genes.var["feature_class"].to_numpy(dtype=object)[genes.gene_index],
        n_counts=np.asarray(feature_counts, np.int64),
    )
    is_ambiguous = features["mapped_by"].eq("none") & features["n_candidates"].gt(1)
    features["mapped_by"] = features["mapped_by"].mask(is_ambiguous, "ambiguous")
    ordered = features.sort_values("n_counts", ascending=False, kind="stable")
    rows = ordered.groupby(["id_status", "mapped_by", "feature_class"], sort=True)
    report = rows.agg(
        n_features=("name", "size"), n_genes=("gene_id", "nunique"), n_counts=("n_counts", "sum")
    )
    total = max(int(features["n_counts"].sum()), 1)
    report["pct_counts"] = report["n_counts"] * 100 / total
    examples = {key: ", ".join(part["name"].head(N_EXAMPLES)) for key, part in rows}
    report["examples"] = [examples[key] for key in report.index]
    return report.reset_index()


def _part_by_class(features: pd.DataFrame) -> pd.Series:
    """Return ids under which an antibody and a gene of one name are two."""
    if features["feature_class"].nunique() < 2:
        return features["gene_id"]
    pairs = features[["gene_id", "feature_class"]].drop_duplicates()
    rank = pairs["feature_class"].map({name: i for i, name in enumerate(FEATURE_CLASSES)})
    later = pairs.loc[rank > rank.groupby(pairs["gene_id"]).transform("min")]
    if later.empty:
        return features["gene_id"]
    is_later = pd.MultiIndex.from_frame(features[["gene_id", "feature_class"]]).isin(
        pd.MultiIndex.from_frame(later)
    )
    parted = features["gene_id"] + " (" + features["feature_class"] + ")"
    return features["gene_id"].mask(is_later, parted)


def _unite(features: pd.DataFrame, gene_index: np.ndarray, *, n_sources: int) -> pd.DataFrame:
    """Return ``VarSchema``: one row per value of ``gene_index``, in its order."""
    rank = features["mapped_by"].map({name: i for i, name in enumerate(MAPPED_BY)})
    # What a gene is called must not depend on the order of the features that share its id.
    ordered = features.assign(rank=rank.astype(int), gene=gene_index).sort_values(
        ["source", "rank", "symbol"], kind="stable"
    )
    by_gene = ordered.groupby("gene", sort=True)
    # first() takes the first value that is not null.
    first = by_gene[["gene_id", "symbol", "biotype", "feature_class", "id_status"]].first()
    var = pd.DataFrame(
        {
            **{name: column.where(column.notna(), None) for name, column in first.items()},
            "is_mt": by_gene["is_mt"].first().astype(bool),
            "mapped_by": by_gene["rank"].min().map(dict(enumerate(MAPPED_BY))).astype(object),
            "n_source_features": by_gene.size().astype(np.int64),
            "in_all_sources": by_gene["source"].nunique().eq(n_sources),
        }
    )
    return var[list(VAR_COLUMNS)].reset_index(drop=True)
