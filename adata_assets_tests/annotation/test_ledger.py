"""The ledger: each raw cell once, with what became of it, per source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from adata_assets.annotation.ledger import (
    LEDGER,
    RAW,
    build_ledger,
    find_unaccounted,
    write_ledger,
)
from adata_assets.annotation.store import OBS
from adata_assets.artefact import Artefact
from adata_assets.schemas.annotated import LedgerSchema
from adata_assets.tables import write_table
from adata_assets_tests.annotation.small_files import SmallFile, write_small

RULES = ["min_genes", "max_pct_mt", "duplicate_of", "no_group", "no_caption", "no_valid_negative"]


def make_obs(n_obs=300, seed=0):
    rng = np.random.default_rng(seed)
    rule = np.array([None, *RULES], dtype=object)[rng.integers(0, 7, n_obs)]
    split = np.array(["train", "validation", "test"], dtype=object)[rng.integers(0, 3, n_obs)]
    is_kept = pd.isna(rule)
    return pd.DataFrame(
        {
            "source": np.array(["a", "b"], dtype=object)[rng.integers(0, 2, n_obs)],
            "split": np.where(is_kept, split, None),
            "removed_rule": rule,
            "removed_value": np.where(is_kept, None, rng.integers(0, 200, n_obs).astype(str)),
        }
    )


def artefact(folder: Path, stage: str, **metadata) -> Artefact:
    files = {path.name: {} for path in folder.iterdir()}
    return Artefact("d", stage, None, UPath(folder), files, "1", "1", {}, {}, metadata)


def test_every_cell_is_in_one_row_of_its_source():
    obs = make_obs()
    ledger = build_ledger(obs)
    LedgerSchema.validate(ledger)
    assert ledger["n_obs"].sum() == len(obs)
    assert (
        ledger.groupby("source")["n_obs"].sum().to_dict() == obs["source"].value_counts().to_dict()
    )
    assert not ledger.duplicated(["source", "outcome", "rule"]).any()
    for row in ledger.itertuples():
        of_source = obs[obs["source"] == row.source]
        column = "split" if row.outcome == "published" else "removed_rule"
        assert row.n_obs == (of_source[column] == row.rule).sum()


def test_what_comes_back_when_something_is_supplied_is_quarantined():
    ledger = build_ledger(make_obs()).drop_duplicates("rule").set_index("rule")["outcome"]
    assert ledger[["no_group", "no_caption", "no_valid_negative"]].eq("quarantined").all()
    assert ledger[["min_genes", "max_pct_mt", "duplicate_of"]].eq("removed").all()
    assert ledger[["train", "validation", "test"]].eq("published").all()


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (["12", "180", "7"], "7 … 180"),
        (["20.5", "20.5"], "20.5"),
        (["a", "b", "b"], "a, b"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        (["missing"], "missing"),
        (["1", "x"], "1, x"),
    ],
)
def test_values_are_told_in_short(values, seen):
    obs = pd.DataFrame({"source": "a", "split": None, "removed_rule": "r", "removed_value": values})
    assert build_ledger(obs)["values_seen"].tolist() == [seen]


def test_all_cells_of_one_kind_make_one_row():
    kept = pd.DataFrame(
        {"source": ["a"], "split": ["test"], "removed_rule": [None], "removed_value": [None]}
    )
    gone = kept.assign(split=None, removed_rule="no_counts", removed_value="0")
    assert build_ledger(kept)[["outcome", "rule", "n_obs"]].values.tolist() == [
        ["published", "test", 1]
    ]
    assert build_ledger(gone)["outcome"].tolist() == ["removed"]


def write_all(tmp_path, obs):
    """Write two raw files of 5 and 3 cells, obs of them, and the ledger."""
    for name in ("raw", "annotated", "ledger"):
        (tmp_path / name).mkdir()
    files = [
        write_small(SmallFile(name, np.ones((n, 1)), [f"c{i}" for i in range(n)], ["G"]), tmp_path)
        for name, n in (("a", 5), ("b", 3))
    ]
    write_table(obs, tmp_path / "annotated" / OBS)
    raw = artefact(tmp_path / "raw", "raw_h5ad", files=[vars(file) for file in files])
    write_ledger(raw, artefact(tmp_path / "annotated", "annotated_obs"), tmp_path / "ledger")
    return artefact(tmp_path / "ledger", "ledger")


def of_sources(*sources):
    return pd.DataFrame(
        {"source": sources, "split": "train", "removed_rule": None, "removed_value": None}
    )


def test_the_ledger_is_held_against_the_headers_of_the_raw_files(tmp_path):
    ledger = write_all(tmp_path, of_sources(*"aaaaabbb"))
    assert set(ledger.files) == {LEDGER, RAW}
    assert find_unaccounted(ledger) == ([], 8)


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ("aaaabbb", ["a: 4 of 5 raw cells are accounted for"]),
        ("aaaaa", ["b: 0 of 3 raw cells are accounted for"]),
        ("aaaaabbbc", ["c is no source"]),
    ],
)
def test_p2_a_cell_that_vanished_or_came_from_nowhere_is_found(tmp_path, sources, told):
    assert find_unaccounted(write_all(tmp_path, of_sources(*sources))) == (told, 8)
