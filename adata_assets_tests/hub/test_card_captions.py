"""Equal captions: the closed form agrees with drawn batches; the example of the card runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adata_assets.hub.card import code_blocks
from adata_assets.hub.card_captions import (
    count_captions,
    describe_captions,
    expect_false_negatives,
)
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import read_card


def test_the_expected_shares_are_those_of_drawn_batches() -> None:
    sizes, batch_size = np.array([40, 25, 10, 4, 1]), 16
    captions = np.repeat(np.arange(len(sizes)), sizes)
    rng, fitting, touched = np.random.default_rng(0), [], []
    for _ in range(4000):
        batch = rng.choice(captions, batch_size, replace=False)
        same = batch[:, None] == batch[None, :]
        np.fill_diagonal(same, False)
        fitting.append(same.sum() / (batch_size * (batch_size - 1)))
        touched.append(same.any(axis=1).mean())
    expected = expect_false_negatives(sizes, batch_size)
    assert expected == pytest.approx((np.mean(fitting), np.mean(touched)), abs=0.005)


@pytest.mark.parametrize(
    ("sizes", "expected"), [([1] * 9, (0, 0)), ([9], (1, 1)), ([1], (0, 0)), ([], (0, 0))]
)
def test_the_ends(sizes: list[int], expected: tuple[float, float]) -> None:
    assert expect_false_negatives(np.array(sizes, dtype=int), 64) == pytest.approx(expected)


def test_captions_are_counted_per_split_without_removed_cells() -> None:
    obs = pd.DataFrame(
        {
            "split": ["train", "train", "train", "test", None],
            "caption": ["a", "b", None, "a", "a"],
            "caption_id": ["x", "x", None, "x", "x"],
        }
    )
    counts = count_captions(obs)
    assert list(counts) == ["train", "test"]
    assert (counts["train"].n_cells, counts["train"].n_texts, counts["train"].n_ids) == (2, 2, 1)
    assert (counts["train"].fitting, counts["test"].fitting) == (1.0, 0.0)


def test_rows_without_texts_have_nothing_to_mask() -> None:
    assert "```" not in describe_captions({}, format="single", first_split="test")


def test_the_example_masks_what_the_table_tells(demo: Dataset, tmp_path: Path) -> None:
    """Run verbatim after the other blocks: the share found is the one expected, give or take."""
    card, root = read_card(demo), Path(demo.storage.root.path)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code_blocks(card))],
        cwd=root,
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    (root / "adata.h5ad").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    _, masked, _, n_pairs, *_ = done.stdout.splitlines()[-1].split()
    row = next(line for line in card.splitlines() if line.startswith("| `train` |") and "%" in line)
    told = float(row.split("|")[4].strip().removesuffix("%")) / 100
    assert int(masked) / int(n_pairs) == pytest.approx(told, abs=0.1)
