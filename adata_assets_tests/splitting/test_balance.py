"""``max_cells_per_label``: fewer train cells of common labels, by seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.splitting.balance import find_surplus

LABELS = pd.Series(["a"] * 50 + ["b"] * 8 + [None] * 20 + ["a"] * 30, dtype=object)
SPLIT = pd.Series(["train"] * 78 + ["test"] * 30, dtype=object)
IDS = pd.Series([f"cell{i}" for i in range(len(LABELS))], dtype=object)


def surplus(limit: int | None, seed: int = 0, order: np.ndarray | None = None) -> set[str]:
    rows = np.arange(len(IDS)) if order is None else order
    parts = [s.iloc[rows].reset_index(drop=True) for s in (IDS, LABELS, SPLIT)]
    found = find_surplus(*parts, limit=limit, seed=seed)
    gone = found["removed_rule"].notna()
    assert found.loc[gone, "removed_rule"].eq("max_cells_per_label").all()
    return set(parts[0][gone])


def test_only_train_cells_of_common_labels_are_drawn_away() -> None:
    gone = surplus(10)
    assert len(gone) == 40
    assert gone <= set(IDS[:50])
    found = find_surplus(IDS, LABELS, SPLIT, limit=10, seed=0)
    assert found["removed_value"].dropna().unique().tolist() == ["a: 50 train cells"]


def test_the_choice_depends_on_seed_and_ids_alone() -> None:
    order = np.random.default_rng(0).permutation(len(IDS))
    assert surplus(10, order=order) == surplus(10)
    assert surplus(10, seed=1) != surplus(10)
    # A larger limit keeps whom a smaller one keeps.
    assert surplus(20) < surplus(10)


def test_no_limit_and_no_label_remove_nothing() -> None:
    assert surplus(None) == set()
    assert surplus(50) == set()
    nothing = pd.Series([None] * 3, dtype=object)
    found = find_surplus(IDS[:3], nothing, SPLIT[:3], limit=1, seed=0)
    assert found["removed_rule"].isna().all()
