"""Vectors of a split for hard negatives: from chunks of any number, by the cells that they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from adata_assets.errors import InputError
from adata_assets.hub.split_vectors import open_split_vectors
from adata_assets.rows.nearest import unit_vectors
from adata_assets.splitting.chunks import deal_chunks
from adata_assets_tests.scorecard.stored import SIZES, make_cells, signal_of, store

CELLS = make_cells()
VECTORS = signal_of(CELLS)
N_TRAIN = SIZES["train"]
IDS = pa.array(CELLS.sample_ids[:N_TRAIN].tolist())


def read_train(folder: Path, n_chunks: int, ids: pa.Array = IDS) -> np.ndarray:
    place = folder / str(n_chunks)
    place.mkdir()
    embedding = store(place, CELLS, VECTORS, "pca", n_chunks=n_chunks).chunks
    chunks = [chunk for chunk in deal_chunks(SIZES, n_chunks) if chunk.split == "train"]
    with open_split_vectors(embedding, chunks, ids, scratch=folder) as found:
        assert list(folder.glob("vectors-*"))
        return np.array(found)


def test_vectors_are_those_of_the_split_for_any_number_of_chunks(tmp_path: Path) -> None:
    expected = unit_vectors(VECTORS[:N_TRAIN])
    for n_chunks in (3, 9):
        assert (read_train(tmp_path, n_chunks) == expected).all()
    assert not list(tmp_path.glob("vectors-*"))


def test_vectors_of_other_cells_are_refused(tmp_path: Path) -> None:
    turned = IDS.take(pa.array(np.arange(N_TRAIN)[::-1]))
    with pytest.raises(InputError, match=r"pca@0001-of-0003 .* materialize the embedding again"):
        read_train(tmp_path, 3, turned)
    assert not list(tmp_path.glob("vectors-*"))
