"""Generated groups of cells, dealt; and what was found of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.spec import Splits
from adata_assets.splitting.deal import Dealt, deal_groups

COVID = {"M3": 624, "S3": 3_066, "S5": 2_411}


def nothing(n_obs: int) -> pd.Series:
    """Return a column that says nothing."""
    return pd.Series(np.full(n_obs, None), dtype=object)


def cells_of(sizes: dict[str, int], column: str = "donor") -> pd.DataFrame:
    """Return the group column of so many cells of each group."""
    return pd.DataFrame({column: np.repeat(list(sizes), list(sizes.values()))}, dtype=object)


def deal(
    keys: pd.DataFrame,
    rules: Splits | dict[str, object],
    *,
    copies: pd.Series | None = None,
    held: pd.Series | None = None,
    labels: pd.Series | None = None,
    locked: dict[tuple[str, str], str] | None = None,
) -> Dealt:
    """Deal cells whose ids are made of their row labels."""
    empty = nothing(len(keys)).set_axis(keys.index)
    return deal_groups(
        pd.Series([f"cell{i}" for i in keys.index], index=keys.index, dtype=object),
        keys,
        empty if copies is None else copies,
        empty if held is None else held,
        empty if labels is None else labels,
        rules if isinstance(rules, Splits) else Splits(**rules),
        locked=locked or {},
    )


def split_of(keys: pd.DataFrame, dealt: Dealt, column: str = "donor") -> dict[str, str]:
    """Return the split of each group, which has to be one."""
    found = dealt.split.groupby(keys[column]).unique()
    assert found.map(len).eq(1).all()
    return found.str[0].to_dict()


def shares_of(dealt: Dealt) -> dict[str, float]:
    """Return the share of each split in percent, to one digit."""
    return (dealt.split.value_counts(normalize=True) * 100).round(1).to_dict()
