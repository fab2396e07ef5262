"""The columns that are made beside the original ones: harmonised values, facts of accessions.

Belongs here: what they are made from. Only published columns are read, so that a new column never
tells what a column that stays on the machine says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from adata_assets.annotation.harmonised.accessions import (
    look_up_accessions,
    report_accessions,
    spread_accessions,
)
from adata_assets.annotation.harmonised.harmonise import Harmonised, harmonise
from adata_assets.errors import InputError
from adata_assets.spec import Harmonise


def make_columns(
    published: pd.DataFrame,
    keys: Mapping[str, str | None],
    rules: Harmonise,
    *,
    species: str,
    cache: Path,
) -> Harmonised:
    """Return harmonised columns and, where ``rules.accession`` is set, those of the archives.

    Parameters
    ----------
    published
        The files' own columns that leave the machine, one row per raw cell.
    cache
        File of what the archives said.

    Raises
    ------
    InputError
        If ``rules.accession`` names a column that is not published.
    """
    seen = {key: column if column in published else None for key, column in keys.items()}
    found = harmonise(published, seen, rules, species=species)
    if rules.accession is None:
        return found
    if rules.accession not in published:
        raise InputError(
            f"harmonise.accession names {rules.accession!r}; published obs columns are "
            f"{list(published.columns)}"
        )
    accessions = published[rules.accession]
    answers = look_up_accessions(accessions.dropna().unique(), cache=cache)
    return Harmonised(
        found.table.join(spread_accessions(accessions, answers)),
        pd.concat([found.report, report_accessions(accessions, answers)], ignore_index=True),
    )
