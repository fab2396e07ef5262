"""Freeze a method's model for a dataset and apply it to a chunk: artefacts in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_genes, read_in_order, read_totals
from adata_assets.annotation.train import count_train
from adata_assets.artefact import Artefact
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.gene_match import match_genes
from adata_assets.embedders.base.given_models import load_given, require_same_method
from adata_assets.embedders.base.model import (
    IS_RANDOM,
    METHOD,
    VERSION,
    FrozenModel,
    load_frozen,
)
from adata_assets.embedders.contract import Embedder, GivenData, scope_of
from adata_assets.matrix.counts import open_counts
from adata_assets.sources.raw import read_raw_files, unchanged
from adata_assets.spec import EmbedderSpec
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table

__all__ = [
    "describe_embedding",
    "describe_model",
    "embed_chunk",
    "find_space_breaches",
    "fit_embedder",
    "freeze_model",
    "match_genes",
    "read_chunk",
]


def freeze_model(
    embedder: Embedder,
    spec: EmbedderSpec,
    inputs: Mapping[str, Artefact],
    *,
    seed: int,
    folder: Path | None,
) -> FrozenModel:
    """Return the model of an embedder: taken where the spec gives one, else fitted.

    Parameters
    ----------
    inputs
        By stage: ``annotated_obs``, ``counts`` and ``gene_stats``, with ``raw_h5ad`` for a method
        that takes the raw files; ``given`` alone for the model of another dataset; nothing for one
        from a folder.
    folder
        Where relative paths of the dataset's YAML begin.

    Raises
    ------
    InputError
        If what is given cannot be taken: another hash, method or version, files missing or damaged.
    """
    given = spec.artefact
    if given is None:
        return fit_embedder(embedder, **inputs, seed=seed, folder=folder)
    if given.dataset is not None:
        found, place = load_frozen(inputs["given"]), f"{given.dataset}/{inputs['given'].name}"
    else:
        place = given.path or ""
        found = load_given(place, given.sha256 or "", folder=folder)
    require_same_method(found, embedder, name=spec.name, place=place)
    return found


def fit_embedder(
    embedder: Embedder,
    annotated_obs: Artefact,
    counts: Artefact,
    gene_stats: Artefact,
    raw_h5ad: Artefact | None = None,
    *,
    seed: int,
    folder: Path | None = None,
) -> FrozenModel:
    """Return what the method learns from the train cells, or takes with them."""
    tables, n_train = annotated_obs.local(OBS).parent, count_train(annotated_obs)
    stream = TrainStream(
        open_counts(counts.local(COUNTS)),
        read_totals(tables, 0, n_train),
        read_in_order(tables, "sample_idx", 0, n_train),
        read_in_order(tables, "batch", 0, n_train),
        read_table(gene_stats.local("gene_stats.parquet")),
        seed,
        read_genes(tables).var["symbol"].to_numpy(),
    )
    with unchanged(read_raw_files(raw_h5ad) if raw_h5ad else ()) as files:
        given = GivenData(read_in_order(tables, "sample_idx"), files, folder)
        found = embedder.freeze(stream, given)
    about = {METHOD: embedder.method, VERSION: embedder.version, IS_RANDOM: embedder.is_random}
    return FrozenModel(found.arrays, {**found.facts, **about})


def describe_model(embedder: Embedder, spec: EmbedderSpec, model: FrozenModel) -> dict[str, Any]:
    """Return what models and embeddings tell about where their vectors come from."""
    return {
        "method": embedder.method,
        "version": embedder.version,
        "fit_scope": scope_of(embedder, spec),
        "role": embedder.role,
        "is_random": bool(embedder.is_random or model.facts.get(IS_RANDOM)),
    }


def describe_embedding(
    embedder: Embedder, spec: EmbedderSpec, model: FrozenModel, cells: CellBlock
) -> dict[str, Any]:
    """Return what an embedding tells: as its model does, with the share of matched genes."""
    return {**describe_model(embedder, spec, model), "gene_match": match_genes(model, cells)}


def read_chunk(chunk: ChunkSlice, annotated: Artefact, counts: Artefact) -> CellBlock:
    """Read the cells of a chunk."""
    tables = annotated.local(OBS).parent
    return CellBlock(
        open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop),
        read_totals(tables, chunk.start, chunk.stop),
        pd.Index(read_genes(tables).var["gene_id"]),
        read_in_order(tables, "sample_idx", chunk.start, chunk.stop),
        read_in_order(tables, "batch", chunk.start, chunk.stop),
    )


def embed_chunk(embedder: Embedder, model: FrozenModel, cells: CellBlock) -> pd.DataFrame:
    """Return ``EmbeddingSchema`` rows of one chunk."""
    vectors = embedder.embed(cells, model)
    return pd.DataFrame({"sample_idx": cells.sample_ids, "embedding": list(vectors)})


def find_space_breaches(embedding: Artefact, model: Artefact) -> tuple[list[str], int]:
    """Hold the model that a chunk was embedded with against the one that the dataset has now."""
    used = {"made from": embedding.inputs.get(model.name), "says": embedding.metadata["model_hash"]}
    breaches = [
        f"{embedding.name} {said} model {str(found)[:12]}, the dataset's {model.name} is "
        f"{model.data_version[:12]}: two spaces would be mixed; materialize the embedding again"
        for said, found in used.items()
        if found != model.data_version
    ]
    return breaches, 1
