"""Parts of the spec about the published dataset: chunks, splits, embeddings, texts, links."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from adata_assets.spec.base import SPLITS, Fraction, Frozen, require_name


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
    """Fractions of the published cells; whole groups are dealt when there is a group column.

    Groups that share a cell with the same counts are dealt together. ``splits.lock.csv`` beside the
    YAML keeps where each group went; a group in it never moves.
    """

    train: Fraction = Field(0.8, description="fraction of the cells in train")
    validation: Fraction = Field(0.1, description="fraction of the cells in validation")
    test: Fraction = Field(0.1, description="fraction of the cells in test")
    split_by: Literal["group", "cell"] | None = Field(
        None, description="deal whole groups or single cells (default: group if there is a column)"
    )
    held_out: dict[Literal["validation", "test"], dict[str, tuple[str, ...]]] = Field(
        {},
        description="split to obs column to values: cells with such a value, and all that is dealt "
        "together with them, go to that split, e.g. {test: {tissue: [lung]}}",
    )
    on_lock_conflict: Literal["error", "quarantine"] = Field(
        "error",
        description="what happens to cells that join groups locked to different splits: the build "
        "stops and names them, or they are left out",
    )

    @field_validator("held_out", mode="before")
    @classmethod
    def _as_texts(cls, given: Any) -> Any:
        # A YAML's numbers are compared with the texts of obs columns; one value may stand alone.
        if not isinstance(given, dict):
            return given
        return {
            split: {name: _list_texts(values) for name, values in columns.items()}
            if isinstance(columns, dict)
            else columns
            for split, columns in given.items()
        }

    @model_validator(mode="after")
    def _held_out_splits_exist(self) -> Splits:
        if unasked := sorted(set(self.held_out) - set(self.fractions)):
            raise ValueError(
                f"held_out names {unasked}, whose fraction is 0: give it the fraction you expect"
            )
        return self

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


def _list_texts(given: Any) -> list[Any]:
    values = given if isinstance(given, list | tuple) else [given]
    return [str(one) if isinstance(one, int | float) else one for one in values]


class GivenModel(Frozen):
    """A frozen model that is taken instead of fitting one: of another dataset, or from a folder."""

    dataset: str | None = Field(None, description="id of the dataset whose model is taken")
    name: str | None = Field(
        None, description="the embedder's name in that dataset (default: the same name)"
    )
    path: str | None = Field(
        None, description="a folder with model.safetensors and model.json instead of a dataset"
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="of a path: the model hash that the dataset card shows; others are refused",
    )

    @field_validator("dataset", "name")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        return None if value is None else require_name(value, "artefact's dataset and name")

    @model_validator(mode="after")
    def _one_of_two(self) -> GivenModel:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("artefact: give exactly one of dataset and path")
        if (self.path is None) != (self.sha256 is None):
            raise ValueError("artefact: sha256 goes with path, and path needs it")
        if self.name is not None and self.dataset is None:
            raise ValueError("artefact: name goes with dataset")
        return self


class EmbedderSpec(Frozen):
    """One embedding: its name, its method, and the method's own settings beside them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="names the asset, the file and obsm['X_<name>']")
    method: str = Field(description="a file in adata_assets/embedders")
    artefact: GivenModel | None = Field(
        None, description="take a frozen model instead of fitting one on the train cells"
    )

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return require_name(value, "embedder name")

    @property
    def settings(self) -> dict[str, Any]:
        """The method's own settings, not yet validated by the method."""
        return dict(self.model_extra or {})


class Sentences(Frozen):
    """What stands in the cell sentences."""

    length: int = Field(100, ge=1, description="largest number of genes in a cell sentence")
    gene_set: Literal["all", "protein_coding", "hvg"] = Field(
        "all",
        description="genes that may stand in it; hvg: the n_top_genes variable ones of train. A cell "
        "that expresses none of them is described by all its genes",
    )
    rank_by: Literal["counts", "counts_over_median"] = Field(
        "counts",
        description="what the genes are sorted by; counts_over_median: counts over the median of the "
        "gene's non-zero values on train, so that genes high everywhere do not come first",
    )
    keys: tuple[str, ...] = Field(
        ("cell_sentence_1", "cell_sentence_2"),
        description="cell_sentence_1 is the sample id, cell_sentence_2 the genes; 3 and 4 are "
        "semantic sentences, which contain the cell type",
    )
    n_markers: int = Field(20, ge=1, description="semantic sentences: marker genes per cell type")
    label_probability: Fraction = Field(
        0.5, description="semantic sentences: share of train cells whose sentence has the label"
    )

    @field_validator("keys")
    @classmethod
    def _known_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = tuple(f"cell_sentence_{i}" for i in range(1, 5))
        if value != known[: len(value)] or len(value) < 2:
            raise ValueError(f"allowed: the first 2, 3 or 4 of {list(known)}, found {list(value)}")
        return value


class Negatives(Frozen):
    """How negatives are drawn and written.

    Of the cells that are allowed each is as likely as the next; harder ones are the anchor's nearest.
    """

    form: Literal["ids", "text"] = Field(
        "ids",
        description="multiplets: negative_1_idx … hold ids; or negative_1 … hold the caption (odd) "
        "and cell_sentence_2 (even) of the drawn cells",
    )
    same_batch_share: Fraction = Field(
        0.0,
        description="probability of a negative to be drawn from the anchor's batch (keys.batch)",
    )
    hard_share: Fraction = Field(
        0.0,
        description="probability of a negative to be hard: of the valid ones among 512 cells of the "
        "split, drawn by seed, the one whose embedding is nearest to the anchor's (cosine)",
    )
    hard_by: str | None = Field(
        None, description="with hard_share: the name of the embedder that says what is near"
    )

    @model_validator(mode="after")
    def _share_out(self) -> Negatives:
        total = self.same_batch_share + self.hard_share
        if total > 1 + 1e-9:
            raise ValueError(
                f"same_batch_share {self.same_batch_share:g} and hard_share {self.hard_share:g} are "
                f"{total:g} together: at most 1"
            )
        if (self.hard_share > 0) != (self.hard_by is not None):
            raise ValueError(
                f"hard_share is {self.hard_share:g} and hard_by {self.hard_by!r}: give both, a share "
                "above 0 and the name of an embedder, or neither"
            )
        return self


class ConfigSpec(Frozen):
    """One more config of the dataset: the same cells with other texts."""

    name: str = Field(description="what load_dataset is given beside the dataset's id")
    length: int | None = Field(None, ge=1, description="instead of sentences.length")
    gene_set: Literal["all", "protein_coding", "hvg"] | None = Field(
        None, description="instead of sentences.gene_set"
    )
    rank_by: Literal["counts", "counts_over_median"] | None = Field(
        None, description="instead of sentences.rank_by"
    )
    caption: str | None = Field(
        None,
        description="obs column of given captions instead of keys.caption; cells without one, or "
        "without a valid negative among those that have one, are not in this config",
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        taken = ("default", "data", "cells", "labels", "figures")
        if value in taken:
            raise ValueError(f"config name {value!r} is taken ({', '.join(taken)}); choose another")
        return require_name(value, "config name")

    @property
    def changes(self) -> dict[str, Any]:
        """What is not as in the dataset's ``sentences``."""
        return self.model_dump(include={"length", "gene_set", "rank_by"}, exclude_none=True)


class ShareSpec(Frozen):
    """Where chunk files are shared; the store's own settings stand beside its name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    store: str = Field("local", description="a file in adata_assets/share")
    refresh_before_s: int = Field(
        86_400, ge=0, description="links that end are made anew so many seconds before"
    )
    refresh_schedule: str = Field(
        "17 * * * *", description="cron of the look for links that are about to end"
    )
    probe_schedule: str = Field(
        "47 4 * * *", description="cron of the look whether published links still answer"
    )

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
    accept_expiring_links: bool = Field(
        False, description="publish although the links end; the card says when"
    )
    verify_schedule: str = Field(
        "23 5 * * 1", description="cron of the look whether the release is still as it was promised"
    )
