"""All functions that make the values of a card, under one name.

Belongs here: names only. Rows are told by `card_rows`, data and methods by `card_facts`,
figures by `card_scorecard`, works to cite by `card_citations`, the YAML at the top by
`card_front_matter`.
"""

from __future__ import annotations

from adata_assets.hub.card import CardFrontMatter, code_blocks, placeholders, render_card
from adata_assets.hub.card_citations import cite_methods, cite_sources, describe_source
from adata_assets.hub.card_facts import (
    describe_embeddings,
    describe_ledger,
    describe_links,
    describe_splits,
)
from adata_assets.hub.card_front_matter import front_matter, size_category
from adata_assets.hub.card_rows import (
    describe_labels,
    describe_sentence_length,
    explain_dataset_type,
    format_example_row,
)
from adata_assets.hub.card_scorecard import describe_scorecard, link_pictures

__all__ = [
    "CardFrontMatter",
    "cite_methods",
    "cite_sources",
    "code_blocks",
    "describe_embeddings",
    "describe_labels",
    "describe_ledger",
    "describe_links",
    "describe_scorecard",
    "describe_sentence_length",
    "describe_source",
    "describe_splits",
    "explain_dataset_type",
    "format_example_row",
    "front_matter",
    "link_pictures",
    "placeholders",
    "render_card",
    "size_category",
]
