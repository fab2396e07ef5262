"""Whole scorecards of generated cells: verdicts, limits in words, and nothing depends on chunks."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.schemas.scorecard import ScorecardSchema
from adata_assets.scorecard import cells as choice
from adata_assets.scorecard.cells import choose_held_out
from adata_assets.scorecard.measure import measure_embeddings
from adata_assets.scorecard.vectors import read_vectors
from adata_assets.scorecard.verdict import find_signal_breaches, find_warnings
from adata_assets_tests.scorecard.stored import make_cells, signal_of, store


def measure(cells, *embeddings, seed=0):
    found = measure_embeddings(cells, embeddings, seed=seed)
    return ScorecardSchema.validate(found.table).set_index(["embedder", "split"])


@pytest.fixture(scope="module")
def scorecard(tmp_path_factory):
    """Strong, weak and no signal; a control and a random model; 150 held-out cells per split."""
    cells, folder = make_cells(), tmp_path_factory.mktemp("stored")
    strong, none = signal_of(cells), signal_of(cells, strength=0, seed=4)
    embeddings = [
        store(folder, cells, strong, "pca", method="pca"),
        store(folder, cells, signal_of(cells, strength=0.6, seed=1), "weak"),
        store(folder, cells, none, "nothing"),
        store(folder, cells, none, "control", is_control=True),
        store(folder, cells, none, "random", is_random=True),
    ]
    return measure(cells, *embeddings)


def test_what_knows_the_types_passes_and_what_knows_nothing_fails(scorecard):
    verdicts = scorecard["verdict"].unstack()[["validation", "test"]].agg(set, axis=1)
    assert verdicts["pca"] == verdicts["weak"] == {"passes"}
    assert verdicts["nothing"] == {"fails"}
    assert verdicts["control"] == verdicts["random"] == {"exempt"}
    assert scorecard.loc["pca", "macro_f1"].min() > 0.95
    assert scorecard.loc["pca", "over_noise_low"].min() > 0.5
    assert scorecard["noise_f1"].between(0.1, 0.4).all()
    assert (scorecard["n_evaluated"] == 150).all()


def test_exempt_ones_are_measured_and_never_warned_about(scorecard):
    assert scorecard["macro_f1"].notna().all()
    table = scorecard.reset_index()
    breaches, warnings = find_signal_breaches(table), find_warnings(table)
    assert [line.split(":")[0] for line in breaches] == ["nothing, validation", "nothing, test"]
    assert not [line for line in warnings if line.startswith(("control", "random", "pca"))]
    assert scorecard.loc[("control", "test"), "notes"].startswith("a control")
    assert scorecard.loc[("random", "test"), "notes"].startswith("random weights")


def test_worse_than_pca_is_said(scorecard):
    assert (scorecard.loc["weak", "over_pca_high"] < 0).all()
    assert scorecard.loc["weak", "notes"].str.contains("worse than pca").all()
    told = [line for line in find_warnings(scorecard.reset_index()) if line.startswith("weak")]
    assert [line.split(":")[1].strip() for line in told] == ["worse than pca"] * 2
    assert scorecard.loc["pca", ["over_pca", "agreement_with_pca"]].isna().all(axis=None)


def test_structure_is_measured_too(scorecard):
    silhouette = scorecard["silhouette"].unstack()["test"]
    assert silhouette["pca"] > 0.3 > 0.1 > silhouette["nothing"]
    assert (scorecard["ilisi"] > 0.8).all()
    assert (scorecard.loc["weak", "agreement_with_pca"] > 0.1).all()
    assert scorecard.loc["nothing", "agreement_with_pca"].max() < 0.15


def test_chunks_and_other_embeddings_change_nothing(tmp_path):
    """P4: the same cells, draws and pictures for 3 and 9 chunks, alone and in company."""
    cells = make_cells()
    vectors, other = signal_of(cells, strength=0.5), signal_of(cells, seed=3)
    found = []
    for n_chunks in (3, 9):
        folder = tmp_path / str(n_chunks)
        folder.mkdir()
        stored = [
            store(folder, cells, vectors, "some", n_chunks=n_chunks),
            store(folder, cells, other, "other", n_chunks=n_chunks),
        ]
        found.append(measure_embeddings(cells, stored, seed=1))
        found.append(measure_embeddings(cells, stored[:1], seed=1))
    first = found[0].table.query("embedder == 'some'").reset_index(drop=True)
    for one in found[1:]:
        own = one.table.query("embedder == 'some'").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, first)
        assert one.pictures["some"] == found[0].pictures["some"]
    assert found[0].table["notes"].str.contains("no pca to compare with").all()
    reseeded = measure_embeddings(cells, stored[:1], seed=2).table
    assert (reseeded["macro_f1"] == first["macro_f1"]).all()
    assert (reseeded["over_noise"] != first["over_noise"]).all()


def row_of(folder, cells):
    """The one row of an embedding of noise."""
    stored = store(folder, cells, signal_of(cells, strength=0), "some", n_chunks=3)
    (row,) = measure_embeddings(cells, [stored], seed=0).table.itertuples()
    ScorecardSchema.validate(pd.DataFrame([row]).drop(columns="Index"))
    return row, find_warnings(pd.DataFrame([row]))


@pytest.mark.parametrize(
    ("n_test", "n_types", "n_classes"), [(99, 4, 4), (200, 2, 2)], ids=["cells", "types"]
)
def test_too_few_cells_or_types_are_no_reason_to_fail(tmp_path, n_test, n_types, n_classes):
    row, warnings = row_of(tmp_path, make_cells({"train": 300, "test": n_test}, n_types=n_types))
    assert (row.verdict, row.n_evaluated, row.n_classes) == ("not assessable", n_test, n_classes)
    assert warnings[0].startswith(f"some, test: not assessable: {n_test} cells of {n_types}")


def unlabelled(cells):
    return replace(cells, label=np.full(len(cells.label), None, dtype=object))


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (make_cells({"train": 200}), "no cells were held out"),
        (make_cells({"test": 200}), "there are no train cells"),
        (unlabelled(make_cells({"train": 200, "test": 150})), "no cell types are known"),
        (make_cells({"train": 40, "test": 40}), "no cell type has 15 train and 5 held-out cells"),
        (make_cells({"train": 200, "test": 90}, n_types=1), "only one cell type has 15 train"),
    ],
    ids=["no held-out cells", "test only", "no labels", "small classes", "one class"],
)
def test_what_cannot_be_measured_says_why(tmp_path, cells, why):
    row, warnings = row_of(tmp_path, cells)
    assert row.verdict == "not assessable"
    assert np.isnan(row.macro_f1)
    assert row.notes.startswith(why)
    assert warnings[0].startswith(f"some, {row.split}: not assessable: {why}")


def test_small_classes_are_left_out_and_listed():
    cells = make_cells({"train": 300, "test": 150})
    label = cells.label.copy()
    label[:14], label[14:40] = "rare in train", "only in train"
    label[300:304], label[304:320] = "rare in test", None
    (held,) = choose_held_out(replace(cells, label=label))
    assert held.classes == [f"type {i}" for i in range(4)]
    assert held.left_out == {
        "only in train": (26, 0),
        "rare in test": (0, 4),
        "rare in train": (14, 0),
    }
    assert (len(held.train), len(held.evaluated)) == (260, 130)
    assert set(label[held.train]) == set(label[held.evaluated]) == set(held.classes)
    np.testing.assert_array_equal(np.array(held.classes)[held.train_class], label[held.train])


def test_large_datasets_are_sampled_by_type_and_say_so(tmp_path, monkeypatch):
    for name, n in {"MAX_TRAIN": 80, "MAX_EVALUATED": 120, "MAX_SAMPLE": 60}.items():
        monkeypatch.setattr(choice, name, n)
    cells = make_cells({"train": 2000, "test": 400})
    label = cells.label.copy()
    label[:20], label[2000:2006] = "rare", "rare"
    cells = replace(cells, label=label)
    (held,) = choose_held_out(cells)
    counts = pd.Series(label[held.train]).value_counts()
    assert counts["rare"] == 15
    assert counts.drop("rare").between(18, 20).all()
    assert len(held.sample) == 60
    stored = store(tmp_path, cells, signal_of(cells), "some", n_chunks=3)
    (notes,) = measure(cells, stored)["notes"]
    assert "91 of 2,000 train cells vote" in notes
    assert re.search(r"\d+ of 400 cells were evaluated", notes)


def test_a_cell_is_drawn_whatever_the_others_are_called():
    """D9: the draw of a cell is a function of its id and the seed."""
    few, many = make_cells({"train": 50, "test": 50}), make_cells({"train": 400, "test": 100})
    np.testing.assert_array_equal(few.draw, many.draw[:100])


def test_chunks_of_another_order_are_refused(tmp_path):
    cells = make_cells({"train": 40, "test": 20})
    stored = store(tmp_path, cells, signal_of(cells), "some", n_chunks=3)
    some = np.array([0, 25, 45])
    np.testing.assert_array_equal(
        read_vectors(stored, cells.split_sizes, some), signal_of(cells)[some]
    )
    with pytest.raises(InputError, match=r"embeddings/some@0001-of-0003 holds 20 cells of 8"):
        read_vectors(stored, {"train": 50, "test": 10}, some)
