"""Subsets: exact sizes, kept proportions, a function of ids and seed alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adata_assets.errors import InputError
from adata_assets.spec import Subset
from adata_assets.splitting.subset import choose_subset


def _cells(n_of_type: dict[str, int]) -> tuple[pd.Series, pd.DataFrame]:
    types = [name for name, n in n_of_type.items() for _ in range(n)]
    return pd.Series([f"c{i}" for i in range(len(types))]), pd.DataFrame({"type": types})


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1),
    st.integers(1, 150),
    st.integers(0, 5),
)
def test_strata_keep_their_proportions(sizes: dict[str, int], n_obs: int, seed: int) -> None:
    ids, obs = _cells(sizes)
    chosen = choose_subset(ids, obs, Subset(n_obs=n_obs, stratify_by=("type",)), seed=seed)
    assert chosen.sum() == min(n_obs, len(ids))
    shares = obs["type"][chosen].value_counts().reindex(list(sizes), fill_value=0)
    exact = np.array(list(sizes.values())) * (chosen.sum() / len(ids))
    assert (np.abs(shares.to_numpy() - exact) < 1).all()


def test_the_order_of_the_file_does_not_matter_but_the_seed_does() -> None:
    ids, obs = _cells({"a": 50, "b": 30})
    subset = Subset(n_obs=20)
    chosen = set(ids[choose_subset(ids, obs, subset, seed=1)])
    back = ids[::-1].reset_index(drop=True)
    assert set(back[choose_subset(back, obs, subset, seed=1)]) == chosen
    assert set(ids[choose_subset(ids, obs, subset, seed=2)]) != chosen


def test_missing_values_are_a_stratum() -> None:
    obs = pd.DataFrame({"type": pd.Categorical(["a", None, "a", None], categories=["a", "unused"])})
    ids = pd.Series(list("wxyz"))
    chosen = choose_subset(ids, obs, Subset(n_obs=2, stratify_by=("type",)), seed=0)
    assert obs["type"][chosen].isna().sum() == 1


def test_an_unknown_column_is_named() -> None:
    ids, obs = _cells({"a": 2})
    with pytest.raises(InputError, match=r"\['tissue'\]; obs columns are \['type'\]"):
        choose_subset(ids, obs, Subset(n_obs=1, stratify_by=("tissue",)), seed=0)
