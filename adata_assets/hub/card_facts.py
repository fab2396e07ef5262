"""What the card says about data and methods: embeddings, splits, and which cells were kept.

Belongs here: sentences and tables from facts that were measured. Does not belong here: measuring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adata_assets.errors import InputError
from adata_assets.hub.markdown import code_span, escape_markdown, table

if TYPE_CHECKING:
    import pandas as pd

_FIELDS = ("method", "n_dims", "model_hash", "fit_scope", "version")
_FIT_SCOPES = {
    "train": "fitted on the train cells of this dataset",
    "other_dataset": "fitted on another dataset",
    "external": "a model from elsewhere, not fitted here",
}
_LEDGER_COLUMNS = ("source", "outcome", "rule", "n_obs")


def describe_embeddings(files_metadata: Sequence[Mapping[str, Any]]) -> str:
    r"""Return one list item for each obsm key, from what the shared files say themselves (S8).

    Parameters
    ----------
    files_metadata
        ``adata.uns["adata_assets"]`` of every file: under ``embeddings`` and the embedder's name
        its ``method``, ``n_dims``, ``model_hash``, ``fit_scope`` and ``version``.

    Raises
    ------
    InputError
        If there are no files, a field is missing, or two files disagree.

    Examples
    --------
    >>> pca = {"method": "pca", "n_dims": 50, "model_hash": "ab12", "fit_scope": "train",
    ...        "version": "1"}
    >>> print(describe_embeddings([{"embeddings": {"pca": pca}}]).replace(", model", ",\nmodel"))
    - `X_pca`: method `pca`, 50 dimensions,
    model version `1`,
    model hash `ab12`, fitted on the train cells of this dataset
    """
    if not files_metadata:
        raise InputError("no chunk files to describe: materialize chunk_files first")
    read = [_read_embeddings(metadata, i) for i, metadata in enumerate(files_metadata)]
    for i, found in enumerate(read):
        if found != read[0]:
            raise InputError(
                f"chunk files 0 and {i} hold different embeddings ({read[0]} and {found}): "
                "materialize embeddings and chunk_files again"
            )
    lines = [_describe_embedding(name, facts) for name, facts in read[0].items()]
    return "\n".join(lines) or "None: the files hold counts only."


def describe_links(links_end: str | None) -> str:
    """Return how long the links work.

    Parameters
    ----------
    links_end
        ISO time with zone at which the first of them ends; None: never.

    Examples
    --------
    >>> describe_links("2026-05-02T10:30:00+00:00")
    'The links work until 2026-05-02 10:30 UTC; later versions of the dataset carry new ones.'
    """
    if links_end is None:
        return "The links have no end."
    end = datetime.fromisoformat(links_end).astimezone(UTC)
    return f"The links work until {end:%Y-%m-%d %H:%M} UTC; later versions of the dataset carry new ones."


def describe_splits(
    counts: Mapping[str, int],
    *,
    by: str,
    group_key: str | None,
    n_groups: Mapping[str, int] | None,
    dealing: Mapping[str, Any] | None = None,
) -> str:
    """Return how the cells were dealt, a table of the splits, and how far they are off.

    Parameters
    ----------
    counts
        Cells of each split, in the order of the splits.
    by
        ``group`` or ``cell``.
    group_key
        obs column of the groups; None when the source has none.
    n_groups
        Groups of each split; None when there is no group column.
    dealing
        ``dealing`` of ``annotated_obs``: shares, deviations, columns, held-out values, cell types.

    Raises
    ------
    InputError
        If ``by`` is neither, or is ``group`` without a column.
    """
    if by not in ("group", "cell") or (by == "group" and group_key is None):
        raise InputError(f"split by {by!r} with group column {group_key!r}: expected group or cell")
    header = ["split", *(["groups"] if n_groups else []), "cells"]
    rows = [
        [code_span(name), *([f"{n_groups[name]:,}"] if n_groups else []), f"{n:,}"]
        for name, n in counts.items()
    ]
    columns = dealing["group_columns"] if dealing else ()
    text = f"{_describe_dealing(by, group_key, columns)}\n\n{table(header, rows)}"
    return f"{text}\n\n{_describe_quality(dealing)}" if dealing else text


def _describe_quality(dealing: Mapping[str, Any]) -> str:
    shares = ", ".join(
        f"{name} {100 * dealing['shares'][name]:.1f} % (asked {100 * asked:g} %, "
        f"{dealing['deviation_points'][name]:+.1f} points)"
        for name, asked in dealing["asked"].items()
    )
    told = [f"Shares of the cells: {shares}."]
    if dealing["held_out"]:
        held = "; ".join(
            f"{split} by {', '.join(map(code_span, names))}"
            for split, names in dealing["held_out"].items()
        )
        told.append(f"Held out by the settings: {held}.")
    if dealing["n_labels"]:
        labels = ", ".join(f"{name} {n}" for name, n in dealing["labels"].items())
        told.append(f"Of {dealing['n_labels']} cell types occur: {labels}.")
    return " ".join(told)


def describe_ledger(ledger: pd.DataFrame) -> str:
    """Return the table of what became of every raw cell, with the total.

    Parameters
    ----------
    ledger
        Columns ``source``, ``outcome``, ``rule`` (may be missing in a row) and ``n_obs``.

    Raises
    ------
    InputError
        If a column is missing or the ledger is empty.
    """
    if missing := [name for name in _LEDGER_COLUMNS if name not in ledger.columns]:
        raise InputError(f"ledger has no columns {missing}; found {list(ledger.columns)}")
    if ledger.empty:
        raise InputError("ledger is empty: materialize annotated_obs again")
    records = ledger[list(_LEDGER_COLUMNS)].to_dict("records")
    rows = [
        [*(_show(record[name]) for name in _LEDGER_COLUMNS[:-1]), f"{int(record['n_obs']):,}"]
        for record in records
    ]
    total = ["all", "", "", f"{int(ledger['n_obs'].sum()):,}"]
    text = "Every cell of the source, and what became of it:"
    return f"{text}\n\n{table([*_LEDGER_COLUMNS[:-1], 'cells'], [*rows, total])}"


def _read_embeddings(metadata: Mapping[str, Any], i: int) -> dict[str, dict[str, str]]:
    if "embeddings" not in metadata:
        raise InputError(
            f"chunk file {i}: uns['adata_assets'] holds {sorted(metadata)}, not 'embeddings': "
            "materialize chunk_files again"
        )
    read = {}
    for name, facts in sorted(metadata["embeddings"].items()):
        if missing := [field for field in _FIELDS if field not in facts]:
            raise InputError(
                f"chunk file {i}, embedding {name!r}: {missing} are missing in "
                "uns['adata_assets']: materialize chunk_files again"
            )
        read[str(name)] = {field: str(facts[field]) for field in _FIELDS}
    return read


def _describe_embedding(name: str, facts: Mapping[str, str]) -> str:
    scope = facts["fit_scope"]
    if scope not in _FIT_SCOPES:
        raise InputError(f"embedding {name!r}: fit_scope {scope!r}, not one of {list(_FIT_SCOPES)}")
    return (
        f"- {code_span(f'X_{name}')}: method {code_span(facts['method'])}, "
        f"{facts['n_dims']} dimensions, model version {code_span(facts['version'])}, "
        f"model hash {code_span(facts['model_hash'])}, {_FIT_SCOPES[scope]}"
    )


def _describe_dealing(by: str, group_key: str | None, columns: Sequence[str]) -> str:
    if by == "group" and len(columns) > 1:
        return (
            "Cells were dealt by whole groups of the obs columns "
            f"{', '.join(map(code_span, columns))}: no value of them is in two splits."
        )
    if by == "group" and group_key is not None:
        return (
            f"Cells were dealt by whole groups of the obs column {code_span(group_key)}: no group "
            "is in two splits."
        )
    if group_key is None:
        return (
            "Cells were dealt one by one, because the source names no donor: cells of one donor "
            "can be in several splits."
        )
    return (
        "Cells were dealt one by one, as the dataset's settings ask: cells of one "
        f"{code_span(group_key)} can be in several splits."
    )


def _show(value: object) -> str:
    # Only NaN differs from itself; pandas writes a missing rule so.
    missing = value is None or value != value
    return "" if missing else " ".join(escape_markdown(str(value)).split())
