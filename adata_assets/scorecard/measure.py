"""The scorecard of a dataset: all embeddings on all held-out splits, and their pictures.

Belongs here: the order of the work. Vectors of one embedding are in memory at a time, and beside
them classes and neighbours of all. What a row says is in ``rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

from adata_assets.embedders.base.draws import draw_normal
from adata_assets.scorecard.cells import (
    MAX_SAMPLE,
    MIN_EVALUATED,
    Cells,
    HeldOut,
    choose_held_out,
    draw_lowest,
    draw_stratified,
)
from adata_assets.scorecard.lines import F1, Measured, build_row
from adata_assets.scorecard.picture import draw_embedding
from adata_assets.scorecard.structure import (
    Structure,
    find_near_cells,
    measure_ilisi,
    measure_silhouette,
)
from adata_assets.scorecard.transfer import bootstrap_macro_f1, measure_macro_f1, transfer_labels
from adata_assets.scorecard.vectors import StoredEmbedding, read_vectors

PCA = "pca"
N_NOISE = 5
# What can be learnt from noise does not depend on its width.
NOISE_DIMS = 10


@dataclass(frozen=True)
class Scorecard:
    """What was measured.

    Attributes
    ----------
    table
        ``ScorecardSchema``; embeddings in the order given, splits in theirs.
    pictures
        Name of the embedding to a PNG.
    pca
        Name of the embedding that the others were compared with; None: there is none.
    """

    table: pd.DataFrame
    pictures: dict[str, bytes]
    pca: str | None


@dataclass(frozen=True)
class _Found:
    """One embedding on one split: classes told by neighbours ``(n_evaluated,)``, and the rest."""

    predicted: np.ndarray | None
    structure: Structure


def measure_embeddings(
    cells: Cells, embeddings: Sequence[StoredEmbedding], *, seed: int
) -> Scorecard:
    """Measure every embedding on every held-out split.

    Parameters
    ----------
    embeddings
        In the order of the rows; the first of method ``pca`` is what the others are compared with.
    seed
        The dataset's, for noise and bootstrap.
    """
    held_out = choose_held_out(cells)
    measured, pictures = [], {}
    for embedding in embeddings:
        found, picture = _measure_one(cells, held_out, embedding)
        measured.append(found)
        if picture is not None:
            pictures[embedding.name] = picture
    pca = next((e.name for e in embeddings if e.method == PCA), None)
    rows = [
        row
        for i, held in enumerate(held_out)
        for row in _rows_of(cells, held, embeddings, [m[i] for m in measured], pca, seed)
    ]
    order = {embedding.name: i for i, embedding in enumerate(embeddings)}
    table = pd.DataFrame(rows).sort_values(
        "embedder", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )
    return Scorecard(table, pictures, pca)


def _measure_one(
    cells: Cells, held_out: Sequence[HeldOut], embedding: StoredEmbedding
) -> tuple[list[_Found], bytes | None]:
    positions = np.unique(np.concatenate([held.positions for held in held_out]))
    vectors = read_vectors(embedding, cells.split_sizes, positions)
    shown = draw_lowest(
        np.unique(np.concatenate([held.sample for held in held_out])), cells.draw, MAX_SAMPLE
    )
    picture = None
    if len(shown):
        own = vectors[np.searchsorted(positions, shown)]
        labels, batches = cells.label[shown], cells.batch[shown]
        picture = draw_embedding(own, labels, batches, title=embedding.name)
    return [_measure_split(cells, held, vectors, positions) for held in held_out], picture


def _measure_split(
    cells: Cells, held: HeldOut, vectors: np.ndarray, positions: np.ndarray
) -> _Found:
    def of(wanted: np.ndarray) -> np.ndarray:
        return vectors[np.searchsorted(positions, wanted)]

    predicted = None
    if len(held.classes) > 1:
        predicted = transfer_labels(
            of(held.train), held.train_class, of(held.evaluated), n_classes=len(held.classes)
        )
    some = draw_stratified(
        held.evaluated_class, cells.draw[held.evaluated], MAX_SAMPLE, at_least=MIN_EVALUATED
    )
    batch, _ = pd.factorize(cells.batch[held.sample])
    structure = Structure(
        measure_silhouette(of(held.evaluated[some]), held.evaluated_class[some]),
        measure_ilisi(of(held.sample[batch >= 0]), batch[batch >= 0]),
        find_near_cells(of(held.sample)),
    )
    return _Found(predicted, structure)


def _rows_of(
    cells: Cells,
    held: HeldOut,
    embeddings: Sequence[StoredEmbedding],
    found: Sequence[_Found],
    pca: str | None,
    seed: int,
) -> list[dict[str, object]]:
    noise, of_embeddings = _compare(cells, held, [one.predicted for one in found], seed)
    measured = {
        embedding.name: Measured(f1, one.structure)
        for embedding, one, f1 in zip(embeddings, found, of_embeddings, strict=True)
    }
    return [
        build_row(
            cells,
            held,
            embedding,
            measured[embedding.name],
            noise=noise,
            pca=measured[pca] if pca else None,
        )
        for embedding in embeddings
    ]


def _compare(
    cells: Cells, held: HeldOut, of_embeddings: Sequence[np.ndarray | None], seed: int
) -> tuple[F1 | None, Sequence[F1 | None]]:
    given = [predicted for predicted in of_embeddings if predicted is not None]
    if not given:
        return None, [None] * len(of_embeddings)
    n_classes = len(held.classes)
    predicted = np.stack([*_predict_from_noise(cells, held, seed), *given])
    f1 = [measure_macro_f1(held.evaluated_class, p, n_classes=n_classes) for p in predicted]
    digest = blake2b(f"{seed}:scorecard bootstrap:{held.split}".encode(), digest_size=16).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "little"))
    drawn = bootstrap_macro_f1(held.evaluated_class, predicted, n_classes=n_classes, rng=rng)
    noise = F1(float(np.mean(f1[:N_NOISE])), drawn[:, :N_NOISE].mean(axis=1))
    return noise, [F1(f1[i], drawn[:, i]) for i in range(N_NOISE, len(predicted))]


def _predict_from_noise(cells: Cells, held: HeldOut, seed: int) -> list[np.ndarray]:
    def draw(positions: np.ndarray, i: int) -> np.ndarray:
        ids = cells.sample_ids[positions]
        drawn = draw_normal(ids, NOISE_DIMS, seed=seed, purpose=f"scorecard noise {i}")
        return drawn.astype(np.float32)

    return [
        transfer_labels(
            draw(held.train, i),
            held.train_class,
            draw(held.evaluated, i),
            n_classes=len(held.classes),
        )
        for i in range(N_NOISE)
    ]
