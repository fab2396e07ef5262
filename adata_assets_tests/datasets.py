"""Datasets that tests materialize for real: specs, generated cells, a whole graph in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import dagster as dg
import numpy as np
import pandas as pd
import scipy.sparse as sp
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.freshness import DatasetGraph
from adata_assets.project import with_resources
from adata_assets.resources import StorageResource
from adata_assets.runs import Outcome, materialize
from adata_assets.spec import DatasetSpec
from adata_assets.storage import Storage

CELL_TYPES = ("B cell", "T cell", "NK cell", "monocyte")


def make_spec(source: Path | str, **fields: Any) -> DatasetSpec:
    """Return a small spec; any field can be given."""
    defaults: dict[str, Any] = {
        "dataset_id": "cells",
        "title": "Generated cells",
        "source": str(source),
        "chunks": {"count": 3},
        "splits": {"train": 0.6, "validation": 0.2, "test": 0.2, "split_by": "cell"},
        "qc": {"min_genes": 5},
        "embedders": (
            {"name": "pca", "method": "pca", "n_dims": 5, "n_genes": 50},
            {"name": "hvg", "method": "hvg", "n_genes": 20},
        ),
        "sentences": {"length": 20},
        "n_top_genes": 60,
        "schedule": None,
    }
    return DatasetSpec(**{**defaults, **fields})


def make_cells(
    n_obs: int = 60, n_vars: int = 80, *, seed: int = 0, n_donors: int = 6
) -> ad.AnnData:
    """Return generated raw counts with donors, cell types and a tissue."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.6, 2.0, size=(len(CELL_TYPES), n_vars))
    types = rng.integers(0, len(CELL_TYPES), n_obs)
    counts = rng.poisson(rates[types]).astype(np.float32)
    obs = pd.DataFrame(
        {
            "donor_id": pd.Categorical([f"donor{i % n_donors}" for i in range(n_obs)]),
            "cell_type": pd.Categorical(np.array(CELL_TYPES)[types]),
            "tissue": pd.Categorical(["blood"] * n_obs),
            "score": rng.normal(size=n_obs),
        },
        index=[f"cell{i:05d}" for i in range(n_obs)],
    )
    var = pd.DataFrame(
        {"gene_ids": [f"ENSG{i:011d}" for i in range(n_vars)]},
        index=[*(f"MT-G{i}" for i in range(2)), *(f"GENE{i}" for i in range(2, n_vars))],
    )
    return ad.AnnData(sp.csr_matrix(counts), obs=obs, var=var)


def write_cells(folder: Path, adata: ad.AnnData | None = None, name: str = "raw.h5ad") -> Path:
    """Write raw cells and return the path."""
    path = folder / name
    (make_cells() if adata is None else adata).write_h5ad(path)
    return path


@dataclass
class Dataset:
    """One dataset in a folder, with an instance of its own."""

    spec: DatasetSpec
    graph: DatasetGraph
    storage: Storage
    instance: dg.DagsterInstance

    @classmethod
    def make(
        cls,
        spec: DatasetSpec,
        root: Path,
        instance: dg.DagsterInstance | None = None,
        *,
        folder: Path | None = None,
    ) -> Dataset:
        """Build the graph of a spec over a storage root; ``folder`` is the YAML's."""
        scratch = root / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        resource = StorageResource(root=str(root / "storage"), scratch=str(scratch))
        defs = with_resources(build_dataset_defs(spec, folder=folder, n_raw=None), resource)
        storage = Storage(UPath(root / "storage"), scratch)
        graph = DatasetGraph(defs, spec.dataset_id)
        if instance is None:
            instance = dg.DagsterInstance.ephemeral(tempdir=str(scratch.parent / "instance"))
        return cls(spec, graph, storage, instance)

    def materialize(self, **options: Any) -> list[Outcome]:
        """Bring it up to date."""
        return materialize(self.graph, self.storage, self.instance, **options)

    def succeed(self, **options: Any) -> Dataset:
        """Bring it up to date and require that nothing failed."""
        errors = [error for outcome in self.materialize(**options) for error in outcome.errors]
        assert not errors, errors
        return self

    def fail(self, **options: Any) -> str:
        """Bring it up to date and return the errors, of which there must be some."""
        errors = [error for outcome in self.materialize(**options) for error in outcome.errors]
        assert errors
        return "\n".join(errors)

    def load(self, stage: str, partition_key: str | None = None) -> Artefact:
        """Return a stored artefact."""
        return self.storage.load(self.spec.dataset_id, stage, partition_key)

    @property
    def published(self) -> Path:
        """The folder that load_dataset opens."""
        return Path(self.storage.root.path) / self.spec.dataset_id / "hf_splits"
