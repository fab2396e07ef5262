"""Dictionaries of generated genes and a random BERT of a few thousand weights."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

from adata_assets.embedders.rank_tokens.dictionaries import MEDIANS, TOKENS
from adata_assets.embedders.rank_tokens.flavour import Flavour
from adata_assets_tests.embedders.stored import StoredCells

# Genes of the dictionary that no generated dataset has.
FOREIGN = [f"ENSG009{i:08d}" for i in range(5)]
WIDTH = 16


def make_dictionaries(
    genes: Sequence[str], flavour: Flavour, *, seed: int = 3
) -> tuple[dict[str, int], dict[str, float]]:
    """Return tokens (genes in an order of their own) and medians, many of them equal."""
    rng = np.random.default_rng(seed)
    names = [*flavour.special_tokens, *rng.permutation([*genes, *FOREIGN]).tolist()]
    medians = rng.choice([0.5, 1.0, 1.25, 2.0, 3.1], len(names)).tolist()
    is_gene = [not name.startswith("<") for name in names]
    median_of = {n: m for n, m, gene in zip(names, medians, is_gene, strict=True) if gene}
    return {name: token for token, name in enumerate(names)}, {**median_of, "ENSGother": 1.0}


def write_dictionaries(
    folder: Path, tokens: Mapping[str, Any], medians: Mapping[str, Any], flavour: Flavour
) -> Path:
    """Write both as they are stored in JSON.gz; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, found in ((TOKENS, tokens), (MEDIANS, medians)):
        with gzip.open(folder / f"{stem}_{flavour.vocabulary}.json.gz", "wt") as handle:
            json.dump(found, handle)
    return folder


def write_bert(folder: Path, n_tokens: int, flavour: Flavour, *, seed: int = 0) -> Path:
    """Write a random model of three layers, as transformers saves one; return the folder."""
    config = BertConfig(
        vocab_size=n_tokens,
        hidden_size=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=flavour.max_tokens,
        hidden_act="relu",
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertForMaskedLM(config).save_pretrained(folder)
    return folder


def tiny_settings(stored: StoredCells, folder: Path, flavour: Flavour) -> dict[str, Any]:
    """Settings with dictionaries of most stored genes and a model that fits them."""
    known = stored.gene_stats["gene_id"].tolist()[:-7]
    tokens, medians = make_dictionaries(known, flavour)
    write_dictionaries(folder / "dictionaries", tokens, medians, flavour)
    write_bert(folder / "model", len(tokens), flavour)
    return {
        "model": str(folder / "model"),
        "dictionaries": str(folder / "dictionaries"),
        "batch_size": 8,
        "device": "cpu",
        "random_weights": True,
    }
