"""P1: how evenly negatives are used, beside a plain sampler that shares no code with ours."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from adata_assets.rows.contradictions import classes_without_negative, incompatible
from adata_assets.rows.facts import FactClasses
from adata_assets.rows.negatives import SameBatch, cell_keys, draw_negatives

from .facts_examples import classes_of, contradicts, make_cells

N_SEEDS, N_SLOTS = 20, 2
SPLIT_SIZES = (1_000, 1_600)


def kind_of(cell: dict[str, object]) -> str:
    """All that the rule reads of an anchor or of another cell."""
    return json.dumps([v if isinstance(v, str) else None for v in cell.values()])


def allowed_by_kind(cells: pd.DataFrame) -> tuple[np.ndarray, list[np.ndarray]]:
    """For each cell the number of its kind, and for each kind the cells that are allowed."""
    rows = cells.to_dict("records")
    kind, names = pd.factorize(pd.Series([kind_of(row) for row in rows]))
    example = [rows[int((kind == k).argmax())] for k in range(len(names))]
    table = np.array([[contradicts(a, b) for b in example] for a in example])
    return kind, [np.flatnonzero(table[k, kind]) for k in range(len(names))]


@pytest.fixture(scope="module", params=SPLIT_SIZES)
def split(request: pytest.FixtureRequest) -> tuple[FactClasses, np.ndarray, list[np.ndarray]]:
    """Classes of the cells of a split that all have a negative, their kinds, what is allowed."""
    cells = make_cells(request.param + 100, seed=request.param)
    is_left = ~classes_without_negative(classes_of(cells), np.zeros(len(cells), np.int8))
    cells = cells[is_left].reset_index(drop=True)
    assert len(cells) >= request.param
    return classes_of(cells), *allowed_by_kind(cells)


def entropy(drawn: np.ndarray, n_cells: int) -> float:
    share = np.bincount(drawn.ravel(), minlength=n_cells) / drawn.size
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(n_cells))


def test_usage_is_that_of_a_plain_sampler(
    split: tuple[FactClasses, np.ndarray, list[np.ndarray]],
) -> None:
    classes, kind, allowed = split
    n_cells, keys = len(kind), cell_keys([f"cell {i}" for i in range(len(kind))])
    ours, plain, distinct = [], [], []
    counts = np.zeros((len(allowed), n_cells), np.int64)
    for seed in range(N_SEEDS):
        drawn = draw_negatives(classes, cell_key=keys, n_slots=N_SLOTS, seed=seed, purpose="p")[0]
        rng = np.random.default_rng(seed)
        reference = np.stack([rng.choice(allowed[k], N_SLOTS) for k in kind])
        ours.append(entropy(drawn, n_cells))
        plain.append(entropy(reference, n_cells))
        distinct.append(len(np.unique(drawn)) / len(np.unique(reference)))
        np.add.at(counts, (np.repeat(kind, N_SLOTS), drawn.ravel()), 1)
    assert np.mean(ours) / np.mean(plain) == pytest.approx(1, abs=0.01)
    assert np.mean(distinct) >= 0.95
    require_even(counts, allowed)


def require_even(counts: np.ndarray, allowed: list[np.ndarray]) -> None:
    """Nothing outside of what is allowed; inside, chi-square of each kind with Bonferroni."""
    for kind, cells in enumerate(allowed):
        seen = counts[kind, cells]
        assert counts[kind].sum() == seen.sum() > 0
        # Neighbours are counted together until five are expected of each bin.
        width = int(np.ceil(5 * len(cells) / seen.sum()))
        size = np.bincount(np.arange(len(cells)) // width)
        found = np.bincount(np.arange(len(cells)) // width, weights=seen)
        expected = seen.sum() * size / len(cells)
        total = float(((found - expected) ** 2 / expected).sum())
        assert len(size) == 1 or total < chi2.isf(1e-4 / len(allowed), len(size) - 1)


def test_a_share_of_the_negatives_is_of_the_same_batch(
    split: tuple[FactClasses, np.ndarray, list[np.ndarray]],
) -> None:
    """A mixture: even over the batch's valid cells for the share, over all valid ones else."""
    classes, kind, allowed = split
    n_cells, keys = len(kind), cell_keys([f"cell {i}" for i in range(len(kind))])
    batch = np.random.default_rng(0).choice([-1, 0, 1, 2, 3], n_cells, p=[0.1, 0.5, 0.2, 0.1, 0.1])
    expected_share = []
    for i in range(n_cells):
        in_batch = (batch[allowed[kind[i]]] == batch[i]).mean() if batch[i] >= 0 else 0
        expected_share.append(0.3 * (in_batch > 0) + (1 - 0.3 * (in_batch > 0)) * in_batch)
    shares = []
    for seed in range(N_SEEDS):
        options = {"cell_key": keys, "n_slots": 1, "seed": seed, "purpose": "p"}
        drawn = draw_negatives(classes, same_batch=SameBatch(0.3, batch), **options)[0]
        anchors = np.arange(n_cells)
        assert incompatible(classes, anchors, drawn[:, 0]).all()
        is_same = (batch[drawn[:, 0]] == batch) & (batch >= 0)
        shares.append(is_same.mean())
        none = draw_negatives(classes, same_batch=SameBatch(0.0, batch), **options)[0]
        assert (none == draw_negatives(classes, **options)[0]).all()
    assert np.mean(shares) == pytest.approx(np.mean(expected_share), abs=0.01)
    whole = draw_negatives(classes, same_batch=SameBatch(1.0, batch), **(options | {"n_slots": 3}))[
        0
    ]
    part = draw_negatives(
        classes, same_batch=SameBatch(1.0, batch), rows=(100, 170), **(options | {"n_slots": 3})
    )[0]
    assert (part == whole[100:170]).all()
    for i in np.flatnonzero(batch >= 0):
        own = allowed[kind[i]][batch[allowed[kind[i]]] == batch[i]]
        assert np.isin(whole[i], own).sum() >= min(3, len(own))
        assert len(np.unique(whole[i])) == min(3, len(allowed[kind[i]]))


def test_each_part_of_the_mixture_is_even() -> None:
    """Two types in two batches: every cell of the other type is as likely as the next, by part."""
    n_cells = 400
    types = ["T cell", "B cell"] * (n_cells // 2)
    cells = make_cells(n_cells, given=0.0).assign(
        cell_type=types, caption_id=types, caption_facts=[f'{{"cell_type": "{t}"}}' for t in types]
    )
    classes, keys = classes_of(cells), cell_keys([str(i) for i in range(n_cells)])
    batch = np.arange(n_cells) // 100
    same, other = np.zeros(n_cells), np.zeros(n_cells)
    for seed in range(60):
        drawn = draw_negatives(
            classes,
            cell_key=keys,
            n_slots=2,
            seed=seed,
            purpose="p",
            same_batch=SameBatch(0.5, batch),
        )[0]
        is_same = batch[drawn] == batch[:, None]
        same += np.bincount(drawn[is_same], minlength=n_cells)
        other += np.bincount(drawn[~is_same], minlength=n_cells)
    assert same.sum() / (same.sum() + other.sum()) == pytest.approx(0.5 + 0.5 / 4, abs=0.01)
    for counts in (same, other):
        expected = counts.sum() / n_cells
        total = float(((counts - expected) ** 2 / expected).sum())
        assert chi2.isf(1 - 1e-4, n_cells - 1) < total < chi2.isf(1e-4, n_cells - 1)
