"""What ``geneformer`` and ``geneformer_v1`` do; the two differ in their ``Flavour`` alone.

Belongs here: settings, the frozen model, and the way from cells to vectors. Weights are not copied
into the frozen model; it knows them by their sha256.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.embedders.base.weights import (
    fetch_weights,
    hash_files,
    require_package,
    require_sha256,
)
from adata_assets.embedders.rank_tokens.bert import (
    CONFIG,
    MODEL_FILES,
    BertShape,
    choose_device,
    embed_tokens,
    load_bert,
    read_shape,
)
from adata_assets.embedders.rank_tokens.dictionaries import (
    RankDictionary,
    find_dictionaries,
    load_dictionary,
)
from adata_assets.embedders.rank_tokens.encode import RankTokens, encode_ranks, join_tokens
from adata_assets.embedders.rank_tokens.flavour import CLS, EOS, PAD, Flavour
from adata_assets.errors import InputError

EXTRA = "geneformer"
# Tokenizing copies the counts of so many cells at a time.
ROWS_AT_ONCE = 4096


class DictionaryFiles(contract.EmbedderSettings):
    """The two dictionaries, file by file."""

    tokens: str = Field(description="token dictionary: JSON, JSON.gz or the published pickle")
    medians: str = Field(description="gene median dictionary, likewise")


class GeneformerSettings(contract.EmbedderSettings):
    """Settings of both generations."""

    model: str = Field(
        min_length=1,
        description="folder with config.json and model.safetensors, or a Hub id, owner/name or "
        "owner/name/folder",
    )
    revision: str | None = Field(None, description="Hub only: the commit, 40 hex digits")
    sha256: dict[str, str] = Field(
        {}, description="of config.json and model.safetensors; other files are refused"
    )
    dictionaries: str | DictionaryFiles = Field(
        description="folder of the published dictionaries, or tokens: and medians: by file"
    )
    batch_size: int = Field(32, ge=1, description="most cells of a batch")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU if there is one"
    )
    gpu_precision: Literal["float16", "bfloat16", "float32"] = Field(
        "float16", description="of the products on a GPU; a CPU computes in float32"
    )
    random_weights: bool = Field(
        False, description="the weights are random (a trial): no scorecard judges the embedding"
    )


class GeneformerEmbedder(contract.Embedder):
    """States of a pretrained model, float32 ``(n_obs, hidden_size)``; nothing is fitted."""

    flavour: ClassVar[Flavour]
    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = GeneformerSettings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "counts"
    learns: ClassVar[bool] = False
    citation: ClassVar[str | None] = (
        "Theodoris et al., Transfer learning enables predictions in network biology, Nature 2023, "
        "10.1038/s41586-023-06139-9"
    )
    extra: ClassVar[str | None] = EXTRA
    pool: ClassVar[str | None] = "embedder_heavy"
    # Products of other batches are summed in another order.
    tolerance: ClassVar[float] = 1e-5
    settings: GeneformerSettings

    @property
    def n_dims(self) -> int | None:
        """Width that the config of a local folder states; None for a model that is not here yet."""
        config = Path(self.settings.model).expanduser() / CONFIG
        if self.settings.revision is not None or not config.is_file():
            return None
        try:
            return read_shape(config).hidden_size
        except InputError:
            # ``fit`` says what is wrong; building the asset graph does not fail for it.
            return None

    @property
    def is_random(self) -> bool:
        """Whether the settings say that the weights are random."""
        return self.settings.random_weights

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return what the model and its dictionaries are; the train cells are not read.

        Returns
        -------
        ``token_ids`` int32 and ``medians`` float64, one per gene of the dictionary, and the facts:
        ``gene_ids``, ``special_tokens``, ``vocabulary``, ``n_dims``, ``weights`` (sha256 by file),
        ``dictionary_hash``, ``source`` (Hub id, or that it was a folder), ``revision``.

        Raises
        ------
        InputError
            If something is missing (names the command that gets it), damaged, or if model and
            dictionary are not of one vocabulary.
        """
        require_package("transformers", extra=EXTRA)
        folder = self._fetch()
        shape, dictionary = read_shape(folder / CONFIG), self._load_dictionary()
        self._require_fit(shape, dictionary)
        # Weights that do not fit their config shall fail here, not in the first chunk.
        load_bert(folder, shape)
        is_local = self.settings.revision is None
        facts = {
            GENE_IDS: list(dictionary.gene_ids),
            "special_tokens": dict(dictionary.special),
            "vocabulary": self.flavour.vocabulary,
            "n_dims": shape.hidden_size,
            "weights": hash_files(folder, MODEL_FILES),
            "dictionary_hash": dictionary.content_hash,
            # A path says nothing about the content and would change the hash.
            "source": "folder" if is_local else self.settings.model,
            "revision": self.settings.revision,
        }
        arrays = {"token_ids": dictionary.token_ids, "medians": dictionary.medians}
        return FrozenModel(arrays, facts)

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the states of the second-to-last layer, pooled as the flavour says.

        Raises
        ------
        InputError
            If the weights are not those that were frozen, a cell has no gene of the dictionary, or
            a vector is not finite.
        """
        self._require_vocabulary(model)
        folder = self._fetch()
        require_sha256(folder, model.facts["weights"], extra=self.flavour.method)
        tokens = self.tokenize(cells, model)
        vectors = embed_tokens(
            load_bert(folder, read_shape(folder / CONFIG)),
            tokens,
            pad=model.facts["special_tokens"][PAD],
            pooling=self.flavour.pooling,
            batch_size=self.settings.batch_size,
            device=choose_device(self.settings.device),
            gpu_precision=self.settings.gpu_precision,
        )
        self._require_finite(vectors, cells)
        return vectors

    def tokenize(self, cells: CellBlock, model: FrozenModel) -> RankTokens:
        """Return the tokens of each cell, special ones included.

        Raises
        ------
        InputError
            If a cell has no gene of the dictionary.
        """
        special, gene_ids = model.facts["special_tokens"], model.gene_ids
        around = (special[CLS], special[EOS]) if self.flavour.is_framed else None
        parts = [
            encode_ranks(
                rows.counts_of(gene_ids),
                model.arrays["token_ids"],
                model.arrays["medians"],
                max_genes=self.flavour.max_genes,
                around=around,
            )
            for rows in cells.rows(ROWS_AT_ONCE)
        ]
        tokens = join_tokens(parts)
        self._require_genes(tokens.lengths - 2 * self.flavour.is_framed, cells, gene_ids)
        return tokens

    def _fetch(self) -> Path:
        settings = self.settings
        return fetch_weights(
            settings.model,
            revision=settings.revision,
            sha256=settings.sha256,
            files=MODEL_FILES,
            extra=EXTRA,
        )

    def _load_dictionary(self) -> RankDictionary:
        given = self.settings.dictionaries
        if isinstance(given, str):
            tokens, medians = find_dictionaries(given, self.flavour)
        else:
            tokens, medians = Path(given.tokens).expanduser(), Path(given.medians).expanduser()
        return load_dictionary(tokens, medians, self.flavour)

    def _require_fit(self, shape: BertShape, dictionary: RankDictionary) -> None:
        if shape.vocab_size != dictionary.n_tokens:
            raise InputError(
                f"{self.flavour.method}: the model {self.settings.model} knows {shape.vocab_size:,} "
                f"tokens (vocab_size), the {self.flavour.vocabulary} dictionary has "
                f"{dictionary.n_tokens:,}: they are not of one release; give the dictionaries that "
                "the model was trained with"
            )
        if shape.max_position_embeddings < self.flavour.max_tokens:
            raise InputError(
                f"{self.flavour.method}: the model {self.settings.model} takes "
                f"{shape.max_position_embeddings:,} tokens, {self.flavour.vocabulary} cells have up "
                f"to {self.flavour.max_tokens:,}: give a {self.flavour.vocabulary} model"
            )

    def _require_vocabulary(self, model: FrozenModel) -> None:
        if (found := model.facts.get("vocabulary")) != self.flavour.vocabulary:
            raise InputError(
                f"{self.flavour.method} works with the vocabulary {self.flavour.vocabulary}, the "
                f"frozen model has {found!r}: fit again, or take the method that it was made with"
            )

    def _require_genes(self, n_genes: np.ndarray, cells: CellBlock, gene_ids: list[str]) -> None:
        empty = np.flatnonzero(n_genes == 0)
        if len(empty):
            share = float((cells.columns_of(gene_ids) >= 0).mean())
            raise InputError(
                f"{self.flavour.method}: {len(empty)} cells, e.g. {cells.sample_ids[empty[0]]!r}, "
                f"have no count in any gene of the dictionary (the dataset has {share:.0%} of its "
                "genes): check that genes have human Ensembl ids, or raise qc.min_genes"
            )

    def _require_finite(self, vectors: np.ndarray, cells: CellBlock) -> None:
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            raise InputError(
                f"{self.flavour.method}: {len(wrong)} cells, e.g. {cells.sample_ids[wrong[0]]!r}, "
                f"have vectors that are not finite in {self.settings.gpu_precision}: set "
                "gpu_precision to bfloat16 or float32, or check the weights"
            )
