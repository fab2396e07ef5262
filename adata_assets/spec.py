"""``DatasetSpec``: everything that a dataset's YAML may say, and nothing about where it runs.

Belongs here: fields, their meaning, and what can be refused without opening the data.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SPLITS = ("train", "validation", "test")
FORMATS = ("single", "pairs", "multiplets")

Fraction = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """A frozen part of the spec that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, given: Any) -> Any:
        # pydantic's own message does not say which keys there are.
        if not isinstance(given, dict) or cls.model_config.get("extra") != "forbid":
            return given
        if unknown := sorted(str(key) for key in given.keys() - cls.model_fields.keys()):
            raise ValueError(f"unknown keys {unknown}; allowed: {', '.join(cls.model_fields)}")
        return given


class Keys(Frozen):
    """Which columns of the raw file hold what.

    A column that is named here must be there. ``None`` takes the CELLxGENE name if the file has it.
    """

    batch: str | None = Field(None, description="obs column of the batch")
    group: str | None = Field(
        None, description="obs column whose values never span two splits (default: donor_id)"
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


class QCRules(Frozen):
    """Fixed rules; each looks at one cell only. ``None`` turns a rule off."""

    min_genes: int | None = Field(200, ge=0, description="fewest genes with a count")
    max_pct_mt: float | None = Field(
        20.0, ge=0, le=100, description="largest percentage of counts from mitochondrial genes"
    )
    min_counts: int | None = Field(None, ge=0, description="fewest counts")
    require_primary_data: bool = Field(
        True, description="remove cells whose is_primary_data is False"
    )
    remove_duplicates: bool = Field(
        True, description="keep one of several cells with the same counts (cells with >= 200 genes)"
    )


class Chunks(Frozen):
    """How many chunks: ``count``, or as many as ``size`` needs. Exactly one of the two."""

    count: int | None = Field(None, ge=1, le=9999, description="number of chunks")
    size: int | None = Field(None, ge=1, description="largest number of cells in a chunk")

    @model_validator(mode="after")
    def _one_of_two(self) -> Chunks:
        if (self.count is None) == (self.size is None):
            raise ValueError("give exactly one of count and size")
        return self


class Splits(Frozen):
    """Fractions of the published cells; whole groups are dealt when there is a group column."""

    train: Fraction = Field(0.8, description="fraction of the cells in train")
    validation: Fraction = Field(0.1, description="fraction of the cells in validation")
    test: Fraction = Field(0.1, description="fraction of the cells in test")
    split_by: Literal["group", "cell"] | None = Field(
        None, description="deal whole groups or single cells (default: group if there is a column)"
    )

    @model_validator(mode="after")
    def _sum_to_one(self) -> Splits:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test must be 1, found {total:g}")
        if self.train == 0 and self.validation > 0:
            raise ValueError("a dataset without train cells has only a test split (test: 1)")
        return self

    @property
    def fractions(self) -> dict[str, float]:
        """The splits that are asked for, in their order, with their fractions."""
        return {name: getattr(self, name) for name in SPLITS if getattr(self, name) > 0}


class EmbedderSpec(Frozen):
    """One embedding: its name, its method, and the method's own settings beside them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="names the asset, the file and obsm['X_<name>']")
    method: str = Field(description="a file in adata_assets/embedders")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return _require_name(value, "embedder name")

    @property
    def settings(self) -> dict[str, Any]:
        """The method's own settings, not yet validated by the method."""
        return dict(self.model_extra or {})


class Sentences(Frozen):
    """What stands in the cell sentences."""

    length: int = Field(100, ge=1, description="largest number of genes in a cell sentence")
    keys: tuple[str, ...] = Field(
        ("cell_sentence_1", "cell_sentence_2"),
        description="cell_sentence_1 is the sample id, cell_sentence_2 the genes",
    )

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = ("cell_sentence_1", "cell_sentence_2")
        if value != known:
            raise ValueError(f"allowed: {list(known)}, found {list(value)}")
        return value


class ShareSpec(Frozen):
    """Where chunk files are shared; the store's own settings stand beside its name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    store: str = Field("local", description="a file in adata_assets/share")

    @property
    def settings(self) -> dict[str, Any]:
        """The store's own settings, not yet validated by the store."""
        return dict(self.model_extra or {})


class Citation(Frozen):
    """A work to cite and where it is found."""

    role: Literal["data", "annotation", "method"] = Field(
        "data", description="what it is cited for"
    )
    text: str = Field(min_length=1, description="authors, title, journal, year")
    doi: str | None = Field(None, pattern=r"^10\.\S+/\S+$", description="DOI without a host")


class Publish(Frozen):
    """The release on the Hugging Face Hub. Without it nothing leaves the machine."""

    repo_id: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name on the Hub")
    private: bool = Field(True, description="whether the repository is private")


class DatasetSpec(Frozen):
    """One dataset: one source and everything that is made from it.

    Examples
    --------
    >>> spec = DatasetSpec(dataset_id="demo", title="Demo", source="cells.h5ad",
    ...                    chunks={"count": 3}, format="single")
    >>> spec.splits.fractions
    {'train': 0.8, 'validation': 0.1, 'test': 0.1}
    """

    dataset_id: str = Field(description="the name of the dataset's folder")
    title: str = Field(min_length=1, description="one line for people")
    pretty_name: str = Field(
        "Transcriptome with text annotations - paired dataset",
        description="pretty_name of the dataset card",
    )
    description: str = Field("", description="a paragraph for the card and the UI")
    source: str = Field(
        min_length=1, description="path of an h5ad file, or package://<package>/<file>"
    )
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="the source's sha256; another file is refused"
    )
    species: Literal["human", "mouse", "other"] = Field("human", description="whose genes")
    keys: Keys = Field(Keys(), description="columns of the raw file")
    qc: QCRules = Field(QCRules(), description="fixed quality rules")
    on_missing_caption: Literal["remove", "error", "from_obs"] = Field(
        "remove", description="for pairs and multiplets: what happens to cells without a caption"
    )
    chunks: Chunks = Field(description="how the cells are dealt into files")
    splits: Splits = Field(Splits(), description="train, validation and test")
    embedders: tuple[EmbedderSpec, ...] = Field((), description="embeddings of every chunk")
    n_top_genes: int = Field(2000, ge=1, description="number of highly variable genes on train")
    min_cells: int = Field(3, ge=1, description="gene mask: fewest train cells with a count")
    sentences: Sentences = Field(Sentences(), description="cell sentences")
    format: Literal["single", "pairs", "multiplets"] = Field(
        "multiplets", description="rows of the published dataset"
    )
    negatives_per_sample: int = Field(
        2, ge=1, le=32, description="multiplets: slots negative_1_idx … negative_N_idx"
    )
    evaluator_columns: bool = Field(
        False, description="pairs: repeat genes and caption as sentence_1 and sentence_2"
    )
    share: ShareSpec = Field(ShareSpec(), description="share store")
    publish_obs: tuple[str, ...] | None = Field(
        None, description="obs columns of the source that leave the machine (default: all)"
    )
    license: str | None = Field(None, description="licence of the published dataset (SPDX id)")
    data_sources: str = Field("", description="provenance of the cells, for the card")
    citations: tuple[Citation, ...] = Field((), description="works to cite, for the card")
    owners: tuple[str, ...] = Field((), description="e-mail addresses or team:<name>")
    schedule: str | None = Field(
        "0 6 * * *", description="cron of the look at the source; null turns it off"
    )
    automate: bool = Field(True, description="refresh by itself when the source changed")
    seed: int = Field(0, ge=0, lt=2**32, description="of every random draw")
    publish: Publish | None = Field(None, description="release on the Hub")

    @field_validator("dataset_id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if value == "share":
            raise ValueError("'share' is the folder of shared files; give the dataset another name")
        return _require_name(value, "dataset_id (the folder's name)")

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetSpec:
        n_splits = len(self.splits.fractions)
        if self.chunks.count is not None and self.chunks.count < n_splits:
            raise ValueError(
                f"chunks.count is {self.chunks.count}, but {n_splits} splits "
                f"({', '.join(self.splits.fractions)}) need a chunk each: give at least {n_splits}"
            )
        names = [embedder.name for embedder in self.embedders]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"embedders share a name: {repeated}; give each its own")
        if self.embedders and "train" not in self.splits.fractions:
            raise ValueError("embedders are fitted on train cells, but splits.train is 0")
        if self.evaluator_columns and self.format != "pairs":
            raise ValueError(f"evaluator_columns goes with format pairs, not {self.format}")
        if self.publish and not self.license:
            raise ValueError("publish needs a license")
        return self

    @property
    def repo_id(self) -> str:
        """What ``load_dataset`` is given: the Hub id, else the folder relative to the root."""
        return self.publish.repo_id if self.publish else f"{self.dataset_id}/hf_splits"


def _require_name(value: str, what: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
        raise ValueError(
            f"{what} must be lower-case letters, digits and _, beginning with a letter; found {value!r}"
        )
    return value
