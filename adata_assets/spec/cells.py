"""Parts of the spec about the raw cells: where they are, what is kept, what is said of them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from adata_assets.spec.base import Frozen


class SourceSpec(Frozen):
    """One raw file where it lives."""

    uri: str = Field(
        min_length=1,
        description="path, package://<package>/<file>, http(s)://, s3://<bucket>/<key>, or "
        "census://<version>/<organism>; h5ad, or a zarr folder",
    )
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="prefix of the cell ids when there are several sources (default: file name)",
    )
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="of the content; another file is refused"
    )
    query: str | None = Field(None, description="census only: which cells, a value filter")
    license: str | None = Field(
        None, description="licence of this source (SPDX id, or words), for the card"
    )

    @property
    def label(self) -> str:
        """The given name, else the file name without its suffix."""
        file = self.uri.partition("?")[0].rstrip("/").rpartition("/")[2]
        return self.name or re.sub(r"[^A-Za-z0-9_.-]", "_", re.sub(r"\.(h5ad|zarr)$", "", file))


class Subset(Frozen):
    """A seeded sample of the raw cells, for trial runs."""

    n_obs: int = Field(ge=1, description="number of cells")
    stratify_by: tuple[str, ...] = Field(
        (), description="obs columns whose proportions are kept; none: uniform"
    )


class Keys(Frozen):
    """Which columns of the raw file hold what.

    A column that is named here must be there. ``None`` takes the CELLxGENE name if the file has it.
    """

    batch: str | None = Field(
        None, description="obs column of the batch, or depth_mode (found in the train cells)"
    )
    group: str | tuple[str, ...] | None = Field(
        None,
        description="obs column, or several, whose values never span two splits (default: "
        "donor_id); of several, cells that share a value of any are dealt together",
    )
    caption: str | None = Field(
        None, description="obs column of given captions; without it captions are made from obs"
    )
    cell_type: str | None = Field(None, description="obs column of the cell type")
    instrument: str | None = Field(None, description="obs column of the assay (default: assay)")
    gene_symbol: str | None = Field(None, description="var column of the gene symbols")
    gene_id: str | None = Field(None, description="var column of the gene ids")
    totals: str | None = Field(
        None, description="obs column of total counts over the whole transcriptome (gene subsets)"
    )

    @field_validator("group")
    @classmethod
    def _columns_once(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError(f"group: name at least one obs column, each once; found {list(value)}")
        return value

    @property
    def groups(self) -> tuple[str, ...]:
        """The named group columns; none for the default."""
        if self.group is None:
            return ()
        return (self.group,) if isinstance(self.group, str) else self.group


class CountsRules(Frozen):
    """Where the raw counts are and what is accepted as such."""

    slot: str | None = Field(
        None,
        pattern=r"^(X|raw/X|layers/.+)$",
        description="X, raw/X or layers/<name> (default: the first that holds counts)",
    )
    allow_expected: bool = Field(
        False, description="round expected counts (RSEM and the like), which are no integers"
    )


class MadRules(Frozen):
    """Outliers among the train cells, in median absolute deviations × 1.4826; None: no rule."""

    n_counts: float | None = Field(5.0, gt=0, description="log1p of counts, both sides")
    n_genes: float | None = Field(5.0, gt=0, description="log1p of genes, both sides")
    pct_mt: float | None = Field(
        3.0, gt=0, description="mitochondrial share, upper side, never above max_pct_mt"
    )
    per_batch: bool = Field(
        False, description="one threshold per batch, where each batch lies in one split"
    )


class QCRules(Frozen):
    """Fixed rules look at one cell only; ``mad`` is learnt. ``None`` turns a rule off."""

    min_genes: int | None = Field(200, ge=0, description="fewest genes with a count")
    max_pct_mt: float | None = Field(
        20.0, ge=0, le=100, description="largest percentage of counts from mitochondrial genes"
    )
    min_counts: int | None = Field(None, ge=0, description="fewest counts")
    require_primary_data: bool = Field(
        True, description="remove cells whose is_primary_data is False"
    )
    max_pct_top20: float | None = Field(
        None, ge=0, le=100, description="largest percentage of counts in a cell's top 20 genes"
    )
    remove_duplicates: bool = Field(
        True, description="keep one of several cells with the same counts (cells with >= 200 genes)"
    )
    mad: MadRules | None = Field(None, description="rules learnt from the train cells")
    find_depth_modes: bool = Field(
        True, description="report whether the train cells have two sequencing depths"
    )


class Harmonise(Frozen):
    """New columns beside the original ones."""

    fold_below: int = Field(
        0, ge=0, description="categories with fewer cells in the dataset become 'other'; 0: none"
    )
    accession: str | None = Field(
        None, description="obs column of GEO or SRA accessions to look up (extra: sra)"
    )


class Captions(Frozen):
    """How captions are worded."""

    paraphrase: tuple[Literal["train", "validation", "test"], ...] = Field(
        ("train",), description="splits whose made captions use all templates; the others use one"
    )
    instrument_prefix: bool = Field(False, description="begin given captions with the assay, once")
