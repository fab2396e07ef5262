"""Every method of the folder, with small settings and the small weights that it needs."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest

from adata_assets.embedders.contract import Embedder, embedder_names, load_embedder
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.embedders.stored import StoredCells


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredCells:
    """200 generated cells, 150 of them train."""
    return StoredCells.make(tmp_path_factory.mktemp("embedders"))


@pytest.fixture(scope="session", params=embedder_names())
def embedder(
    request: pytest.FixtureRequest, stored: StoredCells, tmp_path_factory: pytest.TempPathFactory
) -> Embedder:
    """Each method in turn; its settings come from ``small_settings`` of its own test module."""
    tests = importlib.import_module(f"adata_assets_tests.embedders.test_{request.param}")
    folder: Path = tmp_path_factory.mktemp(request.param)
    settings = tests.small_settings(stored, folder)
    return load_embedder(EmbedderSpec(name="e", method=request.param, **settings))
