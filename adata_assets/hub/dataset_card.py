"""The card of one dataset: every value from the spec, the rows or the files' own metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from adata_assets.hub import card_parts as parts
from adata_assets.hub.card_captions import CaptionCounts
from adata_assets.hub.configs import ConfigFiles, describe_choices, describe_configs
from adata_assets.rows.parquet import ShardInfo
from adata_assets.spec import DatasetSpec

TAGS = ("multimodal", "omics", "sentence-transformers", "anndata")


@dataclass(frozen=True)
class CardFacts:
    """What a card tells besides the settings of its dataset.

    Attributes
    ----------
    shards
        Files of each split.
    example
        The first row.
    about
        ``uns['adata_assets']`` of every chunk file.
    n_genes
        Per chunk ``n_genes_min`` and ``n_genes_max`` of its sentences; of semantic ones
        ``n_labelled``.
    annotated
        Facts of ``annotated_obs``: split sizes, how the cells were split.
    ledger
        ``LedgerSchema``.
    captions
        Captions of every split.
    known
        What is known of the cells, as Markdown.
    leakage
        What the splits share, as Markdown.
    negatives
        How negatives were drawn, as Markdown; empty if all were drawn alike.
    links_end
        When the first link ends, ISO time with zone; None: never.
    configs
        The configs beside the default one.
    scorecard
        ``ScorecardSchema`` and the facts beside it; None: there are no embeddings.
    """

    shards: Mapping[str, Sequence[ShardInfo]]
    example: Mapping[str, Any]
    about: Sequence[Mapping[str, Any]]
    n_genes: Sequence[Mapping[str, Any]]
    annotated: Mapping[str, Any]
    ledger: pd.DataFrame
    captions: Mapping[str, CaptionCounts]
    known: str
    leakage: str
    negatives: str = ""
    links_end: str | None = None
    configs: Sequence[ConfigFiles] = ()
    scorecard: tuple[pd.DataFrame, Mapping[str, Any]] | None = None


def build_card(spec: DatasetSpec, facts: CardFacts) -> str:
    """Return the README.md of a published folder.

    Raises
    ------
    InputError
        If a placeholder of the template has no value, or a value no place.
    """
    example, annotated, ledger = facts.example, facts.annotated, facts.ledger
    matter = parts.front_matter(
        pretty_name=spec.pretty_name,
        license=spec.license,
        tags=TAGS,
        splits={split: [f"data/{split}-*"] for split in facts.shards},
        features=[{"name": name, "dtype": _dtype(value)} for name, value in example.items()],
        n_rows=_sum_up(facts, "n_rows"),
        n_bytes=_sum_up(facts, "n_bytes_raw"),
        download_size=sum(_sum_up(facts, "n_bytes").values()),
        configs=facts.configs,
    )
    values = {
        "title": spec.title,
        "overview_section": _tell_first(facts),
        "description": spec.description,
        "dataset_type_explanation": _explain_rows(spec, facts),
        "cs_length": parts.describe_sentence_length(
            max(of_chunk["n_genes_max"] for of_chunk in facts.n_genes),
            min(of_chunk["n_genes_min"] for of_chunk in facts.n_genes),
            spec.sentences.length,
        ),
        "example_data_formatted": parts.format_example_row(example),
        "configs_section": describe_configs(facts.configs),
        "example_share_link": example["share_link"],
        "links_lifetime": parts.describe_links(facts.links_end),
        "embedding_generation": parts.describe_embeddings(facts.about),
        "scorecard_section": _describe_figures(facts.scorecard),
        "splits_section": f"{_describe_splits(annotated)}\n\n{facts.leakage}",
        "ledger_section": f"{parts.describe_ledger(ledger)}\n\n{parts.explain_rules(ledger)}".strip(),
        "source_section": parts.describe_source(spec.data_sources),
        "citations_section": parts.cite_sources(spec.citations),
        "methods_section": parts.cite_methods(
            [embedder.method for embedder in spec.embedders], spec.citations
        ),
        **_describe_use(spec, facts),
        "repo_id": spec.repo_id,
        "first_split": next(iter(facts.shards)),
    }
    return parts.render_card(front_matter=matter, values=values)


def _sum_up(facts: CardFacts, name: str) -> dict[str, int]:
    return {split: sum(getattr(s, name) for s in found) for split, found in facts.shards.items()}


def _tell_first(facts: CardFacts) -> str:
    overview = parts.describe_overview(
        facts.annotated["split_sizes"],
        facts.captions,
        facts.example["share_link"],
        n_files=len(facts.about),
    )
    return f"{overview}\n\n{facts.known}"


def _describe_use(spec: DatasetSpec, facts: CardFacts) -> dict[str, str]:
    limits = parts.list_limits(
        annotated=facts.annotated, ledger=facts.ledger, captions=facts.captions, format=spec.format
    )
    return {
        "limits_section": parts.describe_limits(limits),
        "licences_section": parts.describe_licences(spec.license, spec.sources, facts.ledger),
        "citation_section": parts.describe_citation(spec.title, spec.repo_id),
        "captions_section": parts.describe_captions(
            facts.captions, format=spec.format, first_split=next(iter(facts.shards))
        ),
        "checksums_section": parts.describe_checksums(facts.shards, spec.repo_id),
    }


def _describe_splits(annotated: Mapping[str, Any]) -> str:
    return parts.describe_splits(
        annotated["split_sizes"],
        by=annotated["split_by"],
        group_key=annotated["keys"]["group"],
        n_groups=annotated["n_groups"],
        dealing=annotated["dealing"],
    )


def _describe_figures(scorecard: tuple[pd.DataFrame, Mapping[str, Any]] | None) -> str:
    if scorecard is None:
        return parts.describe_scorecard(None, {})
    table, facts = scorecard
    text = parts.describe_scorecard(table, facts)
    return f"{text}\n\n{parts.link_pictures(facts['figures'])}" if facts["figures"] else text


def _explain_rows(spec: DatasetSpec, facts: CardFacts) -> str:
    text = parts.explain_dataset_type(
        spec.format, list(facts.example), n_negatives=spec.negatives_per_sample
    )
    n_train = facts.annotated["split_sizes"].get("train", 0)
    about_labels = parts.describe_labels(count_labelled(facts.n_genes), n_train)
    return "\n\n".join(filter(None, (text, describe_choices(spec), facts.negatives, about_labels)))


def count_labelled(of_chunks: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return for each semantic sentence the cells of all chunks whose cell type stands in it.

    Examples
    --------
    >>> count_labelled([{"n_labelled": {"cell_sentence_3": 2}}, {"n_labelled": {"cell_sentence_3": 0}}])
    {'cell_sentence_3': 2}
    """
    total: dict[str, int] = {}
    for facts in of_chunks:
        for key, n in facts.get("n_labelled", {}).items():
            total[key] = total.get(key, 0) + n
    return total


def _dtype(value: Any) -> str:
    return "float64" if isinstance(value, float) else "string"
