"""``DatasetSpec``: everything that a dataset's YAML may say, and nothing about where it runs.

Belongs here: fields, their meaning, and what can be refused without opening the data.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from adata_assets.spec.base import Frozen, require_name
from adata_assets.spec.cells import (
    Captions,
    CountsRules,
    Harmonise,
    Keys,
    QCRules,
    SourceSpec,
    Subset,
)
from adata_assets.spec.published import (
    Chunks,
    Citation,
    ConfigSpec,
    EmbedderSpec,
    Negatives,
    Publish,
    Sentences,
    ShareSpec,
    Splits,
)


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
    source: str | SourceSpec | tuple[str | SourceSpec, ...] = Field(
        description="where the raw cells are; of several sources every cell id gets the source's "
        "name as prefix",
    )
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="of the one source; another file is refused"
    )
    subset: Subset | None = Field(None, description="a sample of the cells, for trial runs")
    species: Literal["human", "mouse", "other"] | None = Field(
        None, description="whose genes (default: recognised from ids, organism or symbols)"
    )
    keys: Keys = Field(Keys(), description="columns of the raw file")
    qc: QCRules = Field(QCRules(), description="fixed quality rules")
    counts: CountsRules = Field(CountsRules(), description="where the raw counts are")
    harmonise: Harmonise = Field(Harmonise(), description="new columns beside the original ones")
    captions: Captions = Field(Captions(), description="wording of captions")
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
    negatives: Negatives = Field(Negatives(), description="how negatives are drawn and written")
    max_cells_per_label: int | None = Field(
        None, ge=1, description="most train cells of one cell type; others are drawn away by seed"
    )
    configs: tuple[ConfigSpec, ...] = Field(
        (), description="further configs of the published dataset: the same cells, other texts"
    )
    evaluator_columns: bool = Field(
        False, description="pairs: repeat genes and caption as sentence_1 and sentence_2"
    )
    share: ShareSpec = Field(ShareSpec(), description="share store")
    publish_obs: tuple[str, ...] | None = Field(
        None, description="obs columns of the source that leave the machine (default: all)"
    )
    drop_obs: tuple[str, ...] = Field(
        (), description="obs columns of the source that stay on the machine"
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
        return require_name(value, "dataset_id (the folder's name)")

    @field_validator("source")
    @classmethod
    def _is_somewhere(
        cls, value: str | SourceSpec | tuple[str | SourceSpec, ...]
    ) -> str | SourceSpec | tuple[str | SourceSpec, ...]:
        if not value:
            raise ValueError("source is empty: say where the raw cells are")
        return value

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
        if self.evaluator_columns and self.format != "pairs":
            raise ValueError(f"evaluator_columns goes with format pairs, not {self.format}")
        if self.negatives.form == "text" and self.format != "multiplets":
            raise ValueError(f"negatives.form text goes with format multiplets, not {self.format}")
        if self.negatives.same_batch_share and self.keys.batch is None:
            raise ValueError("negatives.same_batch_share needs keys.batch")
        self._require_hard_negatives(names)
        configs = [config.name for config in self.configs]
        if repeated := sorted({name for name in configs if configs.count(name) > 1}):
            raise ValueError(f"configs share a name: {repeated}; give each its own")
        if self.format == "single" and any(config.caption for config in self.configs):
            raise ValueError("a config with a caption goes with format pairs or multiplets")
        labels = [source.label for source in self.sources]
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"sources share a name: {repeated}; give each its own name")
        if self.sha256 and len(self.sources) > 1:
            raise ValueError("sha256 goes with one source; give each of several its own")
        if self.publish and not self.license:
            raise ValueError("publish needs a license")
        return self

    def _require_hard_negatives(self, embedders: list[str]) -> None:
        by = self.negatives.hard_by
        if by is not None and self.format == "single":
            raise ValueError(
                "negatives.hard_share goes with format pairs or multiplets, not single"
            )
        if by is not None and by not in embedders:
            known = f"name one of {embedders}" if embedders else "there are none, add one first"
            raise ValueError(
                f"negatives.hard_by is {by!r}, which is no embedder of the dataset: {known}"
            )

    @property
    def sources(self) -> tuple[SourceSpec, ...]:
        """The raw files, in the order of the YAML."""
        given = self.source if isinstance(self.source, tuple) else (self.source,)
        specs = [SourceSpec(uri=one) if isinstance(one, str) else one for one in given]
        if self.sha256 and len(specs) == 1:
            return (specs[0].model_copy(update={"sha256": self.sha256}),)
        return tuple(specs)

    def sentences_of(self, config: ConfigSpec | None) -> Sentences:
        """Return what stands in the cell sentences of a config, None: of the default one."""
        return self.sentences.model_copy(update=config.changes) if config else self.sentences

    @property
    def repo_id(self) -> str:
        """What ``load_dataset`` is given: the Hub id, else the folder relative to the root."""
        return self.publish.repo_id if self.publish else f"{self.dataset_id}/hf_splits"
