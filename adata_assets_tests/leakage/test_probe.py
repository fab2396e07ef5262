"""The probe measures what knowing the groups is worth, or says why it does not apply."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.leakage.probe import probe_splits
from adata_assets.schemas.leakage import LeakageProbeSchema
from adata_assets.scorecard.cells import Cells

N_TRAIN, N_TEST, N_VARS, N_DONORS = 240, 80, 60, 8


def make_counts(*, donor_effect: float, seed: int = 0):
    """Counts of two cell types whose signal is turned round in half of the donors by an effect."""
    rng = np.random.default_rng(seed)
    donors = np.repeat(np.arange(N_DONORS), (N_TRAIN + N_TEST) // N_DONORS)
    types = rng.integers(0, 2, len(donors))
    rates = np.full((len(donors), N_VARS), 2.0)
    for donor in range(N_DONORS):
        for kind in (0, 1):
            own = (donors == donor) & (types == kind)
            pattern = np.random.default_rng(100 + 2 * donor + kind).random(N_VARS) < 0.5
            rates[own] += donor_effect * pattern
            rates[own, kind * 5 : kind * 5 + 5] += 2 * (1 - min(donor_effect, 1))
    counts = sp.csr_matrix(rng.poisson(rates).astype(np.int32))
    names = np.array(["B", "T"], dtype=object)[types]
    return counts, names


def probe(*, donor_effect=0.0, n_groups=N_DONORS, labels=None, sizes=None, rank=None, step=50):
    counts, names = make_counts(donor_effect=donor_effect)
    n_obs = counts.shape[0]
    ids = np.array([f"cell{i}" for i in range(n_obs)], dtype=object)
    draw = np.random.default_rng(1).random(n_obs)
    nothing = np.full(n_obs, None, dtype=object)
    sizes = {"train": N_TRAIN, "test": N_TEST} if sizes is None else sizes
    cells = Cells(sizes, ids, names if labels is None else labels, nothing, draw)
    blocks = ((at, counts[at : at + step]) for at in range(0, n_obs, step))
    rank = np.arange(N_VARS) if rank is None else rank
    totals = np.asarray(counts.sum(axis=1)).ravel()
    return probe_splits(cells, blocks, totals, rank, n_groups=n_groups, seed=3)


def test_donors_that_look_alike_give_a_gap_and_equal_donors_none():
    leaky = probe(donor_effect=4.0).iloc[0]
    assert leaky["random_f1"] > 0.9
    assert leaky["published_f1"] < 0.75
    assert leaky["gap"] == pytest.approx(leaky["random_f1"] - leaky["published_f1"], abs=2e-4)
    plain = probe(donor_effect=0.0).iloc[0]
    assert abs(plain["gap"]) < 0.15
    assert plain["random_f1_low"] <= plain["random_f1"] <= plain["random_f1_high"]


def test_where_blocks_end_changes_nothing():
    assert probe(step=50).equals(probe(step=7))


def test_the_table_satisfies_its_schema_with_and_without_figures():
    for table in (probe(), probe(n_groups=None)):
        LeakageProbeSchema.validate(table)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"n_groups": None}, "one by one"),
        ({"n_groups": 2}, "2 groups; below 3"),
        ({"labels": np.full(N_TRAIN + N_TEST, "B", dtype=object)}, "1 cell types"),
        ({"labels": np.full(N_TRAIN + N_TEST, None, dtype=object)}, "0 cell types"),
        ({"sizes": {"train": N_TRAIN + N_TEST}}, "no cells are held out"),
        ({"rank": np.full(N_VARS, -1)}, "no variable genes"),
    ],
)
def test_a_probe_that_does_not_apply_says_why(given, told):
    row = probe(**given).iloc[0]
    assert told in row["reason"]
    assert np.isnan(row["gap"])
