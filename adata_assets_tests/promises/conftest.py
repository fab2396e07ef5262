"""Datasets that several tests of promises read; who changes one takes a copy (``copy_of``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adata_assets_tests.datasets import Dataset, write_cells
from adata_assets_tests.promises.families import MIXED, donor_cells, donor_spec, make

CONFIGS = (
    {"name": "short", "length": 5},
    {"name": "ratio", "rank_by": "counts_over_median", "gene_set": "hvg"},
    {"name": "author", "caption": "author"},
)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw file of generated cells."""
    return write_cells(tmp_path_factory.mktemp("source"), donor_cells())


@pytest.fixture(scope="session")
def donors(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Multiplets of several donors in three chunks, some of the negatives hard."""
    return make(donor_spec(source, negatives=MIXED), tmp_path_factory.mktemp("donors"))


@pytest.fixture(scope="session")
def donors_in_five(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same dataset in five chunks, in a root of its own."""
    spec = donor_spec(source, chunks={"count": 5}, negatives=MIXED)
    return make(spec, tmp_path_factory.mktemp("five"))


@pytest.fixture(scope="session")
def pairs(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Pairs with a train and a validation split, in two chunks, without embeddings."""
    spec = donor_spec(
        source,
        dataset_id="pairs",
        format="pairs",
        chunks={"count": 2},
        splits={"train": 0.75, "validation": 0.25, "test": 0, "split_by": "group"},
        embedders=(),
    )
    return make(spec, tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="session")
def test_only(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Single rows with nothing but a test split, in two chunks."""
    spec = donor_spec(
        source,
        dataset_id="exam",
        format="single",
        chunks={"count": 2},
        splits={"train": 0, "validation": 0, "test": 1},
        embedders=(),
    )
    return make(spec, tmp_path_factory.mktemp("exam"))


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Multiplets with texts as negatives, three further configs, columns that stay at home."""
    root, adata = tmp_path_factory.mktemp("varied"), donor_cells()
    types = adata.obs["cell_type"].astype(object)
    adata.obs["author"] = [
        None if i % 5 == 0 else f"Free words on {name}." for i, name in enumerate(types)
    ]
    adata.obs["flag"] = np.arange(adata.n_obs) % 2 == 0
    adata.obs["secret"] = [f"s{i}" for i in range(adata.n_obs)]
    spec = donor_spec(
        write_cells(root, adata),
        embedders=(),
        chunks={"count": 4},
        keys={"batch": "secret", "group": "donor_id"},
        drop_obs=("secret", "donor_id"),
        negatives={"form": "text"},
        negatives_per_sample=3,
        max_cells_per_label=15,
        configs=CONFIGS,
    )
    return make(spec, root)
