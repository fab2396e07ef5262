"""S3: the card says which sentences contain the cell type, and for how many cells."""

from __future__ import annotations

from adata_assets.hub.card_parts import describe_labels, explain_dataset_type
from adata_assets.hub.dataset_card import count_labelled


def test_labels_are_counted_over_all_chunks() -> None:
    chunks = [
        {"n_labelled": {"cell_sentence_3": 5, "cell_sentence_4": 7}},
        {"n_labelled": {"cell_sentence_3": 0, "cell_sentence_4": 1}},
    ]
    assert count_labelled(chunks) == {"cell_sentence_3": 5, "cell_sentence_4": 8}
    assert count_labelled([{"n_genes_min": 1}]) == {}


def test_the_share_is_told_of_sentences_that_have_labels_only() -> None:
    text = describe_labels({"cell_sentence_3": 1200, "cell_sentence_4": 0}, 2400)
    assert "(`contains_label`)" in text
    assert "of `cell_sentence_3` in 1,200 of the 2,400 train cells" in text
    assert "cell_sentence_4" not in text
    assert "validation and test cells have none" in text
    assert describe_labels({}, 10) == describe_labels({"cell_sentence_3": 0}, 10) == ""


def test_s3_the_sentences_are_described() -> None:
    """S3: exactly the columns that are there."""
    keys = [f"cell_sentence_{i}" for i in range(1, 5)]
    text = explain_dataset_type("single", ["sample_idx", *keys, "share_link"], n_negatives=0)
    assert "`cell_sentence_3`: marker genes" in text
    assert "`cell_sentence_4`: the genes of `cell_sentence_2`; can contain the cell type" in text
