"""New columns beside the original ones: one word and one ontology term for one thing.

Belongs here: which columns of a file hold which field of cell metadata, what their values become,
rare categories, and the report of all that was found. Which term a text means stands in
``ontology``. Original columns are read, never written (C14).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from adata_assets.annotation.harmonised.ontology import ONTOLOGY_FIELDS, suggest_terms
from adata_assets.annotation.harmonised.terms import FINDING_COLUMNS, Finding, harmonise_value
from adata_assets.annotation.values import MISSING, clean_text, clean_values
from adata_assets.errors import InputError
from adata_assets.spec import Harmonise

FIELDS = (
    "assay",
    "cell_type",
    "development_stage",
    "disease",
    "donor_id",
    "organism",
    "self_reported_ethnicity",
    "sex",
    "suspension_type",
    "tissue",
    "tissue_type",
)
PREFIX, TERM_SUFFIX, OTHER = "harmonised_", "_ontology_term_id", "other"
# A donor who becomes 'other' is no donor any more, and the remaining fields have few, fixed values.
FOLDED_FIELDS = frozenset(
    ["assay", "cell_type", "development_stage", "disease", "self_reported_ethnicity", "tissue"]
)
_KEY_OF = {"cell_type": "cell_type", "assay": "instrument"}
# Free text would fill the report with a row per cell, and each suggestion reads a whole ontology.
_MAX_ROWS, _MAX_SUGGESTIONS = 200, 20


@dataclass(frozen=True)
class Harmonised:
    """What ``harmonise`` makes.

    Attributes
    ----------
    table
        One row per raw cell in source order, RangeIndex, str or None: ``harmonised_<field>`` and,
        for the fields of ``ONTOLOGY_FIELDS``, ``harmonised_<field>_ontology_term_id``.
    report
        Columns ``column, finding, value, detail, n_obs``: what was found and changed. Findings:
        ``all_missing`` and ``constant`` (any column), ``missing`` (cells without the field),
        ``mapped`` (a text found its term), ``replaced`` (retired term), ``deprecated`` (retired
        without replacement), ``unknown_term``, ``ambiguous``, ``disagreement`` (of name and id),
        ``folded``, ``name_taken`` (the file has a column named like one made here).
    """

    table: pd.DataFrame
    report: pd.DataFrame


def harmonise(
    source_obs: pd.DataFrame, keys: Mapping[str, str | None], rules: Harmonise, *, species: str
) -> Harmonised:
    """Return the harmonised columns of a dataset and the report.

    The value of a field is the name of its term, else the cleaned text. Where the file has
    ``<column>_ontology_term_id``, the id decides. Rare categories are counted over the whole
    dataset.

    Parameters
    ----------
    source_obs
        All raw cells of the dataset.
    keys
        Key of the spec to obs column; ``cell_type`` and ``instrument`` (the assay) are used, other
        fields have their CELLxGENE name.
    species
        ``human``, ``mouse`` or ``other``: whose development stages.

    Raises
    ------
    InputError
        If a key names a column that is not there, or obs column names repeat.
    """
    plain = _require_columns(source_obs)
    table: dict[str, np.ndarray] = {}
    findings = list(_describe_columns(plain))
    for field in FIELDS:
        name = _column_of(field, plain, keys)
        term_name = f"{name}{TERM_SUFFIX}"
        if name not in plain and (field not in ONTOLOGY_FIELDS or term_name not in plain):
            continue
        columns, found = _harmonise_field(plain, field, name, rules.fold_below, species)
        table |= columns
        findings += found
    for name in table:
        if name in plain:
            detail = (
                "the file has a column of that name; it stays as it is, beside the one made here"
            )
            findings.append(Finding(name, "name_taken", None, detail, len(plain)))
    return Harmonised(pd.DataFrame(table, index=plain.index, dtype=object), _build_report(findings))


def columns_behind(name: str, keys: Mapping[str, str | None]) -> tuple[str, str]:
    """Return the obs columns, if they are there, from which a harmonised column was made.

    Examples
    --------
    >>> columns_behind("harmonised_cell_type_ontology_term_id", {"cell_type": "label"})
    ('label', 'label_ontology_term_id')
    """
    field = name.removeprefix(PREFIX).removesuffix(TERM_SUFFIX)
    column = keys.get(_KEY_OF.get(field, "")) or field
    return column, f"{column}{TERM_SUFFIX}"


def _require_columns(source_obs: pd.DataFrame) -> pd.DataFrame:
    plain = source_obs.set_axis(pd.RangeIndex(len(source_obs)), axis=0)
    plain = plain.set_axis(plain.columns.astype(str), axis=1)
    if repeated := sorted(set(plain.columns[plain.columns.duplicated()])):
        raise InputError(
            f"several obs columns are named {repeated}; give each its own name, or nobody can say "
            "which one is meant"
        )
    return plain


def _column_of(field: str, plain: pd.DataFrame, keys: Mapping[str, str | None]) -> str:
    key = _KEY_OF.get(field, "")
    named = keys.get(key)
    if named is not None and named not in plain:
        raise InputError(
            f"keys.{key} names the obs column {named!r}, which is not there; obs columns are "
            f"{list(plain.columns)}"
        )
    return named or field


def _describe_columns(plain: pd.DataFrame) -> Iterator[Finding]:
    for name in plain.columns if len(plain) else ():
        known = _first_known(plain[name])
        if not known:
            yield Finding(name, "all_missing", None, "no cell has a value", len(plain))
        elif len(known) == 1 and clean_values(plain[name]).notna().all():
            yield Finding(name, "constant", known[0], "the same in every cell", len(plain))


def _first_known(column: pd.Series) -> list[str]:
    """Return the first two different values that are not missing, or what there is."""
    known: list[str] = []
    for value in column.dropna().unique():
        text = clean_text(str(value))
        if text.lower() not in MISSING and text not in known:
            known.append(text)
        if len(known) == 2:
            break
    return known


def _harmonise_field(
    plain: pd.DataFrame, field: str, name: str, fold_below: int, species: str
) -> tuple[dict[str, np.ndarray], list[Finding]]:
    term_name = f"{name}{TERM_SUFFIX}"
    nothing = pd.Series(None, index=plain.index, dtype=object)
    texts = clean_values(plain[name]) if name in plain else nothing
    ids = nothing
    if field in ONTOLOGY_FIELDS and term_name in plain:
        ids = clean_values(plain[term_name])
    codes, pairs = _distinct_pairs(texts, ids)
    n_obs = np.bincount(codes, minlength=len(pairs))
    values, terms, found = [], [], []
    for (text, term_id), n in zip(pairs, n_obs.tolist(), strict=True):
        one = harmonise_value(field, text, term_id, species=species)
        values.append(one.value)
        terms.append(one.term_id)
        found += [
            Finding(term_name if f.of_id else name, f.finding, f.value, f.detail, n)
            for f in one.findings
        ]
    if field in ONTOLOGY_FIELDS:
        found = _suggest(found, field, name, species)
    if field in FOLDED_FIELDS and fold_below:
        found += _fold(values, terms, n_obs, fold_below, name if name in plain else term_name)
    return _spread(field, values, terms, codes), [
        *found,
        *_count_missing(PREFIX + field, values, n_obs),
    ]


def _suggest(found: list[Finding], field: str, name: str, species: str) -> list[Finding]:
    """Name the nearest terms of the most frequent texts that have none."""
    unknown = [one for one in found if (one.column, one.finding) == (name, "unknown_term")]
    nearest = {
        one.value: suggest_terms(field, one.value or "", species=species)
        for one in sorted(unknown, key=lambda one: -one.n_obs)[:_MAX_SUGGESTIONS]
    }
    return [
        one._replace(detail=f"{one.detail}; nearest: {', '.join(nearest[one.value])}")
        if one.finding == "unknown_term" and one.column == name and nearest.get(one.value)
        else one
        for one in found
    ]


def _distinct_pairs(
    texts: pd.Series, ids: pd.Series
) -> tuple[np.ndarray, list[tuple[str | None, str | None]]]:
    """Return the code of each cell and the pair (text, id) behind each code."""
    text_codes, distinct_texts = pd.factorize(texts)
    id_codes, distinct_ids = pd.factorize(ids)
    # Missing is -1, which is the last entry of a list.
    named, numbered = [*distinct_texts, None], [*distinct_ids, None]
    both = text_codes % len(named) * len(numbered) + id_codes % len(numbered)
    codes, distinct = pd.factorize(both)
    return codes, [(named[b // len(numbered)], numbered[b % len(numbered)]) for b in distinct]


def _fold(
    values: list[str | None],
    terms: list[str | None],
    n_obs: np.ndarray,
    fold_below: int,
    column: str,
) -> list[Finding]:
    """Let rare values become ``other``, in place."""
    counts: dict[str, int] = {}
    for value, n in zip(values, n_obs.tolist(), strict=True):
        if value is not None:
            counts[value] = counts.get(value, 0) + n
    rare = {value: n for value, n in counts.items() if n < fold_below}
    for i, value in enumerate(values):
        if value in rare:
            values[i], terms[i] = OTHER, None
    detail = f"fewer than {fold_below} cells in the dataset: {OTHER!r}"
    return [Finding(column, "folded", value, detail, n) for value, n in rare.items()]


def _spread(
    field: str, values: list[str | None], terms: list[str | None], codes: np.ndarray
) -> dict[str, np.ndarray]:
    columns = {PREFIX + field: np.array(values, dtype=object)[codes]}
    if field in ONTOLOGY_FIELDS:
        columns[PREFIX + field + TERM_SUFFIX] = np.array(terms, dtype=object)[codes]
    return columns


def _count_missing(column: str, values: list[str | None], n_obs: np.ndarray) -> Iterator[Finding]:
    n_missing = sum(n for value, n in zip(values, n_obs.tolist(), strict=True) if value is None)
    if n_missing:
        yield Finding(column, "missing", None, "cells of which it is not known", n_missing)


def _build_report(findings: list[Finding]) -> pd.DataFrame:
    counts: dict[tuple[str, str, str | None, str], int] = {}
    for one in findings:
        key = (one.column, one.finding, one.value, one.detail)
        counts[key] = counts.get(key, 0) + one.n_obs
    report = pd.DataFrame(
        [(*key, n) for key, n in counts.items()], columns=list(FINDING_COLUMNS)
    ).astype({"n_obs": np.int64})
    rank = report.groupby(["column", "finding"], sort=False).cumcount()
    beyond = report[rank >= _MAX_ROWS].groupby(["column", "finding"], sort=False)["n_obs"]
    rest = beyond.agg(["size", "sum"]).reset_index()
    rest = rest.assign(value=None, detail=rest["size"].map("and {} more values".format))
    rest = rest.rename(columns={"sum": "n_obs"})[list(FINDING_COLUMNS)]
    return pd.concat([report[rank < _MAX_ROWS], rest], ignore_index=True) if len(rest) else report
