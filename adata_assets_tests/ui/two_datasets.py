"""A project of two datasets: the shipped demo, and small generated cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from adata_assets_tests.conftest import DEMO_YAML
from adata_assets_tests.datasets import make_cells, make_spec, write_cells
from adata_assets_tests.projects import attributes_of

PACKAGE = "two_datasets"
CHUNKS = ("0001-of-0002", "0002-of-0002")


def write_project(folder: Path) -> Path:
    """Write the project ``folder/project`` with ``pbmc68k`` and ``cells``; return its path.

    ``cells`` has two chunks, an embedder, an owner, and a schedule that ticks every minute.
    """
    project = folder / "project"
    for dataset_id in ("pbmc68k", "cells"):
        (project / PACKAGE / "defs" / dataset_id).mkdir(parents=True)
    (project / PACKAGE / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{PACKAGE}"\n'
        'code_location_name = "adata_assets"\n'
    )
    shutil.copy(DEMO_YAML, project / PACKAGE / "defs" / "pbmc68k" / "defs.yaml")
    spec = make_spec(
        write_cells(folder, make_cells(80)),
        chunks={"count": 2},
        splits={"train": 0.7, "test": 0.3, "validation": 0, "split_by": "cell"},
        embedders=({"name": "pca", "method": "pca", "n_dims": 5, "n_genes": 50},),
        owners=("team:cells",),
        share={"refresh_schedule": "* * * * *"},
    )
    text = yaml.safe_dump({"type": "adata_assets.AdataDataset", "attributes": attributes_of(spec)})
    (project / PACKAGE / "defs" / "cells" / "defs.yaml").write_text(text)
    return project
