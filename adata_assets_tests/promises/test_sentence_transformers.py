"""sentence-transformers, unchanged, trains on pairs and multiplets and encodes single rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import read_all_rows, read_rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

N_DIMS = 16
# Raised by torch and its trainer about their own code.
pytestmark = pytest.mark.filterwarnings("ignore")


def build_model(texts: Iterable[str], *, seed: int = 0) -> SentenceTransformer:
    """Return a model of one vector per word, whose text is the mean of its words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = sorted({word for text in texts for word in text.replace(".", " . ").split()})
    vocabulary = {word: i for i, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    torch.manual_seed(seed)
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_dim=N_DIMS)], device="cpu"
    )


def train(model: SentenceTransformer, rows: pd.DataFrame, loss: object, folder: Path) -> float:
    """Train one epoch with the library's own trainer; return the mean loss."""
    from datasets import Dataset as Rows
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=16,
        learning_rate=0.05,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        seed=0,
        disable_tqdm=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Rows.from_pandas(rows, preserve_index=False),
        loss=loss,
    )
    return float(trainer.train().training_loss)


def similarity(model: SentenceTransformer, one: pd.Series, other: pd.Series) -> np.ndarray:
    a, b = (model.encode(list(texts), normalize_embeddings=True) for texts in (one, other))
    return (a * b).sum(axis=1)


def test_an_epoch_on_multiplets(varied: Dataset, tmp_path: Path) -> None:
    """Anchor, positive and negatives as texts, in the order in which the columns stand."""
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    rows = read_rows(varied)["train"]
    columns = ["cell_sentence_2", "positive", "negative_1", "negative_2", "negative_3"]
    assert [name for name in rows if name in columns] == columns
    model = build_model(text for name in columns for text in rows[name])
    before = (
        similarity(model, rows[columns[0]], rows["positive"])
        - similarity(model, rows[columns[0]], rows["negative_1"])
    ).mean()
    loss = train(model, rows[columns], MultipleNegativesRankingLoss(model), tmp_path)
    after = (
        similarity(model, rows[columns[0]], rows["positive"])
        - similarity(model, rows[columns[0]], rows["negative_1"])
    ).mean()
    assert np.isfinite(loss)
    assert after > before + 0.05


def test_an_epoch_on_pairs(pairs: Dataset, tmp_path: Path) -> None:
    from sentence_transformers.losses import CosineSimilarityLoss

    rows = read_rows(pairs)["train"][["cell_sentence_2", "caption", "label"]]
    model = build_model([*rows["cell_sentence_2"], *rows["caption"]])
    is_own = rows["label"] == 1.0

    def difference() -> float:
        found = similarity(model, rows["cell_sentence_2"], rows["caption"])
        return float(found[is_own].mean() - found[~is_own].mean())

    before = difference()
    assert np.isfinite(train(model, rows, CosineSimilarityLoss(model), tmp_path))
    assert difference() > before + 0.05


def test_single_rows_are_encoded(test_only: Dataset) -> None:
    rows = read_all_rows(test_only)
    model = build_model(rows["cell_sentence_2"])
    vectors = model.encode(rows["cell_sentence_2"].tolist())
    assert vectors.shape == (len(rows), N_DIMS)
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(6), axis=0)) > len(rows) // 2
