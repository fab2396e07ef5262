"""The pinned gene tables of human and mouse, and looking names up in them.

Belongs here: reading ``tables/`` and what a name means. Nothing is fetched; the tables are
made by ``scripts/build_gene_tables.py``, and ``tables/provenance.json`` says from what.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from adata_assets.tables import read_table

Species = Literal["human", "mouse", "other"]

FOLDER = Path(__file__).with_name("tables")
MAPPED_SPECIES: tuple[Literal["human", "mouse"], ...] = ("human", "mouse")


@dataclass(frozen=True)
class Found:
    """What names mean; all arrays are ``(n_names,)``.

    Attributes
    ----------
    gene
        int64 row of ``GeneTable.genes``; -1 where the name is unknown or ambiguous.
    is_symbol
        bool: the name is the gene's current symbol (else an alias).
    n_candidates
        int64: genes that the name can mean; 0 unknown, above 1 ambiguous.
    """

    gene: np.ndarray
    is_symbol: np.ndarray
    n_candidates: np.ndarray


@dataclass(frozen=True, eq=False)
class GeneTable:
    """Genes and names of one species.

    Attributes
    ----------
    genes
        Index gene_id; symbol (null where GENCODE has none), biotype, status (current or retired),
        is_mt (on the mitochondrial chromosome).
    names
        Index of unique names; gene, is_symbol and n_candidates as in ``Found``.
    """

    genes: pd.DataFrame
    names: pd.DataFrame

    def find_ids(self, gene_ids: np.ndarray) -> np.ndarray:
        """Return the row of each Ensembl id without version, int64; -1 where it is in no release."""
        return self.genes.index.get_indexer(pd.Index(gene_ids, dtype=object))

    def find_names(self, names: np.ndarray) -> Found:
        """Look names up as they are written; None is unknown.

        Examples
        --------
        >>> found = load_gene_table("human").find_names(np.array(["H2AZ1", "H2AFZ", "h2afz"]))
        >>> found.n_candidates.tolist(), found.is_symbol.tolist()
        ([1, 1, 0], [True, False, False])
        """
        return _take(self.names, self.names.index.get_indexer(pd.Index(names, dtype=object)))

    def find_capitals(self, names: np.ndarray) -> Found:
        """Look up names written in capitals that differ in nothing but case from a name.

        Symbols go before aliases, as in ``find_names``; none counts as the symbol itself.

        Examples
        --------
        >>> found = load_gene_table("human").find_capitals(np.array(["C1ORF112", "actb"]))
        >>> found.n_candidates.tolist()
        [1, 0]
        >>> load_gene_table("mouse").find_capitals(np.array(["ACTB"])).n_candidates.tolist()
        [1]
        """
        index = self._capitals.index.get_indexer(pd.Index(names, dtype=object))
        found = _take(self._capitals, index)
        return Found(found.gene, np.zeros_like(found.is_symbol), found.n_candidates)

    @cached_property
    def _capitals(self) -> pd.DataFrame:
        names = self.names[self.names["gene"] >= 0]
        capitals = pd.Series([name.upper() for name in names.index], index=names.index)
        by_alias = ~names["is_symbol"] & capitals.isin(capitals[names["is_symbol"]])
        symbols = _current_symbols(self.genes)
        gene = names.loc[~by_alias, "gene"].to_numpy()
        return _count_candidates(capitals[~by_alias].to_numpy(dtype=object), gene, symbols)


@cache
def load_gene_table(species: Literal["human", "mouse"]) -> GeneTable:
    """Read the table of one species, once per process (0.2 s)."""
    genes = read_table(FOLDER / f"{species}_genes.parquet").set_index("gene_id")
    aliases = read_table(FOLDER / f"{species}_aliases.parquet", ["alias", "gene_id"])
    symbols = _current_symbols(genes)
    rows = np.flatnonzero(pd.notna(symbols))
    # A symbol of several genes is among the aliases where the nomenclature gives it to one.
    rows = rows[~pd.Index(symbols[rows]).isin(aliases["alias"])]
    names = np.concatenate([symbols[rows], aliases["alias"].to_numpy(dtype=object)])
    gene = np.concatenate([rows, genes.index.get_indexer(aliases["gene_id"])])
    return GeneTable(genes, _count_candidates(names, gene, symbols))


def _current_symbols(genes: pd.DataFrame) -> np.ndarray:
    symbols = genes["symbol"].where(genes["status"].eq("current"), None)
    return symbols.to_numpy(dtype=object)


def _count_candidates(names: np.ndarray, gene: np.ndarray, symbols: np.ndarray) -> pd.DataFrame:
    """Return one row per name; a name that two rows give to one gene means that gene."""
    pairs = pd.DataFrame({"name": names, "gene": gene}).drop_duplicates()
    names, gene = pairs["name"].to_numpy(dtype=object), pairs["gene"].to_numpy()
    codes, unique = pd.factorize(names)
    n_candidates = np.bincount(codes, minlength=len(unique))
    first = np.empty(len(unique), np.int64)
    first[codes[::-1]] = gene[::-1]
    is_symbol = np.array(symbols[first] == unique, bool) & (n_candidates == 1)
    first[n_candidates > 1] = -1
    columns = {"gene": first, "is_symbol": is_symbol, "n_candidates": n_candidates}
    return pd.DataFrame(columns, index=pd.Index(unique, dtype=object))


def _take(names: pd.DataFrame, index: np.ndarray) -> Found:
    known = index >= 0
    gene = np.where(known, names["gene"].to_numpy()[index], -1)
    is_symbol = known & (gene >= 0) & names["is_symbol"].to_numpy()[index]
    return Found(gene, is_symbol, np.where(known, names["n_candidates"].to_numpy()[index], 0))
