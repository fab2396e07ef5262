"""What breaks the promise of the splits is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.leakage.store import CELLS, KEYS, PROBE, find_leakage_breaches
from adata_assets.storage import Storage
from adata_assets.tables import write_table


def store(root: Path, keys: list[tuple], cells: list[tuple]) -> Artefact:
    """Return a stored report."""
    names = ["column", "is_group", "n_values", "n_shared", "n_obs_shared"]
    tables = {
        KEYS: pd.DataFrame(keys, columns=names),
        CELLS: pd.DataFrame(cells, columns=["sample_idx", "split", "equal_to", "equal_split"]),
        PROBE: pd.DataFrame({"split": ["test"], "reason": ["too few"]}),
    }
    with Storage(UPath(root), root).draft("cells", "leakage", code_version="1") as draft:
        for name, table in tables.items():
            write_table(table, draft.folder / name)
    return draft.committed


def test_a_shared_group_and_an_equal_cell_are_breaches(tmp_path):
    keys = [("donor_id", True, 8, 2, 30), ("batch", False, 3, 3, 90), ("study", True, 2, 0, 0)]
    found, n_checked = find_leakage_breaches(store(tmp_path, keys, [("c9", "test", "c1", "train")]))
    assert found == [
        "2 groups of obs column 'donor_id' are in several splits",
        "'c9' (test) has the counts of 'c1' (train)",
    ]
    assert n_checked == 4


def test_shared_batches_are_told_but_break_nothing(tmp_path):
    assert find_leakage_breaches(store(tmp_path, [("batch", False, 3, 3, 90)], [])) == ([], 1)
