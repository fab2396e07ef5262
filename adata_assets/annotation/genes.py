"""The gene table: id, symbol and class of every feature of the source.

Belongs here: which column is which, what counts as a gene, which features share an id. Genes are
marked, never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.errors import InputError

ENSEMBL = r"^ENS[A-Z]{0,6}G\d{11}(?:\.\d+)?$"
_ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl_ids", "feature_id")
_SYMBOL_COLUMNS = ("feature_name", "gene_symbols", "gene_symbol", "gene_name", "symbol")
_CLASS_OF_TYPE = {
    "gene expression": "gene",
    "gene": "gene",
    "antibody capture": "antibody",
    "spike-in": "spike_in",
}
_VIRAL = r"^(?:nCoV|SARS-?CoV.*|HIV-?[12]|EBV|HCMV|.*virus.*)$"
_SPIKE_IN = r"^ERCC-\d+$"


@dataclass(frozen=True)
class Genes:
    """Genes of ``counts`` and the way there from the source's features.

    Attributes
    ----------
    var
        ``VarSchema``, one row per gene, ordered by the gene's first feature in the source.
    gene_index
        int32 ``(n_source_features,)``: the gene of each feature.
    """

    var: pd.DataFrame
    gene_index: np.ndarray


def build_genes(
    source_var: pd.DataFrame, *, id_key: str | None = None, symbol_key: str | None = None
) -> Genes:
    """Build the gene table from the ``var`` of the matrix that holds the counts.

    Parameters
    ----------
    source_var
        One row per feature; the index are the feature names.
    id_key, symbol_key
        Columns of ids and symbols; None looks for the usual names, then for Ensembl ids in the
        index.

    Raises
    ------
    InputError
        If a named column is not there.

    Examples
    --------
    >>> genes = build_genes(pd.DataFrame({"gene_ids": ["ENSG00000198888", "g2", "g2"]},
    ...                                  index=["MT-ND1", "A", "B"]))
    >>> genes.gene_index.tolist(), genes.var["is_mt"].tolist()
    ([0, 1, 1], [True, False])
    """
    names = pd.Series(source_var.index.astype(str), index=source_var.index, dtype=object)
    ids = _column(source_var, id_key, _ID_COLUMNS, "keys.gene_id")
    symbols = _column(source_var, symbol_key, _SYMBOL_COLUMNS, "keys.gene_symbol")
    if ids is None:
        ids = names
    elif symbols is None and not names.str.match(ENSEMBL).all():
        symbols = names
    ids = ids.where(ids.str.len().gt(0), names)
    ids = ids.where(~ids.str.match(ENSEMBL), ids.str.replace(r"\.\d+$", "", regex=True))
    if symbols is None:
        symbols = ids.where(~ids.str.match(ENSEMBL), None)
    classes = _classify(source_var, ids, symbols.fillna(ids))
    gene_index, unique_ids = pd.factorize(ids.to_numpy(dtype=object))
    first = pd.Series(np.arange(len(ids))).groupby(gene_index, sort=True).first().to_numpy()
    symbol = symbols.to_numpy(dtype=object)[first]
    var = pd.DataFrame(
        {
            "gene_id": pd.Series(unique_ids, dtype=object),
            "symbol": symbol,
            "feature_class": classes.to_numpy(dtype=object)[first],
            "is_mt": pd.Series(symbol).str.upper().str.startswith("MT-").eq(True).to_numpy(),
            "n_source_features": np.bincount(gene_index, minlength=len(unique_ids)),
        }
    )
    return Genes(var, gene_index.astype(np.int32))


def _column(
    source_var: pd.DataFrame, key: str | None, usual: tuple[str, ...], field: str
) -> pd.Series | None:
    if key is not None and key not in source_var:
        raise InputError(
            f"{field} names the var column {key!r}, which the file does not have; "
            f"its var columns are {list(source_var.columns)}"
        )
    found = key or next((name for name in usual if name in source_var), None)
    if found is None:
        return None
    column = source_var[found].astype(object)
    return column.where(column.notna(), "").astype(str).astype(object)


def _classify(source_var: pd.DataFrame, ids: pd.Series, symbols: pd.Series) -> pd.Series:
    if "feature_types" in source_var:
        types = source_var["feature_types"].astype(str).str.lower()
        classes = types.map(_CLASS_OF_TYPE).fillna("other").astype(object)
    else:
        classes = pd.Series("gene", index=source_var.index, dtype=object)
    is_gene = classes == "gene"
    classes[is_gene & symbols.str.match(_SPIKE_IN)] = "spike_in"
    foreign = is_gene & ~ids.str.match(ENSEMBL)
    classes[foreign & (symbols.str.match(_VIRAL) | ids.str.match(_VIRAL))] = "viral"
    return classes
