"""Hard negatives: valid, the nearest of what is looked at, and the same whoever draws them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from adata_assets.rows.contradictions import incompatible
from adata_assets.rows.facts import FactClasses
from adata_assets.rows.nearest import N_LOOKED_AT
from adata_assets.rows.negatives import (
    KINDS,
    Hard,
    SameBatch,
    cell_keys,
    draw_negatives,
    unit_vectors,
)
from adata_assets.spec.published import Negatives

from .test_negatives import rare_cells, ready_cells, require_valid

N_SLOTS = 3
HARD = KINDS.index("hard")


def draw_vectors(n_cells: int, n_dims: int = 8) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n_cells, n_dims)).astype(np.float32)


def hard_in(vectors: np.ndarray, share: float = 1.0) -> Hard:
    return Hard(share, unit_vectors(vectors), np.arange(len(vectors)))


def draw(
    classes: FactClasses, keys: np.ndarray, hard: Hard | None, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    given = {"n_slots": N_SLOTS, "seed": 0, "purpose": "p", **options}
    return draw_negatives(classes, cell_key=keys, hard=hard, **given)


def cosines(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    return unit @ unit.T


def test_in_a_small_split_the_slots_hold_the_nearest_valid_cells_in_order() -> None:
    """Beside a plain reference that shares no code with the draw: sort all cells by cosine."""
    _, classes, keys = ready_cells(400)
    n_cells, vectors = len(keys), draw_vectors(len(keys))
    assert n_cells <= N_LOOKED_AT
    drawn, kinds = draw(classes, keys, hard_in(vectors))
    require_valid(classes, drawn)
    near, everyone = cosines(vectors), np.arange(n_cells)
    for i in range(n_cells):
        allowed = everyone[incompatible(classes, np.full(n_cells, i), everyone)]
        nearest = np.sort(near[i, allowed])[::-1][:N_SLOTS]
        n_found = len(nearest)
        np.testing.assert_allclose(near[i, drawn[i, :n_found]], nearest, atol=1e-4)
        assert (kinds[i, :n_found] == HARD).all()
        assert len(set(drawn[i, :n_found])) == n_found


def test_in_a_large_split_they_are_the_nearest_of_a_sample() -> None:
    """All are valid, and as near as the best of the valid ones among 512 are expected to be."""
    _, classes, keys = ready_cells(4_000)
    n_cells, vectors = len(keys), draw_vectors(len(keys))
    drawn, kinds = draw(classes, keys, hard_in(vectors))
    require_valid(classes, drawn)
    assert (kinds == HARD).mean() > 0.999
    near, everyone = cosines(vectors), np.arange(n_cells)
    places = []
    for i in range(0, n_cells, 20):
        allowed = everyone[incompatible(classes, np.full(n_cells, i), everyone)]
        n_looked_at = N_LOOKED_AT * len(allowed) / n_cells
        is_nearer = near[i, allowed] > near[i, drawn[i, 0]]
        places.append(is_nearer.mean() * (n_looked_at + 1))
    # The best of n has on average a share of 1 / (n + 1) of all before it.
    assert np.mean(places) == pytest.approx(1, abs=0.25)


def test_draws_depend_on_neither_pieces_nor_where_vectors_lie(tmp_path: Path) -> None:
    """D9: pieces of any size, in any order, with vectors in memory or on disk."""
    _, classes, keys = ready_cells(1_500)
    n_cells, hard = len(keys), hard_in(draw_vectors(len(keys)), 0.4)
    whole, kinds = draw(classes, keys, hard)
    hard.vectors.tofile(tmp_path / "vectors.bin")
    shape = hard.vectors.shape
    mapped = Hard(
        0.4, np.memmap(tmp_path / "vectors.bin", np.int16, "r", shape=shape), hard.vector_of
    )
    for step in (170, 999):
        pieces = [(i, min(i + step, n_cells)) for i in range(0, n_cells, step)]
        found = [draw(classes, keys, mapped, rows=rows) for rows in reversed(pieces)]
        assert (np.concatenate([own for own, _ in reversed(found)]) == whole).all()
        assert (np.concatenate([own for _, own in reversed(found)]) == kinds).all()
    assert (draw(classes, keys, hard, seed=1)[0] != whole).any()


def test_vectors_are_found_by_the_place_of_each_cell() -> None:
    """Of a config that holds some cells, the vectors are those of the whole split."""
    _, classes, keys = ready_cells(300)
    members, vectors = np.arange(1, len(keys), 2), draw_vectors(len(keys))
    some = classes.take(members)
    given = draw(some, keys[members], hard_in(vectors[members], 0.5))[0]
    hard = Hard(0.5, unit_vectors(vectors), members)
    assert (draw(some, keys[members], hard)[0] == given).all()


def test_shares_are_kept_and_add_up() -> None:
    _, classes, keys = ready_cells(4_000)
    n_cells = len(keys)
    batch = np.zeros(n_cells, np.int64)
    same_batch, hard = SameBatch(0.2, batch), hard_in(draw_vectors(n_cells), 0.3)
    drawn, kinds = draw(classes, keys, hard, same_batch=same_batch)
    require_valid(classes, drawn)
    found = np.bincount(kinds.ravel(), minlength=3) / kinds.size
    assert found == pytest.approx([0.5, 0.2, 0.3], abs=0.015)
    every = draw(classes, keys, hard_in(draw_vectors(n_cells), 0.8), same_batch=same_batch)[1]
    assert (every > 0).mean() > 0.999


def test_without_a_share_nothing_changes() -> None:
    """And with one, the slots that are not hard are drawn as they would be without."""
    _, classes, keys = ready_cells(2_000)
    options = {"cell_key": keys, "n_slots": 1, "seed": 3, "purpose": "p"}
    plain = draw_negatives(classes, **options)[0]
    vectors = draw_vectors(len(keys))
    assert (draw_negatives(classes, hard=hard_in(vectors, 0.0), **options)[0] == plain).all()
    drawn, kinds = draw_negatives(classes, hard=hard_in(vectors, 0.5), **options)
    assert (drawn == plain)[kinds != HARD].all()
    assert (drawn != plain)[kinds == HARD].mean() > 0.99


def test_draws_that_are_not_hard_are_those_of_the_first_version() -> None:
    """Published rows of datasets without hard negatives stay as they are."""
    n_cells = 1_000
    classes, keys = rare_cells(n_cells, False), cell_keys([str(i) for i in range(n_cells)])
    batch = SameBatch(0.4, np.arange(n_cells) % 7)
    options = {"cell_key": keys, "n_slots": 3, "seed": 5, "purpose": "negatives"}
    drawn = [draw_negatives(classes, same_batch=given, **options)[0] for given in (None, batch)]
    assert [hashlib.sha256(own.astype("<i8").tobytes()).hexdigest()[:16] for own in drawn] == [
        "f943d23ca213c1a5",
        "6965c55eb0c1ccb6",
    ]


def test_equally_near_cells_are_told_apart_by_their_keys() -> None:
    """Not by their places: here all vectors are equal, or none has a direction."""
    _, classes, keys = ready_cells(200)
    n_cells = len(keys)
    for vectors in (np.ones((n_cells, 4), np.float32), np.zeros((n_cells, 4), np.float32)):
        drawn, _ = draw(classes, keys, hard_in(vectors), n_slots=1)
        for i in range(n_cells):
            allowed = np.flatnonzero(incompatible(classes, np.full(n_cells, i), np.arange(n_cells)))
            assert drawn[i, 0] == allowed[keys[allowed].argmin()]


def test_where_nothing_valid_is_looked_at_the_others_serve() -> None:
    """Ten of 5,000 cells are valid: the slot is filled evenly, and not counted as hard."""
    n_cells = 5_000
    classes, keys = rare_cells(n_cells, False), cell_keys([str(i) for i in range(n_cells)])
    drawn, kinds = draw(classes, keys, hard_in(draw_vectors(n_cells)), n_slots=2)
    require_valid(classes, drawn)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    is_common = np.arange(n_cells) % 500 != 0
    expected = 1 - (1 - 10 / n_cells) ** N_LOOKED_AT
    assert (kinds[is_common, 0] == HARD).mean() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_unit_vectors_keep_cosines_whatever_the_scale(scale: float) -> None:
    vectors = draw_vectors(50, 40) * np.float32(scale)
    units = unit_vectors(vectors).astype(np.int64)
    np.testing.assert_allclose((units @ units.T) / 32_767**2, cosines(vectors), atol=1e-4)
    wide = unit_vectors(np.ones((1, 100_000), np.float32)).astype(np.int64)
    assert (wide @ wide.T).max() < 2**31


def test_the_yaml_says_how_many_cells_are_looked_at() -> None:
    assert f"among {N_LOOKED_AT} cells" in str(Negatives.model_fields["hard_share"].description)
