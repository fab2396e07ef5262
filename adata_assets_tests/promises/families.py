"""Generated cells of several donors, datasets made of them, and copies that tests may change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import anndata as ad
import dagster as dg
import numpy as np
import pandas as pd

from adata_assets.freshness import DATA_VERSION_TAG
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset, make_cells, make_spec

N_DONORS = 8
# Negatives of two kinds in the same rows.
HARD_SHARE = 0.3
MIXED = {"hard_share": HARD_SHARE, "hard_by": "pca"}
BY_GROUP = {"train": 0.6, "validation": 0.2, "test": 0.2, "split_by": "group"}


def donor_cells(n_obs: int = 240, n_vars: int = 100) -> ad.AnnData:
    """Return cells of donors of unequal size: some without a cell type, some nearly empty.

    Two obs columns have names that the pipeline uses for columns of its own.
    """
    adata = make_cells(n_obs, n_vars, seed=3)
    rng = np.random.default_rng(11)
    share = np.arange(1, N_DONORS + 1) / np.arange(1, N_DONORS + 1).sum()
    donors = rng.choice(N_DONORS, n_obs, p=share)
    adata.obs["donor_id"] = pd.Categorical([f"donor{i}" for i in donors])
    types = adata.obs["cell_type"].astype(object)
    types[rng.random(n_obs) < 0.15] = np.nan
    adata.obs["cell_type"] = pd.Categorical(types)
    adata.obs["split"] = pd.Categorical(np.where(rng.random(n_obs) < 0.5, "left", "right"))
    adata.obs["caption_id"] = rng.integers(0, 9, n_obs)
    counts = adata.X.tolil()
    for row in range(0, n_obs, 40):
        counts[row, 3:] = 0
    adata.X = counts.tocsr()
    return adata


def donor_spec(source: Path, **fields: Any) -> DatasetSpec:
    """Return the spec of ``donor_cells``: multiplets, whole donors."""
    # Stated, so that the links do not depend on where another test serves its own.
    share = {"store": "local", "base_url": "http://127.0.0.1:8765"}
    given = {"splits": BY_GROUP, "license": "cc-by-4.0", "share": share, **fields}
    return make_spec(source, **given)


def make(spec: DatasetSpec, root: Path) -> Dataset:
    """Materialize a dataset."""
    return Dataset.make(spec, root).succeed()


def copy_of(dataset: Dataset, root: Path, **fields: Any) -> Dataset:
    """Return a dataset with all that another one stored and recorded; fields of its spec changed."""
    original = Path(dataset.storage.root.path).parent
    shutil.copytree(original, root, symlinks=True, dirs_exist_ok=True)
    copy = Dataset.make(DatasetSpec(**{**dataset.spec.model_dump(), **fields}), root)
    for node in dataset.graph.nodes():
        version = dataset.load(node.stage, node.partition_key).data_version
        key, tags = dataset.graph.key_of(node.stage), {DATA_VERSION_TAG: version}
        event = dg.AssetMaterialization(asset_key=key, partition=node.partition_key, tags=tags)
        copy.instance.report_runless_asset_event(event)
    return copy
