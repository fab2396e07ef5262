"""The definitions: what loads, what it costs, and that the graph did not change silently."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from adata_assets.freshness import DatasetGraph
from adata_assets.project import load_project_defs
from adata_assets_tests.repository.asset_graph import RENEW, SNAPSHOT, snapshot
from adata_assets_tests.repository.source_code import PACKAGE, ROOT

MAX_IMPORT_CPU_S = 2.5
HEAVY = {"scanpy", "torch", "scvi", "datasets", "transformers"}
DATASETS = sorted(path.parent.name for path in PACKAGE.glob("defs/*/defs.yaml"))
IMPORT = """
import json, resource, sys
import adata_assets.definitions as definitions
used = resource.getrusage(resource.RUSAGE_SELF)
imported = sorted(sys.modules)
definitions.defs().resolve_asset_graph()
print(json.dumps([used.ru_utime + used.ru_stime, imported, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def all_defs():
    """The definitions of the shipped datasets, read once."""
    return load_project_defs(PACKAGE)


@pytest.mark.parametrize("dataset_id", DATASETS)
def test_every_yaml_loads(all_defs, dataset_id):
    graph = DatasetGraph(all_defs, dataset_id)
    assert dataset_id in graph.dataset_ids()
    assert graph.spec.dataset_id == dataset_id
    assert graph.stages[0] == "raw_h5ad"
    assert graph.stages[-1] == "hf_splits"
    assert graph.chunk_keys


def test_every_asset_says_what_it_is_and_where_its_code_is(all_defs):
    graph = all_defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        what, _, on_failure = (node.description or "").partition("**When it fails:** ")
        assert len(what) > 20, key
        assert len(on_failure) > 20, key
        assert node.kinds, key
        assert node.tags["stage"] in key.path, key
        assert node.group_name == key.path[0]
        files = node.metadata["dagster/code_references"].code_references
        assert any("/assets/" in one.file_path for one in files), key
        assert any(one.file_path.endswith("defs.yaml") for one in files), key


def test_the_asset_graph_is_the_committed_one():
    assert snapshot() == SNAPSHOT.read_text(), f"the graph changed; renew: {RENEW}"


def test_importing_costs_little_and_loads_nothing_heavy():
    ended = run([sys.executable, "-W", "ignore", "-c", IMPORT])
    cpu_s, imported, built = json.loads(ended.stdout.splitlines()[-1])
    assert cpu_s < MAX_IMPORT_CPU_S
    assert not HEAVY & set(imported)
    assert not HEAVY & set(built)


@pytest.mark.parametrize(
    "command",
    [["dagster", "definitions", "validate", "-w", "workspace.yaml"], ["dg", "check", "defs"]],
    ids=" ".join,
)
def test_dagster_accepts_the_definitions(command, tmp_path):
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    ended = run(command, DAGSTER_HOME=str(tmp_path))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in the repository's root."""
    scripts = os.path.dirname(sys.executable)
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
