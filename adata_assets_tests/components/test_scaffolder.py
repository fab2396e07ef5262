"""``dg scaffold defs adata_assets.AdataDataset``: Dagster's own command writes a YAML that loads."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dagster.components.component_scaffolding import scaffold_object

from adata_assets.errors import InputError
from adata_assets.freshness import DatasetGraph
from adata_assets.project import load_project_defs
from adata_assets_tests.datasets import write_cells
from adata_assets_tests.projects import TELEMETRY_OFF
from adata_assets_tests.repository.source_code import ROOT

TYPE = "adata_assets.AdataDataset"
_numbers = itertools.count()


@pytest.fixture
def defs(tmp_path):
    """The defs folder of an empty project."""
    name = f"scaffolded{next(_numbers)}"
    folder = tmp_path / name / "defs"
    folder.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
    )
    return folder


def scaffold(folder, **params):
    """Do what ``dg scaffold defs`` does in the project's environment."""
    scaffold_object(folder, TYPE, json.dumps(params), "yaml", folder.parents[2])


def test_a_blank_yaml_says_what_to_fill_in_and_loads(defs):
    scaffold(defs / "mine")
    assert (defs / "mine" / "defs.yaml").read_text().startswith("# Fill in source and keys")
    graph = DatasetGraph(load_project_defs(defs.parents[1]), "mine")
    assert len(graph.chunk_keys) == 4


def test_a_source_is_looked_into(defs):
    path = write_cells(defs.parents[1])
    scaffold(defs / "mine", source=str(path))
    given = yaml.safe_load((defs / "mine" / "defs.yaml").read_text())["attributes"]
    # Below the project: the YAML can be moved with it.
    assert given["source"] == "../../../raw.h5ad"
    assert given["keys"] == {"cell_type": "cell_type", "group": "donor_id"}
    graph = DatasetGraph(load_project_defs(defs.parents[1]), "mine")
    assert len(graph.chunk_keys) == 3


def test_the_command_of_the_readme_writes_the_yaml(defs, tmp_path):
    [line] = re.findall(r"`dg (scaffold defs [^`]+)`", (ROOT / "README.md").read_text())
    source = write_cells(tmp_path, name="pbmc3k_raw.h5ad")
    (tmp_path / "dagster.yaml").write_text(TELEMETRY_OFF)
    ended = subprocess.run(
        [Path(sys.executable).parent / "dg", *shlex.split(line.replace("/data", str(tmp_path)))],
        cwd=tmp_path,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    given = yaml.safe_load((defs / "pbmc3k" / "defs.yaml").read_text())
    assert given["type"] == TYPE
    assert (defs / "pbmc3k" / given["attributes"]["source"]).resolve() == source


def test_what_is_there_stays(defs):
    scaffold(defs / "mine")
    before = (defs / "mine" / "defs.yaml").read_bytes()
    with pytest.raises(InputError, match="exists: correct it"):
        scaffold(defs / "mine", source="other.h5ad")
    assert (defs / "mine" / "defs.yaml").read_bytes() == before


def test_python_and_ids_that_cannot_be_are_refused(defs):
    with pytest.raises(InputError, match="leave out --format"):
        scaffold_object(defs / "mine", TYPE, None, "python", defs.parents[1])
    with pytest.raises(InputError, match="lower-case letters"):
        scaffold(defs / "Not-An-Id")
