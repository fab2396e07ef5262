"""Where every raw cell went.

Belongs here: counting outcomes, and comparing them with what the raw files hold.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from adata_assets.annotation.cleaning import QUARANTINE
from adata_assets.annotation.store import OBS
from adata_assets.artefact import Artefact
from adata_assets.matrix.header import count_obs
from adata_assets.sources.raw import read_raw_files
from adata_assets.tables import read_table, write_table

LEDGER = "ledger.parquet"
RAW = "raw.parquet"
MAX_VALUES_SHOWN = 3
_COLUMNS = ["source", "split", "removed_rule", "removed_value"]


def write_ledger(raw: Artefact, annotated: Artefact, folder: Path) -> pd.DataFrame:
    """Write the ledger with what the raw files' own headers say; return it."""
    table = build_ledger(read_table(annotated.local(OBS), _COLUMNS))
    write_table(table, folder / LEDGER)
    n_raw = {file.name: count_obs(Path(file.path)) for file in read_raw_files(raw)}
    write_table(pd.Series(n_raw, name="n_raw").rename_axis("source").reset_index(), folder / RAW)
    return table


def find_unaccounted(ledger: Artefact) -> tuple[list[str], int]:
    """Compare the ledger with the number of cells in the header of each raw file."""
    accounted = read_table(ledger.local(LEDGER)).groupby("source")["n_obs"].sum()
    raw = read_table(ledger.local(RAW)).set_index("source")["n_raw"]
    breaches = [
        f"{source}: {accounted.get(source, 0)} of {n_raw} raw cells are accounted for"
        for source, n_raw in raw.items()
        if accounted.get(source, 0) != n_raw
    ]
    unknown = sorted(set(accounted.index) - set(raw.index))
    return breaches + [f"{source} is no source" for source in unknown], int(raw.sum())


def build_ledger(obs: pd.DataFrame) -> pd.DataFrame:
    """Count the cells of each outcome (``LedgerSchema``).

    Parameters
    ----------
    obs
        Columns ``source``, ``split``, ``removed_rule``, ``removed_value``, one row per raw cell.

    Examples
    --------
    >>> obs = pd.DataFrame({"source": ["a", "a", "a"], "split": ["train", None, None],
    ...                     "removed_rule": [None, "min_genes", "no_group"],
    ...                     "removed_value": [None, "12", "missing"]})
    >>> build_ledger(obs).drop(columns="source").values.tolist()  # doctest: +NORMALIZE_WHITESPACE
    [['published', 'train', 1, ''], ['quarantined', 'no_group', 1, 'missing'],
     ['removed', 'min_genes', 1, '12']]
    """
    is_published = obs["split"].notna()
    outcome = obs["removed_rule"].isin(QUARANTINE).map({True: "quarantined", False: "removed"})
    rows = pd.DataFrame(
        {
            "source": obs["source"].astype(str),
            "outcome": outcome.mask(is_published, "published"),
            "rule": obs["split"].where(is_published, obs["removed_rule"]).astype(str),
            "value": obs["removed_value"],
        }
    )
    grouped = rows.groupby(["source", "outcome", "rule"], sort=True, observed=True)["value"]
    ledger = grouped.agg(n_obs="size", values_seen=_describe).reset_index()
    return ledger.astype({"n_obs": "int64"})


def _describe(values: pd.Series) -> str:
    known = values.dropna()
    numbers = pd.to_numeric(known, errors="coerce")
    if len(known) and numbers.notna().all() and known.nunique() > 1:
        return f"{numbers.min():g} … {numbers.max():g}"
    different = known.unique()
    shown = ", ".join(map(str, different[:MAX_VALUES_SHOWN]))
    return shown + (
        f" and {len(different) - MAX_VALUES_SHOWN} more"
        if len(different) > MAX_VALUES_SHOWN
        else ""
    )
