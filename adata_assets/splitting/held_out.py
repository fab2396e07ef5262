"""Which cells the spec holds out, and where they have to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from adata_assets.errors import InputError

HeldOut = Mapping[Literal["validation", "test"], Mapping[str, Sequence[str]]]


def find_held_out(values: pd.DataFrame, held_out: HeldOut) -> pd.Series:
    """Return the split that each cell is held out for, None for any other.

    Parameters
    ----------
    values
        The obs columns that ``held_out`` names, str or None.
    held_out
        Split to obs column to values.

    Raises
    ------
    InputError
        If a value occurs in no cell, or a cell is held out for two splits.

    Examples
    --------
    >>> values = pd.DataFrame({"tissue": ["lung", "blood"]})
    >>> find_held_out(values, {"test": {"tissue": ["lung"]}}).tolist()
    ['test', None]
    """
    found = pd.Series(np.full(len(values), None), index=values.index)
    for split, columns in held_out.items():
        for column, wanted in columns.items():
            _require_values(values[column], wanted, f"splits.held_out.{split}.{column}")
            is_held = values[column].isin(list(wanted))
            if (both := is_held & found.notna() & (found != split)).any():
                row = int(np.flatnonzero(both)[0])
                raise InputError(
                    f"splits.held_out: cell {row} is held out for {found.iloc[row]} and, by "
                    f"{column} {values[column].iloc[row]!r}, for {split}; name its values once"
                )
            found[is_held] = split
    return found


def _require_values(column: pd.Series, wanted: Sequence[str], field: str) -> None:
    present = sorted(column.dropna().unique())
    if unknown := [value for value in wanted if value not in present]:
        raise InputError(
            f"{field} names {unknown}, which no cell has; the column holds {present[:20]}"
        )


def hold_together(held: pd.Series, part_of_cell: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the split that each part has to go to, object ``(n_parts,)``; None: any.

    Parameters
    ----------
    held
        Split that a cell is held out for, or None.
    part_of_cell
        Number of the part that each cell is dealt with, int64.
    names
        What errors call each part.

    Raises
    ------
    InputError
        If cells of one part are held out for two splits.
    """
    found = np.full(len(names), None, dtype=object)
    is_held = held.notna().to_numpy()
    pairs = pd.DataFrame({"part": part_of_cell[is_held], "split": held[is_held].to_numpy()})
    for part, split in pairs.drop_duplicates().sort_values(["part", "split"]).to_numpy():
        if found[part] is not None:
            raise InputError(
                f"splits.held_out: cells that are dealt together with {names[part]!r} are held out "
                f"for {found[part]} and for {split}; hold their values out for one split"
            )
        found[part] = split
    return found
