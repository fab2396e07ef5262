"""Train as mmcontext trains from a config: its own functions, a tiny text encoder made here.

Part of ``consume.py``. What is not in the installed library is its script of some lines that hands
the parts to sentence-transformers' trainer; `fit` stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from datasets import Dataset, DatasetDict
from mmcontext.embed import build_pipeline
from mmcontext.io import VectorStore
from mmcontext.training import (
    AssembledData,
    TrainConfig,
    assemble_training_data,
    build_merged_vector_store,
    load_config,
    load_raw_datasets,
)
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.evaluation import SequentialEvaluator
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

N_TOKENS, BATCH_SIZE = 32, 64
# Both modalities of one dataset, trained together: vectors of cells against captions, and texts.
MODALITIES = {
    "cells": {"modality": "bimodal"},
    "sentences": {"modality": "text", "primary_cell_sentence": "cell_sentence_2"},
}


def write_text_encoder(folder: Path, texts: Iterable[str]) -> None:
    """Write an encoder of one layer with random weights that knows the words of these texts."""
    torch.manual_seed(0)
    special = ["[PAD]", "[UNK]"]
    words = sorted({word for text in texts for word, _ in Whitespace().pre_tokenize_str(text)})
    vocabulary = {word: number for number, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=N_TOKENS,
    )
    BertModel(config).save_pretrained(folder)


def write_config(dataset: Path, folder: Path) -> TrainConfig:
    """Write the YAML that a user of the library writes, and read it with the library."""
    config = {
        "text_encoder": {"name": str(folder / "encoder"), "max_seq_length": N_TOKENS},
        "trainer": {
            "output_dir": str(folder / "output"),
            "num_train_epochs": 1,
            "per_device_train_batch_size": BATCH_SIZE,
            "per_device_eval_batch_size": BATCH_SIZE,
            "learning_rate": 1e-2,
            "logging_steps": 1,
        },
        "obsm_key": "X_pca",
        "shared_dim": 16,
        "adata_cache_dir": str(folder / "zarr"),
        "vector_store_dir": str(folder / "stores"),
        "omics_datasets": [
            {"id": str(dataset), "name": name, **chosen} for name, chosen in MODALITIES.items()
        ],
    }
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config))
    return load_config(path)


@dataclass(frozen=True)
class Assembled:
    """What the library makes of a config."""

    config: TrainConfig
    raw: dict[str, DatasetDict]
    store: VectorStore
    model: SentenceTransformer
    data: AssembledData


def assemble(dataset: Path, folder: Path) -> Assembled:
    """Go through the functions that the library has for it, in their order."""
    folder.mkdir()
    config = write_config(dataset, folder)
    raw, _ = load_raw_datasets(config)
    rows = next(iter(raw.values()))["train"]
    write_text_encoder(folder / "encoder", [*rows["positive"], *rows["cell_sentence_2"]])
    store, n_dims = build_merged_vector_store(config, raw)
    model = build_pipeline(
        config.text_encoder.name,
        omics_dim=n_dims,
        shared_dim=config.shared_dim,
        adapter_hidden_dim=config.adapter_hidden_dim,
        max_seq_length=config.text_encoder.max_seq_length,
    )
    model[0].set_vector_store(store)
    data = assemble_training_data(config, model, raw, log_backend="none")
    return Assembled(config, raw, store, model, data)


def fit(made: Assembled) -> list[dict[str, float]]:
    """Train as the config says; return what the trainer logged."""
    chosen = made.config.trainer
    arguments = SentenceTransformerTrainingArguments(
        output_dir=chosen.output_dir,
        num_train_epochs=chosen.num_train_epochs,
        per_device_train_batch_size=chosen.per_device_train_batch_size,
        per_device_eval_batch_size=chosen.per_device_eval_batch_size,
        learning_rate=chosen.learning_rate,
        logging_steps=chosen.logging_steps,
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    trainer = SentenceTransformerTrainer(
        model=made.model,
        args=arguments,
        train_dataset=made.data.train_datasets,
        eval_dataset=made.data.eval_datasets,
        loss=made.data.losses,
        evaluator=SequentialEvaluator(made.data.evaluators),
    )
    trainer.train()
    return trainer.state.log_history


def train(dataset: Path, folder: Path) -> dict[str, object]:
    """Train one epoch on both modalities of a dataset; return what was trained on and the outcome."""
    made = assemble(dataset, folder)
    before = {name: value.detach().clone() for name, value in made.model.named_parameters()}
    logged = fit(made)
    after = dict(made.model.named_parameters())
    trained_on = made.data.train_datasets
    return {
        "n_rows": {name: len(rows) for name, rows in trained_on.items()},
        "columns": {name: rows.column_names for name, rows in trained_on.items()},
        "n_invented": {
            name: count_invented(made.raw[name], trained_on[name]) for name in trained_on
        },
        "n_vectors": len(made.store),
        "losses": [entry["loss"] for entry in logged if "loss" in entry],
        "accuracies": {
            name: value for entry in logged for name, value in entry.items() if "accuracy" in name
        },
        "n_parameters": len(before),
        "unchanged": [name for name in before if torch.equal(before[name], after[name])],
    }


def count_invented(raw: DatasetDict, rows: Dataset) -> int:
    """Return how many negatives are texts that no row of the split has."""
    own = {*raw["train"]["positive"], *raw["train"]["cell_sentence_2"]}
    return sum(text not in own for name in list_negatives(rows) for text in rows[name])


def count_ids_left(dataset: Path, folder: Path) -> dict[str, list[float]]:
    """Return for each modality and slot which share of the negatives are ids, not texts.

    For a dataset whose negatives are ids: with vectors the library names every cell anew before it
    looks for them (``mmcontext.training._namespace_sample_ids``), and keeps what it does not find
    (``mmcontext.utils.resolve_negative_indices_and_rename``).
    """
    made, told = assemble(dataset, folder), {}
    for name, rows in made.data.train_datasets.items():
        ids = set(made.raw[name]["train"]["sample_idx"])
        slots = list_negatives(rows)
        told[name] = [sum(text in ids for text in rows[slot]) / len(rows) for slot in slots]
    return told


def list_negatives(rows: Dataset) -> list[str]:
    """Return the names of the columns of negatives."""
    return [name for name in rows.column_names if name.startswith("negative")]
