"""What the card says of keys, equal cells and the probe."""

from __future__ import annotations

import numpy as np
import pandas as pd

from adata_assets.hub.card_leakage import describe_leakage

KEYS = pd.DataFrame(
    {
        "column": ["donor|id", "batch"],
        "is_group": [True, False],
        "n_values": [1_200, 3],
        "n_shared": [0, 2],
        "n_obs_shared": [0, 90],
    }
)
NOBODY = pd.DataFrame({"sample_idx": [], "split": [], "equal_to": [], "equal_split": []})


def probe(**fields: object) -> pd.DataFrame:
    given = {
        "split": "test",
        "reason": "",
        "n_train": 8_000,
        "n_evaluated": 900,
        "n_classes": 7,
        "published_f1": 0.61234,
        "random_f1": 0.8,
        "random_f1_low": 0.79,
        "random_f1_high": 0.81,
        "gap": 0.18766,
    }
    return pd.DataFrame([{**given, **fields}])


def test_keys_cells_and_the_gap_are_told() -> None:
    text = describe_leakage(KEYS, NOBODY, probe())
    assert "in several splits: 0." in text
    assert "| `donor\\|id` | yes | 1,200 | 0 |\n| `batch` | no | 3 | 2 |" in text
    assert "| `test` | 7 | 8,000 + 900 | 0.612 | 0.800 (0.790 to 0.810) | +0.188 |" in text


def test_what_does_not_apply_says_why() -> None:
    text = describe_leakage(
        KEYS[:0], NOBODY, probe(reason="2 groups; below 3 …", gap=np.nan, published_f1=np.nan)
    )
    assert "No obs column looks like" in text
    assert "test: not applicable (2 groups; below 3 …)." in text
    assert "macro-F1" not in text
