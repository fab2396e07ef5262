"""Semantic sentences: markers of train, labels by chance in train, none elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix, vstack

from adata_assets.annotation.genes.markers import rank_markers
from adata_assets.errors import InputError
from adata_assets.spec import Sentences
from adata_assets.text.cell_sentences import build_cell_sentences, build_vocabulary
from adata_assets.text.semantic_sentences import (
    LabelledCells,
    MarkerTokens,
    build_marker_sentences,
    draw_labels,
    find_marker_tokens,
    insert_labels,
)
from adata_assets_tests.datasets import make_cells

RULES = Sentences(
    length=15,
    keys=tuple(f"cell_sentence_{i}" for i in range(1, 5)),
    n_markers=4,
    label_probability=0.4,
)
N_TRAIN = 200


def labelled(n, *, split="train", first=0):
    types = np.array(["B cell", "T cell", None], dtype=object)[np.arange(n) % 3]
    return LabelledCells(np.array([f"c{first + i}" for i in range(n)], object), types, split)


def write_all(adata, *, edges=(0, N_TRAIN, None), seed=0):
    """Sentences 2, 3 and 4 of train and test cells, chunk by chunk, from what train taught."""
    counts = adata.X.astype(np.int32)
    train = counts[:N_TRAIN]
    ids = pd.Series(adata.var["gene_ids"].to_numpy(dtype=object))
    var = pd.DataFrame({"gene_id": ids, "symbol": adata.var_names, "feature_class": "gene"})
    vocabulary = build_vocabulary(var, np.asarray(train.sum(axis=0)).ravel().astype(np.int64))
    types = adata.obs["cell_type"].to_numpy(dtype=object)
    table = rank_markers(
        [(0, train)],
        np.asarray(train.sum(axis=1)).ravel(),
        types[:N_TRAIN],
        gene_ids=ids,
        is_eligible=np.ones(len(ids), bool),
        n_markers=RULES.n_markers,
    )
    markers = find_marker_tokens(table, ids, vocabulary)
    written = []
    stops = [*edges[1:-1], adata.n_obs]
    for start, stop in zip(edges, stops, strict=False):
        rows = counts[start:stop]
        genes = build_cell_sentences(rows, vocabulary, max_genes=RULES.length)
        cells = LabelledCells(
            adata.obs_names[start:stop].to_numpy(dtype=object),
            types[start:stop],
            "train" if start < N_TRAIN else "test",
        )
        bare = {
            "cell_sentence_3": build_marker_sentences(
                rows, vocabulary, markers, genes, rules=RULES
            ),
            "cell_sentence_4": genes,
        }
        columns = {"cell_sentence_2": genes.to_pylist()}
        for key, sentences in bare.items():
            labels = draw_labels(cells, key=key, probability=0.4, seed=seed)
            columns[key] = insert_labels(sentences, labels, markers).to_pylist()
        written.append(pd.DataFrame(columns, index=cells.sample_idx))
    return pd.concat(written), markers


@pytest.fixture(scope="module")
def cells():
    return make_cells(300, 90, seed=8)


def has_label(sentence):
    return any(label in sentence for label in ("B cell", "T cell", "NK cell", "monocyte"))


def test_chunks_change_nothing(cells):
    """P3, P4: the same bytes for any chunking of the cells."""
    whole, _ = write_all(cells)
    pieces, _ = write_all(cells, edges=(0, 31, 77, N_TRAIN, 260, None))
    pd.testing.assert_frame_equal(pieces, whole)


def test_test_cells_teach_nothing(cells):
    """P4: other test cells, with other labels, leave every train sentence as it is."""
    other = cells.copy()
    changed = np.asarray(other.X.todense())
    changed[N_TRAIN:] = changed[N_TRAIN:][:, ::-1] * 3
    other.X = csr_matrix(changed)
    other.obs["cell_type"] = [*cells.obs["cell_type"][:N_TRAIN], *["new type"] * 100]
    before, after = write_all(cells)[0], write_all(other)[0]
    pd.testing.assert_frame_equal(after[:N_TRAIN], before[:N_TRAIN])
    assert not after[N_TRAIN:].equals(before[N_TRAIN:])


def test_only_train_sentences_contain_labels(cells):
    table, markers = write_all(cells)
    for key in ("cell_sentence_3", "cell_sentence_4"):
        is_told = table[key].map(has_label)
        assert 0.25 < is_told[:N_TRAIN].mean() < 0.55
        assert not is_told[N_TRAIN:].any()
        assert table[key].str.len().min() > 0
    told = table[["cell_sentence_3", "cell_sentence_4"]].apply(lambda c: c.map(has_label))
    assert (told["cell_sentence_3"] != told["cell_sentence_4"])[:N_TRAIN].any()
    marker_tokens = frozenset().union(*markers.of_type.values())
    test = table[N_TRAIN:]
    assert {word for text in test["cell_sentence_3"] for word in text.split()} <= marker_tokens
    assert (test["cell_sentence_4"] == test["cell_sentence_2"]).all()


def test_marker_sentences_are_the_cells_markers_in_the_order_of_all_sentences(cells):
    """The choice of genes does not look at the cell's own label."""
    table, markers = write_all(cells)
    marker_tokens = frozenset().union(*markers.of_type.values())
    for text, shown in zip(table["cell_sentence_2"], table["cell_sentence_3"], strict=True):
        if not has_label(shown):
            in_both = [word for word in text.split() if word in marker_tokens]
            assert shown.split()[: len(in_both)] == in_both


def test_without_the_label_the_genes_are_left(cells):
    """A label is put in; no gene is moved or lost for it."""
    table, _ = write_all(cells)
    types = cells.obs["cell_type"].to_numpy(dtype=object)
    for text, genes, label in zip(
        table["cell_sentence_4"], table["cell_sentence_2"], types, strict=True
    ):
        assert text.replace(f"{label} ", "", 1) == genes


@pytest.mark.parametrize("key", RULES.keys[2:])
@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_labels_is_the_probability(key, probability):
    """Within five standard deviations of the binomial; the same cells at every call."""
    cells = labelled(30_000)
    drawn = draw_labels(cells, key=key, probability=probability, seed=3)
    again = draw_labels(cells, key=key, probability=probability, seed=3)
    n_labelled = int(pd.notna(cells.cell_type).sum())
    bound = 5 * np.sqrt(n_labelled * probability * (1 - probability))
    assert abs(pd.notna(drawn).sum() - n_labelled * probability) <= bound
    assert drawn.tolist() == again.tolist()
    is_drawn = pd.notna(drawn)
    assert (drawn[is_drawn] == cells.cell_type[is_drawn]).all()


def test_draws_are_of_cell_seed_and_sentence_alone():
    cells, options = labelled(3000), {"probability": 0.5, "seed": 1}
    drawn = draw_labels(cells, key="cell_sentence_3", **options)
    order = np.random.default_rng(0).permutation(3000)[:500]
    some = LabelledCells(cells.sample_idx[order], cells.cell_type[order], "train")
    assert draw_labels(some, key="cell_sentence_3", **options).tolist() == drawn[order].tolist()
    for other in (
        draw_labels(cells, key="cell_sentence_4", **options),
        draw_labels(cells, key="cell_sentence_3", probability=0.5, seed=2),
    ):
        is_both = pd.notna(drawn) & pd.notna(other)
        # Independent draws of a half each meet in a quarter of the 2,000 labelled cells.
        assert 400 < is_both.sum() < 600


@pytest.mark.parametrize("split", ["validation", "test"])
def test_labels_are_never_drawn_outside_of_train(split):
    cells = labelled(300, split=split)
    assert not pd.notna(draw_labels(cells, key="cell_sentence_3", probability=1.0, seed=0)).any()


def test_a_label_stands_before_the_first_marker_of_its_type():
    markers = MarkerTokens(
        np.array([], bool), {"T cell": frozenset(["CD3E"]), "B": frozenset(["MS4A1"])}
    )
    sentences = pa.array(["MS4A1 CD3E", "MS4A1 CD3E", "LYZ", "CD3E", "LYZ"])
    labels = np.array(["T cell", "B", "T cell", None, "rare"], dtype=object)
    assert insert_labels(sentences, labels, markers).to_pylist() == [
        "MS4A1 T cell CD3E", "B MS4A1 CD3E", "T cell LYZ", "CD3E", "rare LYZ"
    ]  # fmt: skip


def test_a_cell_without_markers_has_its_first_genes():
    var = pd.DataFrame(
        {"gene_id": list("abcdef"), "symbol": list("ABCDEE"), "feature_class": "gene"}
    )
    vocabulary = build_vocabulary(var, np.arange(6))
    counts = csr_matrix([[5, 4, 3, 2, 0, 0], [9, 0, 0, 1, 1, 1]])
    genes = build_cell_sentences(counts, vocabulary, max_genes=9)
    table = pd.DataFrame({"cell_type": ["t"], "gene_id": ["e"], "rank": [0], "score": [2.0]})
    markers = find_marker_tokens(table, var["gene_id"], vocabulary)
    assert markers.of_type == {"t": frozenset(["E"])}
    rules = RULES.model_copy(update={"n_markers": 3})
    found = build_marker_sentences(counts, vocabulary, markers, genes, rules=rules)
    assert found.to_pylist() == ["A B C", "E"]
    none = find_marker_tokens(table[:0], var["gene_id"], vocabulary)
    bare = build_marker_sentences(counts, vocabulary, none, genes, rules=rules)
    assert bare.to_pylist() == ["A B C", "A E D"]
    assert (
        len(build_marker_sentences(vstack([counts[:0]]), vocabulary, none, genes[:0], rules=rules))
        == 0
    )


def test_markers_of_another_gene_table_are_refused():
    var = pd.DataFrame({"gene_id": ["a"], "symbol": ["A"], "feature_class": "gene"})
    table = pd.DataFrame({"cell_type": ["t"], "gene_id": ["zz"], "rank": [0], "score": [2.0]})
    with pytest.raises(InputError, match=r"marker 'zz' .* materialize gene_stats again"):
        find_marker_tokens(table, var["gene_id"], build_vocabulary(var, np.array([1])))
