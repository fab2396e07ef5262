"""Depth modes and outliers together: learnt from train, said of every cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.learnt import learn_from_train
from adata_assets.errors import InputError
from adata_assets.spec import DatasetSpec

N_OBS = 400


def make_spec(**fields):
    return DatasetSpec(dataset_id="d", title="D", source="r.h5ad", chunks={"count": 3}, **fields)


def make_cells(*, two_depths=False, seed=0):
    """Cells of two plates; half of them six times as deep where asked for."""
    rng = np.random.default_rng(seed)
    deep = (np.arange(N_OBS) % 2 == 1) & two_depths
    n_counts = np.rint(rng.lognormal(7.5, 0.25, N_OBS) * np.where(deep, 8, 1)).astype(np.int64)
    obs = pd.DataFrame(
        {
            "n_counts": n_counts,
            "n_genes_source": np.rint(n_counts**0.85).astype(np.int64),
            "pct_mt_source": rng.gamma(4, 1, N_OBS),
            "removed_rule": None,
            "split": np.repeat(["train", "test"], N_OBS // 2).astype(object),
        }
    )
    source = pd.DataFrame({"plate": np.repeat(["p1", "p2"], N_OBS // 2), "deep": deep})
    return obs, source


def learn(obs, source, batch=None, *, is_gene_subset=False, **fields):
    keys = {"batch": batch}
    return learn_from_train(obs, source, make_spec(**fields), keys, is_gene_subset=is_gene_subset)


def test_nothing_is_removed_unless_asked_and_depth_is_reported():
    learnt = learn(*make_cells())
    assert learnt.outliers.isna().all(axis=None)
    assert learnt.batch.isna().all() and learnt.depth_mode.isna().all()
    assert "one depth" in learnt.facts["depth"]
    assert "depth" not in learn(*make_cells(), qc={"find_depth_modes": False}).facts


def test_two_depths_can_be_the_batch():
    obs, source = make_cells(two_depths=True)
    learnt = learn(obs, source, "depth_mode", qc={"find_depth_modes": False})
    assert ((learnt.batch == "high") == source["deep"]).mean() > 0.98
    assert learnt.depth_mode.equals(learnt.batch)
    assert "two depths" in learnt.facts["depth"]
    # Told from train cells, applied to all.
    assert learnt.batch[obs["split"] == "test"].notna().all()


def test_outliers_of_train_thresholds_are_removed_from_every_split():
    obs, source = make_cells()
    obs.loc[[3, N_OBS - 3], "n_counts"] = 10
    obs.loc[5, "split"] = None
    obs.loc[5, ["n_counts", "removed_rule"]] = [1, "min_genes"]
    learnt = learn(obs, source, qc={"mad": {"pct_mt": 9.0}})
    found = learnt.outliers["removed_rule"]
    assert found[found.notna()].to_dict() == {3: "mad_n_counts", N_OBS - 3: "mad_n_counts"}
    assert learnt.outliers["removed_value"][3] == "10"
    thresholds = {row["metric"]: row for row in learnt.facts["thresholds"]}
    assert thresholds["n_counts"]["n_obs"] == N_OBS // 2 - 1
    assert thresholds["pct_mt"]["high"] <= 20


def test_thresholds_of_batches_are_their_own():
    obs, source = make_cells()
    is_second = source["plate"] == "p2"
    obs.loc[is_second, "n_counts"] *= 50
    learnt = learn(obs, source, "plate", qc={"mad": {"per_batch": True, "n_genes": None}})
    assert not (learnt.outliers["removed_rule"] == "mad_n_counts").any()
    pooled = learn(obs, source, "plate", qc={"mad": {"n_genes": None}}).outliers["removed_rule"]
    assert (pooled == "mad_n_counts").sum() == N_OBS // 2
    assert {row["batch"] for row in learnt.facts["thresholds"]} > {"p1", "p2"}
    torn = source.assign(plate=np.tile(["p1", "p2"], N_OBS // 2))
    with pytest.raises(InputError, match="lies in train and test"):
        learn(obs, torn, "plate", qc={"mad": {"per_batch": True}})
    with pytest.raises(InputError, match=r"set keys\.batch to an obs column"):
        learn(obs, source, qc={"mad": {"per_batch": True}})


def test_a_batch_that_lost_most_of_its_cells_gets_no_rule_of_its_own():
    obs, source = make_cells()
    lost = obs.index[source["plate"] == "p2"][: int(N_OBS * 0.3)]
    obs.loc[lost, "removed_rule"], obs.loc[lost, "split"] = "min_genes", None
    learnt = learn(obs, source, "plate", qc={"mad": {"per_batch": True}})
    assert any("batch p2: the fixed rules removed 60 %" in text for text in learnt.warnings)
    assert "p2" not in {row["batch"] for row in learnt.facts["thresholds"]}


def test_of_a_gene_panel_only_counts_are_judged():
    learnt = learn(*make_cells(), is_gene_subset=True, qc={"mad": {}})
    low = {row["metric"]: row["low"] for row in learnt.facts["thresholds"]}
    assert low["n_counts"] is not None
    assert low["n_genes"] is None
    assert any("n_genes is known of 0 cells" in text for text in learnt.warnings)
