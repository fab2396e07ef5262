"""All functions that make the values of a card, under one name.

Belongs here: names only. Rows are told by `card_rows`, data and methods by `card_facts`,
figures by `card_scorecard`, works to cite by `card_citations`, equal captions by `card_captions`,
limits by `card_limits`, licences and checksums by `card_terms`, the YAML at the top by
`card_front_matter`.
"""

from __future__ import annotations

from adata_assets.hub.card import CardFrontMatter, code_blocks, placeholders, render_card
from adata_assets.hub.card_captions import count_captions, describe_captions
from adata_assets.hub.card_citations import cite_methods, cite_sources, describe_source
from adata_assets.hub.card_facts import (
    describe_embeddings,
    describe_ledger,
    describe_links,
    describe_splits,
)
from adata_assets.hub.card_front_matter import front_matter, size_category
from adata_assets.hub.card_limits import describe_limits, list_limits
from adata_assets.hub.card_overview import describe_known, describe_overview, explain_rules
from adata_assets.hub.card_rows import (
    describe_columns,
    describe_labels,
    describe_sentence_length,
    explain_dataset_type,
    format_example_row,
)
from adata_assets.hub.card_scorecard import describe_scorecard, link_pictures
from adata_assets.hub.card_terms import describe_checksums, describe_citation, describe_licences

__all__ = [
    "CardFrontMatter",
    "cite_methods",
    "cite_sources",
    "code_blocks",
    "count_captions",
    "describe_captions",
    "describe_checksums",
    "describe_citation",
    "describe_columns",
    "describe_embeddings",
    "describe_known",
    "describe_labels",
    "describe_ledger",
    "describe_licences",
    "describe_limits",
    "describe_links",
    "describe_overview",
    "describe_scorecard",
    "describe_sentence_length",
    "describe_source",
    "describe_splits",
    "explain_dataset_type",
    "explain_rules",
    "format_example_row",
    "front_matter",
    "link_pictures",
    "list_limits",
    "placeholders",
    "render_card",
    "size_category",
]
