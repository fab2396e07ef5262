"""Which id a feature gets, and by what: its own Ensembl id, its symbol, an alias.

Belongs here: the order of the rules for the features of one file. What could be several genes
stays unmapped.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from adata_assets.annotation.genes.classes import classify, find_foreign
from adata_assets.annotation.genes.features import first_known
from adata_assets.annotation.genes.reference import Found, GeneTable, Species, load_gene_table
from adata_assets.annotation.genes.species import PREFIX

MAPPED_BY = ("id", "symbol", "alias", "none")

_NAMES = ("symbol", "own_name", "own_id")
# scanpy and anndata make names unique with -1, R with .1.
_MADE_UNIQUE = re.compile(r"[-.]\d+$")
_MITOCHONDRIAL = r"(?:MT|Mt|mt)-|mt:"


def map_features(frame: pd.DataFrame, species: Species) -> pd.DataFrame:
    """Return the features of one file with their genes.

    Parameters
    ----------
    frame
        Of ``read_features``.
    species
        Whose table is used; other: none.

    Returns
    -------
    pandas.DataFrame
        source, name; gene_id (never null); symbol, biotype (null where unknown); feature_class;
        is_mt; id_status (current, retired, unknown, own); mapped_by (``MAPPED_BY``); n_candidates
        (int64, above 1 where the names are ambiguous, 0 where mapped).

    Examples
    --------
    >>> from adata_assets.annotation.genes.features import read_features
    >>> frame = read_features(pd.DataFrame(index=["TBCE", "TBCE-1", "HLA-A", "STRA13"]))
    >>> map_features(frame, "human")[["gene_id", "mapped_by", "n_candidates"]].values.tolist()[1:]
    [['ENSG00000284770', 'symbol', 0], ['ENSG00000206503', 'symbol', 0], ['STRA13', 'none', 2]]
    """
    is_gene = (frame["declared"].isna() | frame["declared"].eq("gene")).to_numpy(bool)
    ensembl = frame["ensembl"].where(is_gene, None)
    names = _Names(frame, is_open=is_gene & ensembl.isna().to_numpy())
    table = None if species == "other" else load_gene_table(species)
    if table is not None:
        names.gene = table.find_ids(ensembl.to_numpy(dtype=object))
        names.map_symbols(table)
    any_name = first_known([frame["own_name"], frame["symbol"], frame["own_id"]])
    foreign = find_foreign(any_name.where(names.gene < 0, None))
    if table is not None:
        names.map_others(table, foreign)
    mapped_by = np.where(ensembl.notna(), "id", names.mapped_by).astype(object)
    facts = _read_facts(table, names.gene)
    in_table = names.gene >= 0
    classes = classify(frame, foreign, is_in_table=in_table, prefix=PREFIX.get(species))
    symbol = _choose_symbols(frame["symbol"], facts)
    by_name = symbol.str.match(_MITOCHONDRIAL).eq(True) & classes.eq("gene")
    unknown = np.where(ensembl.notna(), "unknown", "own")
    return pd.DataFrame(
        {
            "source": frame["source"],
            "name": frame["name"],
            "gene_id": first_known([facts["gene_id"], ensembl, _own_ids(frame)]),
            "symbol": symbol,
            "biotype": facts["biotype"],
            "feature_class": classes,
            "is_mt": np.where(facts["status"].eq("current"), facts["is_mt"].eq(True), by_name),
            "id_status": facts["status"].where(in_table, unknown),
            "mapped_by": mapped_by,
            "n_candidates": np.where(mapped_by == "none", names.n_candidates, 0),
        }
    )


class _Names:
    """Features of one file that have no Ensembl id, and what their names mean so far.

    Attributes
    ----------
    gene
        int64 row of the table, -1 where open.
    mapped_by
        symbol, alias or none.
    n_candidates
        int64, the most genes that one of the names can mean.
    """

    def __init__(self, frame: pd.DataFrame, *, is_open: np.ndarray) -> None:
        self.columns = {key: frame[key].to_numpy(dtype=object) for key in _NAMES}
        self.is_open = is_open
        self.gene = np.full(len(frame), -1, np.int64)
        self.mapped_by = np.full(len(frame), "none", dtype=object)
        self.n_candidates = np.zeros(len(frame), np.int64)

    def map_symbols(self, table: GeneTable) -> None:
        """Map names that are current symbols."""
        for names in self.columns.values():
            rows = self._find_open(names)
            found = table.find_names(names[rows])
            self._take(rows[found.is_symbol], _part(found, found.is_symbol))

    def map_others(self, table: GeneTable, foreign: pd.Series) -> None:
        """Map aliases, then capitals, then names made unique.

        RFP is an alias of TRIM27 and the name of a transgene: ``foreign`` names are left alone.
        """
        names_of_row = self.columns["symbol"]
        mostly_capitals = _mostly_capitals(names_of_row[self.is_open])
        self.is_open = self.is_open & foreign.isna().to_numpy()
        for names in self.columns.values():
            rows = self._find_open(names)
            self._take(rows, table.find_names(names[rows]))
        self._drop_contested()
        self.is_open = self.is_open & (self.n_candidates == 0)
        if mostly_capitals:
            rows = self._find_open(names_of_row)
            rows = rows[[names_of_row[row].isupper() for row in rows]]
            self._take(rows, table.find_capitals(names_of_row[rows]))
            self._drop_contested()
        for key in ("symbol", "own_name"):
            self._follow_bare_names(self.columns[key])

    def _drop_contested(self) -> None:
        """Unmap aliases of a gene that another name of the file stands for as well.

        One annotation has a gene once: where a file has H2AFZ beside H2AZ1 they are two. Of such
        aliases 0 to 18 % lead to the id that the same files give.
        """
        is_alias = self.mapped_by == "alias"
        rows = np.flatnonzero(is_alias)
        pairs = pd.DataFrame({"gene": self.gene[rows], "name": self.columns["symbol"][rows]})
        n_names = pairs.groupby("gene")["name"].transform("nunique").to_numpy()
        contested = np.isin(self.gene[rows], self.gene[~is_alias]) | (n_names > 1)
        self.gene[rows[contested]] = -1
        self.mapped_by[rows[contested]] = "none"
        self.n_candidates[rows[contested]] = 2

    def _follow_bare_names(self, names: np.ndarray) -> None:
        """Map GENE-1 as GENE of the same file."""
        row_of = {name: row for row, name in reversed(list(enumerate(names)))}
        for row in self._find_open(names):
            bare = _MADE_UNIQUE.sub("", names[row])
            other = row_of.get(bare, row)
            if other != row and self.mapped_by[other] in ("symbol", "alias"):
                self.gene[row], self.mapped_by[row] = self.gene[other], self.mapped_by[other]
            self.n_candidates[row] = max(self.n_candidates[row], self.n_candidates[other])

    def _find_open(self, names: np.ndarray) -> np.ndarray:
        return np.flatnonzero(self.is_open & (self.gene < 0) & pd.notna(names))

    def _take(self, rows: np.ndarray, found: Found) -> None:
        self.n_candidates[rows] = np.maximum(self.n_candidates[rows], found.n_candidates)
        self.gene[rows] = found.gene
        self.mapped_by[rows] = np.where(
            found.gene < 0, "none", np.where(found.is_symbol, "symbol", "alias")
        )


def _part(found: Found, rows: np.ndarray) -> Found:
    return Found(found.gene[rows], found.is_symbol[rows], found.n_candidates[rows])


def _own_ids(frame: pd.DataFrame) -> pd.Series:
    own = first_known([frame["own_id"], frame["own_name"], frame["symbol"]])
    for row in np.flatnonzero(own.isna()):
        own[row] = f"unnamed {frame['source'][row] + 1}.{row + 1}"
    return own


def _read_facts(table: GeneTable | None, gene: np.ndarray) -> pd.DataFrame:
    """Return what the table says of each feature; nulls where it says nothing."""
    columns = ["gene_id", "symbol", "biotype", "status", "is_mt"]
    if table is None:
        return pd.DataFrame({name: np.full(len(gene), None, dtype=object) for name in columns})
    facts = table.genes.iloc[np.maximum(gene, 0)].reset_index()[columns].astype(object)
    return facts.where(pd.Series(gene >= 0), None)


def _choose_symbols(own: pd.Series, facts: pd.DataFrame) -> pd.Series:
    """Return the current symbol, else the file's own, else that of a retired gene."""
    current = facts["symbol"].where(facts["status"].eq("current"))
    return first_known([current, own, facts["symbol"]])


def _mostly_capitals(names: np.ndarray) -> bool:
    lettered = [name for name in names if name and name.upper() != name.lower()]
    return 2 * sum(name.isupper() for name in lettered) > len(lettered)
