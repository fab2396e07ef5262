"""A project of YAMLs becomes datasets; the number of chunks follows the source when asked to."""

from __future__ import annotations

import itertools

import pytest

from adata_assets.errors import InputError
from adata_assets.freshness import DatasetGraph
from adata_assets.project import load_project_defs, refresh_state
from adata_assets_tests.datasets import make_cells, write_cells

_numbers = itertools.count()

YAML = """\
type: adata_assets.AdataDataset
attributes:
  title: Cells of a project
  source: ../../../raw.h5ad
  format: single
  splits: {train: 1, validation: 0, test: 0}
  chunks: {size: 25}
"""


@pytest.fixture
def project(tmp_path):
    """A Dagster project with one dataset; modules are imported once, so each has its own name."""
    name = f"project{next(_numbers)}"
    defs = tmp_path / name / "defs" / "mine"
    defs.mkdir(parents=True)
    for folder in (defs.parents[1], defs.parent):
        (folder / "__init__.py").touch()
    (defs / "defs.yaml").write_text(YAML)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
    )
    write_cells(tmp_path, make_cells(60))
    return tmp_path


def chunk_keys(project):
    return DatasetGraph(load_project_defs(project), "mine").chunk_keys


def test_a_yaml_becomes_a_dataset_whose_id_is_its_folder(project):
    graph = DatasetGraph(load_project_defs(project), "mine")
    assert graph.spec.title == "Cells of a project"
    assert graph.sources["raw"].look().details["path"] == str(project / "raw.h5ad")
    assert graph.dataset_ids() == ["mine"]


def test_chunks_follow_the_source_when_it_is_looked_at(project):
    refresh_state(project, "mine")
    assert len(chunk_keys(project)) == 3
    write_cells(project, make_cells(110))
    assert len(chunk_keys(project)) == 3
    refresh_state(project, "mine")
    assert len(chunk_keys(project)) == 5


def test_an_unreachable_source_keeps_the_last_state(project):
    refresh_state(project, "mine")
    (project / "raw.h5ad").unlink()
    refresh_state(project, "mine")
    assert len(chunk_keys(project)) == 3


def test_a_source_that_was_never_seen_is_an_error(project):
    (project / "raw.h5ad").unlink()
    with pytest.raises(InputError, match="no file at"):
        refresh_state(project, "mine")
