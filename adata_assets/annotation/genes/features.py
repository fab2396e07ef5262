"""What the ``var`` of one source file says of each feature, in columns of one form.

Belongs here: which column is which, missing names, prefixes and suffixes of ids. What a name means
is another module's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from adata_assets.annotation.values import MISSING
from adata_assets.errors import InputError

_ID_COLUMNS = (
    "gene_ids",
    "gene_id",
    "ensembl_id",
    "ensembl_ids",
    "ensembl",
    "ensembl_gene_id",
    "gene_stable_id",
    "feature_id",
    "id",
)
_SYMBOL_COLUMNS = (
    "feature_name",
    "gene_symbols",
    "gene_symbol",
    "gene_name",
    "gene_names",
    "gene_short_name",
    "external_gene_name",
    "hgnc_symbol",
    "mgi_symbol",
    "symbols",
    "symbol",
    "genes",
    "gene",
    "name",
    "_index",
    "index",
)
_TYPE_COLUMNS = ("feature_types", "feature_biotype", "feature_type")
_CLASS_OF_TYPE = (
    (r"^gene(?:[ _]expression)?$", "gene"),
    (r"antibody|hashtag|protein expression", "antibody"),
    (r"spike[-_ ]?in", "spike_in"),
    (r"crispr|guide|peak|multiplex|custom|barcode", "other"),
)
# Two genomes in one reference: Cell Ranger writes GRCh38_CD3E, mm10___Cd3e, hg19_ENSG….
_ASSEMBLY = re.compile(
    r"^(?:(?P<human>GRCh3[78]|hg19|hg38)|GRCm3[89]|mm9|mm10|mm39)(?:[_.-]premrna)?_+(?=.)"
)
# Ids stand alone or beside a symbol (CD4_ENSG…, ENSG…|CD4), with version and _PAR_Y. Releases
# before 2014 wrote the copy on Y of ENSG00000182378 as ENSGR0000182378.
_ENSEMBL = re.compile(
    r"^(?:(?P<before>.+?)[_|:-])??(?P<prefix>ENS[A-Z]{0,6}?G)(?:R(?P<on_y>\d{10})|(?P<digits>\d{11}))"
    r"(?:\.\d+)?(?:[_|:-](?P<after>.+))?$"
)
_NO_SYMBOL = re.compile(r"^(?:PAR[_-]Y|\d+)$")


def read_features(
    source_var: pd.DataFrame,
    source: int = 0,
    *,
    id_key: str | None = None,
    symbol_key: str | None = None,
) -> pd.DataFrame:
    """Return one row per feature of a source file, in its order.

    Parameters
    ----------
    source_var
        The index are the feature names.
    source
        Number of the file.
    id_key, symbol_key
        Columns of ids and symbols; None looks for the usual names.

    Returns
    -------
    pandas.DataFrame
        source; name (feature name, '' where missing); ensembl (id without version, else None);
        prefix (of the Ensembl id, or of the species of the assembly before the name; else None);
        symbol, own_name, own_id (text of the file that is no Ensembl id, else None); declared
        (class that the file states, else None).

    Raises
    ------
    InputError
        If a named column is not there, or if the features are numbered and nothing names them.

    Examples
    --------
    >>> var = pd.DataFrame({"gene_ids": ["ENSG00000010610.10", "b"]}, index=["CD4", "hg19_CD8A"])
    >>> read_features(var)[["ensembl", "prefix", "symbol", "own_id"]].values.tolist()
    [['ENSG00000010610', 'ENSG', 'CD4', None], [None, 'ENSG', 'CD8A', 'b']]
    """
    names = clean_names(source_var.index)
    is_numbered = _is_numbered(names)
    columns = {
        "own_id": _find_column(source_var, id_key, _ID_COLUMNS, "keys.gene_id"),
        "own_name": None if is_numbered else names,
        "symbol": _find_column(source_var, symbol_key, _SYMBOL_COLUMNS, "keys.gene_symbol"),
    }
    read = {key: _read_texts(texts) for key, texts in columns.items() if texts is not None}
    if not any(part["ensembl"].notna().any() for part in read.values()):
        read["any"] = _read_texts(_find_ensembl_column(source_var, len(names)))
    empty = _nothing(len(names))
    text = {key: read[key]["text"] if key in read else empty for key in columns}
    beside = [read[key]["beside"] for key in ("symbol", "own_name", "own_id") if key in read]
    frame = pd.DataFrame(
        {
            "source": np.full(len(names), source, np.int32),
            "name": names.fillna(""),
            "ensembl": first_known([part["ensembl"] for part in read.values()]),
            "prefix": first_known([part["prefix"] for part in read.values()]),
            "symbol": first_known([text["symbol"], *beside, text["own_name"]]),
            "own_name": text["own_name"],
            "own_id": text["own_id"],
            "declared": _read_declared(source_var),
        }
    )
    if is_numbered:
        _require_names(frame, source_var)
    return frame


def clean_names(values: Iterable[object]) -> pd.Series:
    """Return values as text without white space around; None for every way of saying nothing.

    Examples
    --------
    >>> clean_names([" CD4", None, float("nan"), "N/A", 7]).tolist()
    ['CD4', None, None, None, '7']
    """
    texts = ("" if value is None else str(value).strip() for value in values)
    known = [None if text.lower() in MISSING else text for text in texts]
    return pd.Series(known, index=range(len(known)), dtype=object)


def first_known(columns: Sequence[pd.Series]) -> pd.Series:
    """Return, row by row, the first value that is not null; None where there is none."""
    found = columns[0]
    for column in columns[1:]:
        found = found.where(found.notna(), column)
    return found.where(found.notna(), None)


def _nothing(n_features: int) -> pd.Series:
    return pd.Series([None] * n_features, index=range(n_features), dtype=object)


def _is_numbered(names: pd.Series) -> bool:
    return any(
        len(names) > 0 and names.tolist() == [str(n) for n in range(first, first + len(names))]
        for first in (0, 1)
    )


def _require_names(frame: pd.DataFrame, source_var: pd.DataFrame) -> None:
    if frame[["ensembl", "symbol", "own_id"]].isna().all(axis=None):
        raise InputError(
            f"the features of source file {frame['source'].iloc[0] + 1} are numbered "
            f"{frame['name'].iloc[0]} … {frame['name'].iloc[-1]} and no column says which genes "
            f"they are; its var columns are {list(source_var.columns)}: name the one that holds "
            "Ensembl ids or symbols with keys.gene_id or keys.gene_symbol"
        )


def _find_column(
    source_var: pd.DataFrame, key: str | None, usual: tuple[str, ...], field: str
) -> pd.Series | None:
    if key is not None:
        if key not in source_var:
            raise InputError(
                f"{field} names the var column {key!r}, which the file does not have; "
                f"its var columns are {list(source_var.columns)}"
            )
        return clean_names(_column(source_var, key))
    by_name = {re.sub(r"[\s.-]+", "_", str(name).lower()): name for name in source_var}
    for name in usual:
        if name in by_name:
            texts = clean_names(_column(source_var, by_name[name]))
            if _tells_apart(texts):
                return texts
    return None


def _column(source_var: pd.DataFrame, key: object) -> pd.Series:
    """Return the first column of that name, which may be there twice."""
    found = source_var.loc[:, key]
    return found.iloc[:, 0] if isinstance(found, pd.DataFrame) else found


def _tells_apart(texts: pd.Series) -> bool:
    """Whether texts name single features: words rather than numbers, most of them different."""
    known = texts.dropna()
    if known.str.contains("ENS", regex=False).any():
        return True
    is_number = known.str.fullmatch(r"[-+.\deE]+|True|False")
    return len(known) > 0 and not is_number.all() and known.nunique() * 2 >= len(known)


def _read_texts(texts: pd.Series) -> pd.DataFrame:
    """Return text (None where it holds an Ensembl id), ensembl, prefix, beside (symbol by the id)."""
    rows = [_read_text(text) for text in texts]
    columns = ["text", "ensembl", "prefix", "beside"]
    return pd.DataFrame(rows, range(len(texts)), columns, dtype=object)


def _read_text(text: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    if text is None:
        return None, None, None, None
    prefix = None
    if text[:2] in ("GR", "hg", "mm") and (build := _ASSEMBLY.match(text)):
        prefix = "ENSG" if build["human"] else "ENSMUSG"
        text = text[build.end() :]
    if "ENS" not in text or not (found := _ENSEMBL.match(text)):
        return text, None, prefix, None
    beside = found["before"] or found["after"]
    if beside and _NO_SYMBOL.match(beside):
        beside = None
    digits = found["digits"] or "0" + found["on_y"]
    return None, found["prefix"] + digits, found["prefix"], beside


def _find_ensembl_column(source_var: pd.DataFrame, n_features: int) -> pd.Series:
    """Return the first column that mostly holds Ensembl ids, whatever its name, else nothing."""
    for place in range(source_var.shape[1]):
        values = source_var.iloc[:, place]
        if values.dtype == object or isinstance(values.dtype, pd.CategoricalDtype | pd.StringDtype):
            first = _read_texts(clean_names(values.iloc[:1000]))
            if first["ensembl"].notna().mean() > 0.5:
                return clean_names(values)
    return _nothing(n_features)


def _read_declared(source_var: pd.DataFrame) -> pd.Series:
    declared = _nothing(len(source_var))
    for name in _TYPE_COLUMNS:
        if name in source_var and declared.isna().all():
            values = clean_names(_column(source_var, name))
            classes = {value: _class_of(value) for value in values.dropna().unique()}
            declared = values.map(classes).astype(object)
    return declared.where(declared.notna(), None)


def _class_of(value: str) -> str | None:
    found = (name for pattern, name in _CLASS_OF_TYPE if re.search(pattern, value, re.IGNORECASE))
    return next(found, None)
