"""MAD rules: the formula, whom they are learnt from, and where they are skipped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import median_abs_deviation

from adata_assets.annotation.quality.outliers import MIN_OBS, POOLED, find_outliers
from adata_assets.errors import InputError
from adata_assets.spec import MadRules, QCRules

RULES = QCRules(mad=MadRules())
PER_BATCH = QCRules(mad=MadRules(per_batch=True))


def make_values(n_obs=200, *, seed=0, depth=3000):
    rng = np.random.default_rng(seed)
    n_counts = np.rint(rng.lognormal(np.log(depth), 0.4, n_obs)).astype(np.int64)
    n_genes = np.rint(n_counts**0.8).astype(np.int64)
    return pd.DataFrame(
        {"n_counts": n_counts, "n_genes": n_genes, "pct_mt": rng.gamma(4, 1, n_obs)}
    )


def of(values, name="train"):
    return pd.Series(name, index=values.index, dtype=object)


def row_of(found, metric, batch=POOLED):
    table = found.thresholds.set_index(["batch", "metric"])
    return table.loc[(batch, metric)]


def test_thresholds_are_medians_and_scaled_deviations():
    values = make_values()
    found = find_outliers(values, split=of(values), batch=None, rules=RULES)
    for metric, k in (("n_counts", 5), ("n_genes", 5)):
        logs = np.log1p(values[metric])
        mad = 1.4826 * median_abs_deviation(logs)
        row = row_of(found, metric)
        assert row["mad"] == pytest.approx(mad, rel=1e-9)
        assert row["low"] == pytest.approx(np.expm1(logs.median() - k * mad))
        assert row["high"] == pytest.approx(np.expm1(logs.median() + k * mad))
    row = row_of(found, "pct_mt")
    mad = 1.4826 * median_abs_deviation(values["pct_mt"])
    assert row["high"] == pytest.approx(values["pct_mt"].median() + 3 * mad)
    assert np.isnan(row["low"])
    assert set(found.thresholds["n_obs"]) == {200}


@pytest.mark.parametrize(
    ("metric", "value", "seen"),
    [
        ("n_counts", 90, "90"),
        ("n_counts", 10**6, "1000000"),
        ("n_genes", 9, "9"),
        ("n_genes", 10**5, "100000"),
        ("pct_mt", 15.55555, "15.5556"),
    ],
)
def test_p12_each_rule_removes_on_its_own_with_the_value_it_saw(metric, value, seen):
    values = make_values()
    values.loc[7, metric] = value
    only = MadRules(**{"n_counts": None, "n_genes": None, "pct_mt": None, metric: 3.0})
    for rules in (RULES, QCRules(mad=only)):
        found = find_outliers(values, split=of(values), batch=None, rules=rules)
        assert found.removals.loc[7].tolist() == [f"mad_{metric}", seen]
    assert set(found.removals["removed_rule"].dropna()) == {f"mad_{metric}"}


def test_few_mitochondrial_counts_are_no_defect():
    values = make_values()
    values["pct_mt"] += 5
    values.loc[3, "pct_mt"] = 0.0
    found = find_outliers(values, split=of(values), batch=None, rules=RULES)
    assert found.removals.loc[3].isna().all()


def test_the_mitochondrial_bound_is_never_above_the_fixed_one():
    values = make_values()
    values["pct_mt"] *= 6
    bound = row_of(find_outliers(values, split=of(values), batch=None, rules=RULES), "pct_mt")
    assert bound["high"] == 20
    free = QCRules(max_pct_mt=None, mad=MadRules())
    assert (
        row_of(find_outliers(values, split=of(values), batch=None, rules=free), "pct_mt")["high"]
        > 20
    )


def test_p4_thresholds_come_from_train_and_hold_for_every_split():
    values = make_values()
    split = of(values)
    split[100:] = "test"
    before = find_outliers(values, split=split, batch=None, rules=RULES)
    values.loc[100:, "n_counts"] = 40
    after = find_outliers(values, split=split, batch=None, rules=RULES)
    pd.testing.assert_frame_equal(after.thresholds, before.thresholds)
    assert set(after.thresholds["n_obs"]) == {100}
    assert (after.removals.loc[100:, "removed_rule"] == "mad_n_counts").all()


def test_removed_cells_teach_nothing_and_are_not_removed_again():
    values = make_values()
    values.loc[:20, ["n_counts", "pct_mt"]] = [2, 99.0]
    split = of(values)
    split[:21] = None
    found = find_outliers(values, split=split, batch=None, rules=RULES)
    assert found.removals.loc[:20].isna().all(axis=None)
    expected = find_outliers(values[21:], split=split[21:], batch=None, rules=RULES)
    pd.testing.assert_frame_equal(found.thresholds, expected.thresholds)


def old_mad_rule(values):
    """The older pipeline: everything further off than k deviations of 0."""
    return np.abs(values - np.median(values)) > 5 * median_abs_deviation(values)


def test_p12_no_deviation_skips_the_rule_and_says_so():
    values = make_values()
    values["pct_mt"] = np.where(np.arange(200) < 120, 0.0, 3.0)
    assert old_mad_rule(values["pct_mt"]).mean() == 0.4
    found = find_outliers(values, split=of(values), batch=None, rules=RULES)
    assert "mad_pct_mt" not in set(found.removals["removed_rule"])
    assert found.warnings == (f"{POOLED}: pct_mt does not vary (MAD is 0), so its rule is skipped",)
    assert row_of(found, "pct_mt")["note"]


def test_few_train_cells_skip_the_rules_and_say_so():
    values = make_values(60)
    split = of(values, "test")
    split[: MIN_OBS - 1] = "train"
    found = find_outliers(values, split=split, batch=None, rules=RULES)
    assert found.removals.isna().all(axis=None)
    assert len(found.warnings) == 3
    assert f"n_counts is known of {MIN_OBS - 1} cells" in found.warnings[0]


def test_a_metric_that_is_not_known_is_skipped():
    values = make_values().assign(n_genes=np.nan, pct_mt=np.nan)
    found = find_outliers(values, split=of(values), batch=None, rules=RULES)
    assert row_of(found, "n_genes")["n_obs"] == 0
    assert not np.isnan(row_of(found, "n_counts")["mad"])


def two_batches():
    values = pd.concat([make_values(), make_values(seed=1, depth=30_000)], ignore_index=True)
    batch = pd.Series(["shallow"] * 200 + ["deep"] * 200, dtype=object)
    split = pd.Series(["train"] * 200 + ["test"] * 200, dtype=object)
    return values, split, batch


def test_per_batch_each_batch_has_thresholds_of_its_own():
    values, split, batch = two_batches()
    values.loc[250, "n_counts"] = 3000
    pooled = find_outliers(values, split=split, batch=batch, rules=RULES)
    assert (pooled.removals["removed_rule"] == "mad_n_counts").sum() > 20
    found = find_outliers(values, split=split, batch=batch, rules=PER_BATCH)
    assert found.removals["removed_rule"].eq("mad_n_counts").to_numpy().nonzero()[0].tolist() == [
        250
    ]
    alone = find_outliers(values[200:], split=of(values[200:]), batch=None, rules=RULES)
    expected = row_of(alone, "n_counts").drop("n_obs")
    assert row_of(found, "n_counts", "deep").drop("n_obs").tolist() == expected.tolist()


def test_a_batch_in_two_splits_gets_no_rule_learnt_from_both():
    values, split, batch = two_batches()
    split[0] = "validation"
    with pytest.raises(
        InputError, match=r"batch 'shallow' lies in validation and train.*per_batch"
    ):
        find_outliers(values, split=split, batch=batch, rules=PER_BATCH)
    with pytest.raises(InputError, match=r"set keys\.batch"):
        find_outliers(values, split=split, batch=None, rules=PER_BATCH)


def test_a_batch_that_lost_more_than_half_gets_the_pooled_thresholds():
    """As donor M3 of the covid cells: its own thresholds would keep what is left of dying cells."""
    values, split, batch = two_batches()
    split[200:301] = None
    found = find_outliers(values, split=split, batch=batch, rules=PER_BATCH)
    assert set(found.thresholds["batch"]) == {POOLED, "shallow"}
    assert "batch deep: the fixed rules removed 50 % of its cells" in found.warnings[0]
    assert "thresholds of all train cells" in found.warnings[0]
    assert (found.removals.loc[301:, "removed_rule"] == "mad_n_counts").sum() > 20


def test_cells_that_were_left_out_for_another_reason_do_not_count_as_bad():
    values, split, batch = two_batches()
    split[200:301] = None
    good = pd.Series(False, index=values.index)
    found = find_outliers(values, split=split, batch=batch, rules=PER_BATCH, is_low_quality=good)
    assert "deep" in set(found.thresholds["batch"])
    assert found.warnings == ()


def test_small_and_unknown_batches_get_the_pooled_thresholds():
    values, split, batch = two_batches()
    batch[200:], split[200:] = None, "train"
    batch[200 : 199 + MIN_OBS] = "tiny"
    found = find_outliers(values, split=split, batch=batch, rules=PER_BATCH)
    assert set(found.thresholds["batch"]) == {POOLED, "shallow"}
    assert f"batch tiny: {MIN_OBS - 1} cells are too few" in found.warnings[0]
    assert f"{200 - MIN_OBS + 1} cells have no batch" in found.warnings[1]


def test_without_mad_rules_nothing_is_learnt():
    values = make_values()
    found = find_outliers(values, split=of(values), batch=None, rules=QCRules())
    assert set(found.removals.to_numpy().ravel()) == {None}
    assert found.thresholds.empty
    assert found.warnings == ()


def test_any_index_is_kept():
    values = make_values().set_axis([f"cell{i}" for i in range(200)])
    values.loc["cell9", "n_counts"] = 1
    found = find_outliers(values, split=of(values), batch=None, rules=RULES)
    assert found.removals.index.equals(values.index)
    assert found.removals.loc["cell9"].tolist() == ["mad_n_counts", "1"]
