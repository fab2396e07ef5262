"""Whole groups are dealt: fractions, held-out values, labels, and what never changes."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adata_assets.errors import InputError
from adata_assets.spec import Splits
from adata_assets_tests.splitting.dealing import COVID, cells_of, deal, shares_of, split_of

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}
TWO = {"train": 0.9, "validation": 0.1, "test": 0}


def thirty_donors(seed: int = 0) -> pd.DataFrame:
    sizes = np.random.default_rng(seed).integers(50, 1_500, 30)
    return cells_of({f"donor{i:02d}": int(n) for i, n in enumerate(sizes)})


def test_covids_donors_in_two_splits_are_s3_and_s5_against_m3():
    keys = cells_of(COVID)
    dealt = deal(keys, TWO)
    assert split_of(keys, dealt) == {"M3": "validation", "S3": "train", "S5": "train"}
    assert shares_of(dealt) == {"train": 89.8, "validation": 10.2}
    assert dealt.method == "all"


def test_covids_donors_in_three_splits_miss_the_fractions_as_little_as_they_can():
    """One donor each: train 29.7 points short, a split of 10 % nearly met, the other 29.5 over."""
    keys = cells_of(COVID)
    dealt = deal(keys, THREE)
    assert split_of(keys, dealt) == {"M3": "validation", "S3": "train", "S5": "test"}
    assert shares_of(dealt) == {"train": 50.3, "validation": 10.2, "test": 39.5}


@pytest.mark.parametrize("seed", range(8))
def test_thirty_donors_come_within_two_points(seed):
    keys = thirty_donors(seed)
    dealt = deal(keys, THREE)
    split_of(keys, dealt)
    assert dealt.method == "search"
    assert all(abs(shares_of(dealt)[name] - 100 * share) <= 2 for name, share in THREE.items())


@pytest.mark.parametrize("seed", range(5))
def test_no_assignment_of_few_groups_is_better(seed):
    """Brute force: within two points if any is, else the smallest sum of squares."""
    sizes = np.random.default_rng(seed).integers(1, 100, 6)
    keys = cells_of({f"g{i}": int(n) for i, n in enumerate(sizes)})
    fractions = np.array(list(THREE.values()))

    def cost(assignment):
        filled = np.bincount(assignment, weights=sizes, minlength=3)
        off = filled / sizes.sum() - fractions
        near = np.abs(off).max() <= 0.02
        return (not filled.all(), not near, round((off**2).sum(), 12))

    best = min(cost(np.array(a)) for a in itertools.product(range(3), repeat=6))
    found = split_of(keys, deal(keys, THREE))
    assert cost(np.array([list(THREE).index(found[f"g{i}"]) for i in range(6)])) == best


@pytest.mark.parametrize("seed", range(3))
def test_the_search_is_hardly_worse_than_looking_at_all(seed, monkeypatch):
    sizes = np.random.default_rng(seed).integers(20, 200, 11)
    keys = cells_of({f"g{i:02d}": int(n) for i, n in enumerate(sizes)})
    exact = shares_of(deal(keys, THREE))
    monkeypatch.setattr("adata_assets.splitting.optimise.MAX_EXHAUSTIVE", 3)
    searched = shares_of(deal(keys, THREE))
    assert all(abs(searched[name] - exact[name]) < 2 for name in THREE)


def test_labels_decide_between_assignments_within_two_points():
    """All donors are of one size; only with a or b in test do both splits see both labels."""
    keys = cells_of(dict.fromkeys("abcd", 100))
    labels = pd.Series(["B"] * 400, dtype=object)
    labels[[*range(10), *range(150, 200)]] = "T"
    rules = {"train": 0.75, "validation": 0, "test": 0.25}
    assert split_of(keys, deal(keys, rules))["d"] == "test"
    found = split_of(keys, deal(keys, rules, labels=labels))
    assert found in (
        {**dict.fromkeys("bcd", "train"), "a": "test"},
        {**dict.fromkeys("acd", "train"), "b": "test"},
    )


def test_labels_do_not_cost_fractions():
    """Only the large donor has both labels: it stays in train."""
    keys = cells_of({"large": 900, "small": 100})
    labels = pd.Series(["B", "T"] * 450 + ["B"] * 100, dtype=object)
    assert split_of(keys, deal(keys, TWO, labels=labels))["large"] == "train"


def test_held_out_cells_take_their_whole_group_along():
    keys = cells_of(dict.fromkeys("abcde", 100))
    held = pd.Series([None] * 500, dtype=object)
    held[150:153] = "test"
    dealt = deal(keys, {"train": 0.6, "validation": 0.2, "test": 0.2}, held=held)
    found = split_of(keys, dealt)
    assert [name for name, split in found.items() if split == "test"] == ["b"]
    assert shares_of(dealt) == {"train": 60.0, "validation": 20.0, "test": 20.0}


def test_a_group_that_is_held_out_for_two_splits_is_an_error():
    keys = cells_of({"a": 5, "b": 5, "c": 5})
    held = pd.Series(["test", "validation", *[None] * 13], dtype=object)
    with pytest.raises(InputError, match="'a' are held out for test and for validation"):
        deal(keys, THREE, held=held)


def test_groups_that_share_values_of_another_column_are_one():
    keys = cells_of(dict.fromkeys("abcdef", 50))
    keys["study"] = keys["donor"].map(dict(zip("abcdef", "112233", strict=True)))
    dealt = deal(keys, THREE)
    found = split_of(keys, dealt)
    assert split_of(keys, dealt, "study").keys() == {"1", "2", "3"}
    assert [found[a] == found[b] for a, b in ("ab", "cd", "ef")] == [True] * 3
    assert dealt.n_components == {"train": 1, "validation": 1, "test": 1}
    assert {column for column, _ in dealt.locked} == {"donor", "study"}


def test_groups_that_share_an_equal_cell_are_one():
    keys = cells_of(dict.fromkeys("abcd", 50))
    copies = pd.Series([None] * 200, dtype=object)
    copies[[10, 160]] = "cell10"
    found = split_of(keys, deal(keys, {"train": 0.5, "validation": 0.25, "test": 0.25}))
    assert found["a"] != found["d"]
    found = split_of(
        keys, deal(keys, {"train": 0.5, "validation": 0.25, "test": 0.25}, copies=copies)
    )
    assert found["a"] == found["d"] == "train"


def test_fewer_groups_than_splits_names_the_ways_out():
    with pytest.raises(InputError, match=r"2 group\(s\) \['a', 'b'\].*split_by to cell.*fewer"):
        deal(cells_of({"a": 2, "b": 1}), THREE)


def test_held_out_groups_that_leave_none_name_the_count():
    keys = cells_of({"a": 2, "b": 2, "c": 2})
    held = pd.Series(["test"] * 5 + [None], dtype=object)
    with pytest.raises(InputError, match=r"3 group\(s\).*3 of them held out or locked"):
        deal(keys, THREE, held=held.where(held.isna(), "test").fillna("test"))


@st.composite
def groups(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Cells of donors and studies, some equal to others, with labels."""
    n_obs = draw(st.integers(20, 60))
    column = st.lists(st.integers(0, 15), min_size=n_obs, max_size=n_obs)
    donors, copies = draw(column), draw(column)
    keys = pd.DataFrame({"donor": [f"d{i:02d}" for i in donors]}, dtype=object)
    keys["study"] = [f"s{i // 2}" for i in donors] if draw(st.booleans()) else keys["donor"]
    equal = pd.Series([f"cell{i}" if i < 3 else None for i in copies], dtype=object)
    labels = pd.Series([("B", "T", None)[i % 3] for i in copies], dtype=object)
    return keys, equal, labels


@settings(max_examples=60, deadline=None)
@given(groups(), st.randoms(use_true_random=False))
def test_no_component_is_ever_in_two_splits_and_the_order_of_rows_does_not_matter(cells, random):
    keys, copies, labels = cells
    rules = Splits(train=0.7, validation=0.2, test=0.1)
    try:
        dealt = deal(keys, rules, copies=copies, labels=labels)
    except InputError:
        return
    assert dealt.split.notna().all()
    for column in (keys["donor"], keys["study"], copies):
        assert dealt.split.groupby(column).nunique().le(1).all()
    assert set(dealt.split) == {"train", "validation", "test"}
    order = list(keys.index)
    random.shuffle(order)
    turned = deal(keys.loc[order], rules, copies=copies.loc[order], labels=labels.loc[order])
    pd.testing.assert_series_equal(turned.split.sort_index(), dealt.split)
    assert turned.locked == dealt.locked


def old_split_inside_chunks(groups, chunk_size):
    """The older pipeline: a random cut inside each chunk, whoever the donor is."""
    rng = np.random.default_rng(0)
    in_test = np.zeros(len(groups), bool)
    for start in range(0, len(groups), chunk_size):
        rows = np.arange(start, min(start + chunk_size, len(groups)))
        in_test[rng.permutation(rows)[: len(rows) // 10]] = True
    return in_test


def test_p5_no_donor_is_in_two_splits():
    keys = cells_of({f"donor{i:02d}": 100 for i in range(20)})
    old = old_split_inside_chunks(keys["donor"], 200)
    assert (pd.Series(old).groupby(keys["donor"]).nunique() == 2).sum() >= 19
    assert len(split_of(keys, deal(keys, {"train": 0.9, "validation": 0, "test": 0.1}))) == 20
