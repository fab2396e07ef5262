"""Held-out caption retrieval of a tiny text model trained with our negatives and with first matches.

Run with `python -m benchmarks.train_negatives <raw.h5ad> [n_seeds [loss …]]` from the repository's root; needs the
extra `test`. The file has obs `cell_type` and gene symbols as var names. Both trainings see the
same cells, captions, seeds and steps; only the negatives differ. One cell in five is held out.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.captions.templates import render
from adata_assets.annotation.captions.wording import FACT_FIELDS
from adata_assets.rows.facts import build_fact_classes
from adata_assets.rows.negatives import cell_keys, draw_negatives
from adata_assets.text.cell_sentences import build_cell_sentences, build_vocabulary
from adata_assets_tests.promises.old_pipeline import first_match_negatives
from adata_assets_tests.promises.test_sentence_transformers import build_model

N_SLOTS, MAX_GENES = 4, 100
WAYS = ("first match", "ours")
# Triplets have a row per slot, so that both see each cell about as often.
N_EPOCHS = {"ranking": 4, "triplet": 1}


def read_cells(path: str) -> tuple[pd.DataFrame, list[str]]:
    """Facts, caption and id of every labelled cell, and its sentence."""
    adata = ad.read_h5ad(path)
    adata = adata[adata.obs["cell_type"].notna().to_numpy()].copy()
    counts = sp.csr_matrix(adata.X)
    counts.data = np.rint(counts.data).astype(np.int64)
    var = pd.DataFrame(
        {
            "gene_id": [f"{i}" for i in range(adata.n_vars)],
            "symbol": adata.var_names.astype(str),
            "feature_class": "gene",
        }
    )
    total = np.asarray(counts.sum(axis=0)).ravel().astype(np.int64)
    sentences = build_cell_sentences(counts, build_vocabulary(var, total), max_genes=MAX_GENES)
    named = [field for field in FACT_FIELDS if field in adata.obs]
    cells = adata.obs[named].astype(object)
    facts = [{k: str(v) for k, v in row.items() if pd.notna(v)} for row in cells.to_dict("records")]
    cells["facts"] = [json.dumps(one, sort_keys=True) for one in facts]
    cells["caption"] = [render("t01", one) for one in facts]
    return cells.reset_index(drop=True), sentences.to_pylist()


def draw(way: str, cells: pd.DataFrame, seed: int) -> np.ndarray:
    """Positions of the negatives, `(n_cells, N_SLOTS)`."""
    if way == "first match":
        return np.array(first_match_negatives(cells["caption"].tolist(), N_SLOTS))
    known = cells.drop(columns=["facts", "caption"])
    made = pd.Series(["made"] * len(cells))
    classes = build_fact_classes(cells["caption"], made, cells["facts"], known)
    keys = cell_keys([str(i) for i in range(len(cells))])
    return draw_negatives(classes, cell_key=keys, n_slots=N_SLOTS, seed=seed, purpose="bench")[0]


def train(way: str, loss: str, cells: pd.DataFrame, texts: list[str], seed: int) -> object:
    """The library's trainer on multiplets: odd slots captions, even ones sentences."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )

    drawn = draw(way, cells, seed)
    captions = cells["caption"].to_numpy()
    columns = {"anchor": texts, "positive": captions.tolist()}
    for i, slot in enumerate(drawn.T):
        own = captions[slot].tolist() if i % 2 == 0 else [texts[j] for j in slot]
        columns[f"negative_{i + 1}"] = own
    model = build_model([*texts, *captions], seed=seed)
    rows = Dataset.from_dict(columns)
    if loss == "triplet":
        # The loss takes three columns: each slot becomes rows of its own.
        flat = {
            "anchor": columns["anchor"] * N_SLOTS,
            "positive": columns["positive"] * N_SLOTS,
            "negative": [t for i in range(N_SLOTS) for t in columns[f"negative_{i + 1}"]],
        }
        rows = Dataset.from_dict(flat)
    objective = {
        "ranking": losses.MultipleNegativesRankingLoss,
        "triplet": losses.TripletLoss,
    }[loss](model)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=N_EPOCHS[loss],
            per_device_train_batch_size=64,
            learning_rate=0.05,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            seed=seed,
            disable_tqdm=True,
            logging_strategy="no",
        )
        SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=rows, loss=objective
        ).train()
    return model


def retrieve(model: object, cells: pd.DataFrame, texts: list[str]) -> tuple[float, float]:
    """Share of held-out cells whose own caption is the nearest: over cells, and mean of captions."""
    candidates = sorted(cells["caption"].unique())
    found, wanted = (model.encode(t, normalize_embeddings=True) for t in (texts, candidates))
    nearest = np.array(candidates)[(found @ wanted.T).argmax(axis=1)]
    is_right = pd.Series(nearest == cells["caption"].to_numpy())
    return float(is_right.mean()), float(
        is_right.groupby(cells["caption"].to_numpy()).mean().mean()
    )


def main(path: str, n_seeds: int, losses: list[str]) -> None:
    warnings.simplefilter("ignore")
    cells, texts = read_cells(path)
    print(f"{len(cells)} labelled cells, {cells['caption'].nunique()} captions, {N_SLOTS} slots")
    for loss in losses:
        scores = {way: [] for way in WAYS}
        for seed in range(n_seeds):
            is_held_out = np.random.default_rng(seed).random(len(cells)) < 0.2
            parts = [np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)]
            seen, unseen = (
                (cells.iloc[part].reset_index(drop=True), [texts[i] for i in part])
                for part in parts
            )
            for way in WAYS:
                scores[way].append(retrieve(train(way, loss, *seen, seed), *unseen))
        both = {way: np.array(values) for way, values in scores.items()}
        for k, name in enumerate(("cells", "mean of captions")):
            old, ours = both["first match"][:, k], both["ours"][:, k]
            difference = ours - old
            print(
                f"{loss}, {name}: first match {old.mean():.3f}, ours {ours.mean():.3f}; paired "
                f"difference {difference.mean():+.3f} (sd {difference.std(ddof=1):.3f}), "
                f"ours better in {int((difference > 0).sum())} of {n_seeds} seeds"
            )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5, sys.argv[3:] or [*N_EPOCHS])
