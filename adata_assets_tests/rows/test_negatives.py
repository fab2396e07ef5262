"""C6, P1: negatives are valid by facts, uniform over the allowed set, and reproducible."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import chi2

from adata_assets.errors import InputError
from adata_assets.rows import draw_kernels as kernels
from adata_assets.rows.contradictions import classes_without_negative, incompatible
from adata_assets.rows.facts import FactClasses, build_fact_classes
from adata_assets.rows.negatives import cell_keys, draw_negatives
from adata_assets_tests.promises.old_pipeline import first_match_negatives

from .facts_examples import classes_of, make_cells


def ready_cells(n_cells: int, seed: int = 0) -> tuple[pd.DataFrame, FactClasses, np.ndarray]:
    """Cells that all have a negative, their classes and keys."""
    cells = make_cells(n_cells, seed=seed)
    is_without = classes_without_negative(classes_of(cells), np.zeros(n_cells, np.int8))
    cells = cells[~is_without].reset_index(drop=True)
    return cells, classes_of(cells), cell_keys([f"cell-{i}" for i in range(len(cells))])


def require_valid(classes: FactClasses, drawn: np.ndarray) -> None:
    anchors = np.repeat(np.arange(len(drawn)), drawn.shape[1])
    assert incompatible(classes, anchors, drawn.ravel()).all()


def test_every_slot_is_filled_with_a_valid_cell() -> None:
    _, classes, keys = ready_cells(3_000)
    drawn = draw_negatives(classes, cell_key=keys, n_slots=4, seed=1, purpose="negatives/train")[0]
    assert drawn.shape == (len(keys), 4)
    assert drawn.dtype == np.int64
    require_valid(classes, drawn)


def test_p1_old_first_match_draws_few_and_shares_captions() -> None:
    """P1: 4,000 rows gave 8 distinct negatives, half of the even ones with the anchor's caption."""

    n_cells = 4_000
    rng = np.random.default_rng(0)
    types = rng.choice([f"type {i}" for i in range(8)], n_cells, p=[0.5] + [0.5 / 7] * 7)
    types[0] = "type 0"
    captions = [f"A {t}." for t in types]
    old = np.array(first_match_negatives(captions, 2))
    assert len(np.unique(old)) <= 8
    assert (np.array(captions)[old[:, 1]] == np.array(captions)).mean() > 0.4
    assert len(first_match_negatives(captions[:40], 20)[0]) < 20

    facts = [{"cell_type": t} for t in types]
    classes = build_fact_classes(
        pd.Series(captions),
        pd.Series(["made"] * n_cells),
        facts,
        pd.DataFrame({"cell_type": types}),
    )
    keys = cell_keys([str(i) for i in range(n_cells)])
    ours = draw_negatives(classes, cell_key=keys, n_slots=20, seed=0, purpose="negatives")[0]
    require_valid(classes, ours)
    assert len(np.unique(ours[:, :2])) > 0.7 * n_cells
    assert (np.array(captions)[ours] != np.array(captions)[:, None]).all()


def test_draws_do_not_depend_on_chunks_threads_or_slots() -> None:
    """D9: each draw is a function of seed, purpose, id and slot."""
    _, classes, keys = ready_cells(1_000)
    n_cells = len(keys)

    def draw(rows: tuple[int, int] | None, n_slots: int = 3) -> np.ndarray:
        return draw_negatives(
            classes, cell_key=keys, n_slots=n_slots, seed=5, purpose="p", rows=rows
        )[0]

    whole = draw(None)
    pieces = [(i, min(i + 170, n_cells)) for i in range(0, n_cells, 170)]
    with ThreadPoolExecutor(4) as pool:
        assert (np.concatenate(list(pool.map(draw, pieces))) == whole).all()
    assert (draw((7, 9)) == whole[7:9]).all()
    assert draw((4, 4)).shape == (0, 3)
    assert (draw(None, n_slots=1) == whole[:, :1]).all()


def test_seed_purpose_id_and_slot_each_change_the_draw() -> None:
    _, classes, keys = ready_cells(1_000)
    base = draw_negatives(classes, cell_key=keys, n_slots=2, seed=0, purpose="p")[0]
    other_seed = draw_negatives(classes, cell_key=keys, n_slots=2, seed=1, purpose="p")[0]
    other_purpose = draw_negatives(classes, cell_key=keys, n_slots=2, seed=0, purpose="q")[0]
    other_ids = draw_negatives(classes, cell_key=keys[::-1].copy(), n_slots=2, seed=0, purpose="p")[
        0
    ]
    for other in (other_seed, other_purpose, other_ids, base[:, ::-1]):
        assert (base == other).mean() < 0.05


def rare_cells(n_cells: int, is_given: bool) -> FactClasses:
    """One cell in 500 is of another type, so that most attempts miss."""
    types = np.where(np.arange(n_cells) % 500 == 0, "B cell", "T cell")
    facts = [{} if is_given else {"cell_type": t} for t in types]
    captions = pd.Series(np.arange(n_cells) if is_given else types)
    source = pd.Series(["given" if is_given else "made"] * n_cells)
    return build_fact_classes(captions, source, facts, pd.DataFrame({"cell_type": types}))


def statistic(counts: np.ndarray) -> float:
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("is_given", [True, False])
@pytest.mark.parametrize("max_slots", [8])
def test_rare_cells_are_drawn_evenly_after_the_attempts(is_given: bool, max_slots: int) -> None:
    """Attempts, candidates and lists together are uniform over the allowed set."""
    n_cells = 5_000
    classes, keys = rare_cells(n_cells, is_given), cell_keys([str(i) for i in range(n_cells)])
    drawn = draw_negatives(classes, cell_key=keys, n_slots=max_slots, seed=2, purpose="p")[0]
    require_valid(classes, drawn)
    by_common = drawn[np.arange(n_cells) % 500 != 0].ravel() // 500
    counts = np.bincount(by_common, minlength=10)
    assert len(counts) == 10
    assert statistic(counts) < chi2.isf(1e-4, 9)
    half = draw_negatives(
        classes, cell_key=keys, n_slots=8, seed=2, purpose="p", rows=(2_500, 5_000)
    )[0]
    assert (half == drawn[2_500:]).all()


def test_every_slot_is_even_over_the_cells_that_contradict_the_anchor() -> None:
    _, classes, keys = ready_cells(120, seed=3)
    n_cells, everyone = len(keys), np.arange(len(keys))
    drawn = np.stack(
        [
            draw_negatives(classes, cell_key=keys, n_slots=3, seed=seed, purpose="p")[0]
            for seed in range(300)
        ],
        axis=1,
    )
    for slot in range(3):
        total, freedom = 0.0, 0
        for i in everyone:
            allowed = incompatible(classes, np.full(n_cells, i), everyone)
            counts = np.bincount(drawn[i, :, slot], minlength=n_cells)
            assert counts[~allowed].sum() == 0
            total += statistic(counts[allowed])
            freedom += int(allowed.sum()) - 1
        assert chi2.isf(1 - 1e-4, freedom) < total < chi2.isf(1e-4, freedom)


def test_slots_of_an_anchor_hold_different_cells_as_long_as_there_are_any() -> None:
    """Also where attempts, candidates and the list each supply some of them."""
    for cells, is_rare in ((ready_cells(400, seed=4)[1], False), (rare_cells(1_000, True), True)):
        n_cells, n_slots = len(cells.class_of), 12
        keys = cell_keys([str(i) for i in range(n_cells)])
        drawn = draw_negatives(cells, cell_key=keys, n_slots=n_slots, seed=0, purpose="p")[0]
        require_valid(cells, drawn)
        for i in range(0, n_cells, 7):
            allowed = incompatible(cells, np.full(n_cells, i), np.arange(n_cells))
            assert len(np.unique(drawn[i])) == min(n_slots, int(allowed.sum()))
        if is_rare:
            assert len(np.unique(drawn[1])) == 2
            assert statistic(np.bincount(drawn[1::500].ravel() // 500)) < chi2.isf(1e-4, 1)


def test_one_shared_caption_is_avoided_when_it_fills_the_candidates() -> None:
    """The last resort: almost all cells of other types share the anchor's given caption."""
    n_cells = 6_000
    types = pd.DataFrame({"cell_type": [f"type {i % 3000}" for i in range(n_cells)]})
    captions = pd.Series(["same"] * (n_cells - 2) + ["x", "y"])
    classes = build_fact_classes(
        captions, pd.Series(["given"] * n_cells), pd.Series([None] * n_cells), types
    )
    keys = cell_keys([str(i) for i in range(n_cells)])
    drawn = draw_negatives(classes, cell_key=keys, n_slots=2, seed=0, purpose="p")[0]
    require_valid(classes, drawn)
    counts = np.bincount(drawn[: n_cells // 3].ravel(), minlength=n_cells)[-2:]
    assert statistic(counts) < chi2.isf(1e-4, 1)


def test_an_anchor_without_negative_is_named() -> None:
    classes = build_fact_classes(
        pd.Series(["a", "b", "b"]),
        pd.Series(["made"] * 3),
        [{"sex": "male"}, {"sex": "female"}, {}],
        pd.DataFrame({"sex": ["male", "female", "female"]}),
    )
    keys = cell_keys(["1", "2", "3"])
    with pytest.raises(
        InputError, match=r"made caption of class 2 \(cell 2 .*states \[\]\): remove"
    ):
        draw_negatives(classes, cell_key=keys, n_slots=1, seed=0, purpose="p")[0]


def test_bad_sizes_are_refused() -> None:
    _, classes, keys = ready_cells(50)
    with pytest.raises(InputError, match="n_slots is 0"):
        draw_negatives(classes, cell_key=keys, n_slots=0, seed=0, purpose="p")[0]
    with pytest.raises(InputError, match="cell_key is int64"):
        draw_negatives(classes, cell_key=keys.view(np.int64), n_slots=1, seed=0, purpose="p")[0]
    with pytest.raises(InputError, match=r"rows \(0, 9999\)"):
        draw_negatives(classes, cell_key=keys, n_slots=1, seed=0, purpose="p", rows=(0, 9999))[0]


def key_by_definition(cell_id: str) -> int:
    value, mask = 0xCBF29CE484222325, 2**64 - 1
    for byte in cell_id.encode():
        value = (value ^ byte) * 0x100000001B3 & mask
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & mask
    value = (value ^ value >> 27) * 0x94D049BB133111EB & mask
    return value ^ value >> 31


def test_cell_keys_are_a_stated_hash_of_the_id() -> None:
    ids = ["AAAC-1", "", "Zelle-ä", "AAAG-1"]
    expected = [key_by_definition(i) for i in ids]
    padded = pa.array(["skipped", *ids, None])
    forms = [ids, pa.array(ids), pa.chunked_array([ids[:1], ids[1:]]), padded.slice(1, 4)]
    for form in [*forms, pa.array(ids, pa.large_string()), np.array(ids, dtype=object)]:
        assert cell_keys(form).tolist() == expected
    assert cell_keys([]).dtype == np.uint64
    assert len(np.unique(cell_keys([f"c{i}" for i in range(100_000)]))) == 100_000
    with pytest.raises(InputError, match="row 1 is null"):
        cell_keys(pa.array(["a", None]))


def test_attempts_are_as_many_as_the_documentation_says() -> None:
    share_missed = 0.95**kernels.MAX_ATTEMPTS
    assert share_missed == pytest.approx(1 / 500_000, rel=0.05)
