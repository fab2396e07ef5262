"""Tables of ``annotated_obs``: one row per raw cell, one per gene, and the ledger."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

SPLIT_NAMES = ("train", "validation", "test")


class ObsSchema(pa.DataFrameModel):
    """One row per raw cell, in source order, kept or removed."""

    sample_idx: Series[str] = pa.Field(
        unique=True, description="obs name of the cell, unique in the dataset"
    )
    source: Series[str] = pa.Field(description="name of the source that holds the cell")
    total_counts_source: Series[int] = pa.Field(
        ge=0, description="counts over all genes of the source, before any filter"
    )
    n_counts: Series[int] = pa.Field(ge=0, description="counts over the genes of the file")
    n_genes_source: Series[int] = pa.Field(ge=0, description="genes with at least one count")
    pct_mt_source: Series[float] = pa.Field(
        ge=0, le=100, nullable=True, description="percent of the counts from mitochondrial genes"
    )
    pct_top20_source: Series[float] = pa.Field(
        ge=0, le=100, nullable=True, description="percent of the counts in the cell's top 20 genes"
    )
    keep: Series[bool] = pa.Field(description="whether the cell is published")
    removed_rule: Series[str] = pa.Field(
        nullable=True, description="the rule that removed the cell"
    )
    removed_value: Series[str] = pa.Field(nullable=True, description="the value that the rule saw")
    group: Series[str] = pa.Field(nullable=True, description="value that never spans two splits")
    batch: Series[str] = pa.Field(nullable=True, description="batch, missing as null")
    depth_mode: Series[str] = pa.Field(
        nullable=True,
        isin=["low", "high"],
        description="sequencing depth, where the train cells have two",
    )
    cell_type: Series[str] = pa.Field(nullable=True, description="cell type, missing as null")
    known_facts: Series[str] = pa.Field(
        description="JSON object: what is known of the cell, field to value"
    )
    known_terms: Series[str] = pa.Field(
        description="JSON object: ontology terms of what is known, field to term id"
    )
    caption: Series[str] = pa.Field(nullable=True, description="plain words about the cell")
    caption_facts: Series[str] = pa.Field(
        nullable=True, description="JSON object: what the caption states, field to value"
    )
    caption_id: Series[str] = pa.Field(
        nullable=True, description="hash of what the caption says, wording excluded"
    )
    caption_source: Series[str] = pa.Field(
        nullable=True, isin=["given", "made"], description="given in the file or made from obs"
    )
    caption_template: Series[str] = pa.Field(
        nullable=True, description="the wording of a made caption"
    )
    split: Series[str] = pa.Field(
        nullable=True, isin=list(SPLIT_NAMES), description="train, validation or test"
    )
    position: Series[int] = pa.Field(
        ge=-1, description="place in the dataset order; -1 for a removed cell"
    )

    class Config:
        """Every column is there and none else."""

        strict = True

    @pa.dataframe_check(error="a kept cell has a split and a position, a removed one has a rule")
    def accounted_for(cls, obs: pd.DataFrame) -> pd.Series:  # noqa: N805
        """Whether each row is published or removed with a reason, never both."""
        kept = obs["split"].notna() & (obs["position"] >= 0) & obs["removed_rule"].isna()
        gone = obs["split"].isna() & (obs["position"] == -1) & obs["removed_rule"].notna()
        return kept.where(obs["keep"], gone)


class VarSchema(pa.DataFrameModel):
    """One row per gene of ``counts``; genes are marked, never deleted."""

    gene_id: Series[str] = pa.Field(unique=True, description="Ensembl id, or the file's own name")
    symbol: Series[str] = pa.Field(
        nullable=True, description="current symbol of the id, else the file's own"
    )
    biotype: Series[str] = pa.Field(nullable=True, description="GENCODE biotype of the id")
    feature_class: Series[str] = pa.Field(
        isin=["gene", "viral", "antibody", "spike_in", "other"],
        description="what the feature is; only genes enter cell sentences",
    )
    is_mt: Series[bool] = pa.Field(description="mitochondrially encoded")
    id_status: Series[str] = pa.Field(
        isin=["current", "retired", "unknown", "own"],
        description="in the newest GENCODE release, in an earlier one, in none, or no Ensembl id",
    )
    mapped_by: Series[str] = pa.Field(
        isin=["id", "symbol", "alias", "none"],
        description="what led to the id, the surest of the gene's features",
    )
    n_source_features: Series[int] = pa.Field(
        ge=1, description="features of the source files whose counts were summed"
    )
    in_all_sources: Series[bool] = pa.Field(description="every source file has the gene")

    class Config:
        """Every column is there and none else."""

        strict = True


class LedgerSchema(pa.DataFrameModel):
    """Where every raw cell went; ``n_obs`` sums to the raw cells."""

    source: Series[str] = pa.Field(description="source file")
    outcome: Series[str] = pa.Field(
        isin=["published", "removed", "quarantined"],
        description="quarantined cells come back when what is missing about them is supplied",
    )
    rule: Series[str] = pa.Field(description="split of a published cell, rule of another one")
    n_obs: Series[int] = pa.Field(ge=0, description="number of cells")
    values_seen: Series[str] = pa.Field(description="what the rule saw, in short")

    class Config:
        """Every column is there and none else."""

        strict = True
