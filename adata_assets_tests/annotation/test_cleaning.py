"""The order of the reasons to leave a cell out, subsets, and copies of one cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.cleaning import clean_cells
from adata_assets.annotation.measure import CellMetrics
from adata_assets.annotation.raw_cells import RawCells
from adata_assets.errors import InputError
from adata_assets.spec import DatasetSpec

KEYS = {"group": "donor_id", "cell_type": "cell_type"}
BY_GROUP = {"train": 1, "validation": 0, "test": 0, "split_by": "group"}
N_OBS = 8


def make_spec(**fields):
    given = {"qc": {"min_genes": 10}, "splits": BY_GROUP, "format": "pairs", **fields}
    return DatasetSpec(dataset_id="d", title="D", source="raw.h5ad", chunks={"count": 1}, **given)


def make_metrics(n_genes, *, prints=None):
    n_obs = len(n_genes)
    metrics = CellMetrics.zeros(n_obs, 1)
    metrics.n_genes[:] = metrics.n_counts[:] = metrics.n_sentence_genes[:] = n_genes
    metrics.fingerprint[:, 0] = np.arange(n_obs) if prints is None else prints
    return metrics


def make_raw(**columns):
    n_obs = len(next(iter(columns.values()), [0] * N_OBS))
    ids = pd.Series([f"s:c{i}" for i in range(n_obs)], dtype=object)
    source = pd.Series(["s"] * n_obs, dtype=object)
    return RawCells((), pd.DataFrame(columns, index=range(n_obs)), ids, source, (n_obs,))


def make_obs(raw, **columns):
    n_obs = len(raw.sample_idx)
    given = {"group": ["g"] * n_obs, "cell_type": ["B"] * n_obs, "caption_id": ["1"] * n_obs}
    frame = pd.DataFrame({**given, **columns}, dtype=object)
    return frame.assign(sample_idx=raw.sample_idx)


def clean(raw, obs, metrics, **fields):
    spec = make_spec(**fields)
    return clean_cells(raw, obs, metrics, spec, KEYS, is_gene_subset=False)


def rules_of(cleaning):
    return (
        cleaning.removals["removed_rule"]
        .where(cleaning.removals["removed_rule"].notna(), None)
        .tolist()
    )


def test_the_first_reason_counts_and_carries_what_it_saw():
    raw = make_raw(is_primary_data=[False, True, True, True, True])
    obs = make_obs(raw, group=[None, None, None, "g", "g"], caption_id=[None] * 4 + ["1"])
    found = clean(raw, obs, make_metrics([5, 0, 5, 50, 50]))
    assert rules_of(found) == ["is_primary_data", "no_counts", "min_genes", "no_caption", None]
    values = found.removals["removed_value"]
    assert values[:4].tolist() == ["False", "0", "5", "missing"]
    assert values.isna().tolist() == [False] * 4 + [True]


def test_a_cell_without_a_group_is_quarantined_only_where_groups_are_dealt():
    raw = make_raw(x=[0, 0])
    obs = make_obs(raw, group=[None, "g"])
    assert rules_of(clean(raw, obs, make_metrics([50, 50]))) == ["no_group", None]
    by_cell = {**BY_GROUP, "split_by": "cell"}
    assert rules_of(clean(raw, obs, make_metrics([50, 50]), splits=by_cell)) == [None, None]


def test_captions_matter_only_where_they_are_published():
    raw = make_raw(x=[0, 0])
    obs = make_obs(raw, caption_id=[None, "1"])
    metrics = make_metrics([50, 50])
    assert rules_of(clean(raw, obs, metrics)) == ["no_caption", None]
    assert rules_of(clean(raw, obs, metrics, format="single")) == [None, None]
    with pytest.raises(InputError, match=r"1 cells have no caption \(first: 's:c0'\); set on_mis"):
        clean(raw, obs, metrics, on_missing_caption="error")
    # A cell that is left out anyway needs no caption.
    gone = make_metrics([5, 50])
    assert rules_of(clean(raw, obs, gone, on_missing_caption="error")) == ["min_genes", None]


def test_primary_data_that_is_not_stated_is_kept_and_the_rule_can_be_off():
    stated = pd.Categorical(["False", "True", None, "nan"])
    raw = make_raw(is_primary_data=stated)
    metrics = make_metrics([50] * 4)
    assert rules_of(clean(raw, make_obs(raw), metrics)) == ["is_primary_data", None, None, None]
    off = {"min_genes": 10, "require_primary_data": False}
    assert rules_of(clean(raw, make_obs(raw), metrics, qc=off)) == [None] * 4


def test_a_subset_is_uniform_or_keeps_proportions_and_the_rest_says_so():
    types = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    raw = make_raw(kind=types)
    obs, metrics = make_obs(raw), make_metrics([50] * 100)
    uniform = clean(raw, obs, metrics, subset={"n_obs": 20})
    assert rules_of(uniform).count(None) == 20
    assert set(uniform.removals["removed_value"].dropna()) == {"not drawn"}
    kept = {}
    for seed in (0, 1):
        found = clean(raw, obs, metrics, subset={"n_obs": 20, "stratify_by": ("kind",)}, seed=seed)
        stays = found.removals["removed_rule"].isna()
        assert pd.Series(types)[stays].value_counts().to_dict() == {"a": 12, "b": 6, "c": 2}
        kept[seed] = stays.tolist()
    assert kept[0] != kept[1]


def test_of_copies_the_smallest_that_would_stay_stays():
    """A cell never gives way to one that is itself left out."""
    raw = make_raw(is_primary_data=[False, True, True, True])
    metrics = make_metrics([250] * 4, prints=[7, 7, 7, 9])
    found = clean(raw, make_obs(raw, cell_type=["A", "B", "T", "B"]), metrics)
    assert rules_of(found) == ["is_primary_data", None, "duplicate_of", None]
    assert found.removals["removed_value"][2] == "s:c1"
    assert found.conflicts["label"].tolist() == ["B", "T"]
    assert found.conflicts["kept"].unique().tolist() == ["s:c1"]


def test_copies_stay_where_nobody_wants_them_out():
    raw = make_raw(x=[0, 0])
    metrics = make_metrics([250, 250], prints=[7, 7])
    qc = {"min_genes": 10, "remove_duplicates": False}
    found = clean(raw, make_obs(raw), metrics, qc=qc)
    assert rules_of(found) == [None, None] and found.conflicts.empty
