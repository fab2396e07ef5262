"""YAMLs, storage roots and disks that cannot be used, through the command: message and exit status.

0 done, 1 something failed to materialize, 2 the input cannot be used. Nothing is left behind.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import dagster as dg
import pytest
from upath import UPath

from adata_assets.components.adata_dataset import AdataDataset
from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.errors import InputError
from adata_assets.project import with_resources
from adata_assets.resources import StorageResource
from adata_assets.runs import Run, execute
from adata_assets.storage import Storage
from adata_assets_tests.datasets import make_cells, make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of, footprint

# Raised by Dagster's own code about itself.
pytestmark = pytest.mark.filterwarnings("ignore:.parse_obj_as. is deprecated")

NOBODY = 65534
LIGHT = {"format": "single", "embedders": (), "chunks": {"count": 2}}
TWO_SPLITS = {"train": 0.5, "validation": 0, "test": 0.5, "split_by": "cell"}


@pytest.fixture
def make_project(tmp_path, monkeypatch):
    """Write a project over generated cells; YAML fields can be replaced."""

    def make(**fields: object) -> Project:
        spec = make_spec(write_cells(tmp_path), splits=TWO_SPLITS, **LIGHT)
        return Project.make(tmp_path, monkeypatch, attributes_of(spec, **fields))

    return make


def require_nothing(project: Project) -> None:
    """Require that neither storage nor scratch holds anything."""
    assert not footprint(project.storage, project.scratch)


def test_statuses_of_the_command(make_project, tmp_path):
    """0 when done and when there is nothing to do, 1 for a failed asset, 2 for no such dataset."""
    project = make_project()
    done = project.run("materialize", "cells")
    assert done.exit_code == 0, done.output
    assert "nothing to do" in project.run("materialize", "cells").stdout
    kept = footprint(project.storage, project.scratch)
    adata = make_cells()
    adata.X = adata.X.multiply(0.37).tocsr()
    write_cells(tmp_path, adata)
    failed = project.run("materialize", "cells")
    assert failed.exit_code == 1
    assert "failed: cells/annotated_obs: " in failed.stderr
    assert "raw.h5ad holds no raw counts" in failed.stderr
    after = footprint(project.storage, project.scratch)
    changed = {place for place in kept.keys() | after.keys() if kept.get(place) != after.get(place)}
    assert all(place.startswith("storage/cells/raw_h5ad") for place in changed)
    unknown = project.run("materialize", "cell")
    assert (unknown.exit_code, unknown.stderr) == (
        2,
        "error: no dataset 'cell'; there are: cells\n",
    )
    forced = project.run("materialize", "cells", "--force", "hf_split")
    assert forced.exit_code == 2
    assert "no stages ['hf_split']; there are ['raw_h5ad'" in forced.stderr


PCA = {"name": "pca", "method": "pca"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": "red"}, ("unknown keys ['colour']", "allowed: title, ")),
        ({"qc": {"min_gene": 5}}, ("attributes.qc", "['min_gene']", "allowed: min_genes, ")),
        ({"format": "triplets"}, ("format", "'single'", "'pairs'", "'multiplets'", "triplets")),
        ({"seed": -1}, ("seed", "greater than or equal to 0")),
        ({"chunks": {"count": 1}}, ("chunks.count is 1", "2 splits (train, test)", "at least 2")),
        ({"chunks": {"count": 2, "size": 9}}, ("chunks", "exactly one of count and size")),
        ({"splits": {"train": 0.5}}, ("splits", "must be 1, found 0.7")),
        ({"embedders": [{**PCA, "method": "pcb"}]}, ("'pca'", "'pcb'", "'hvg', 'noise', 'pca', ")),
        ({"embedders": [{**PCA, "n_dim": 5}]}, ("n_dim", "['n_dims', 'n_genes']")),
        ({"embedders": [{**PCA, "n_dims": 0}]}, ("n_dims", "found 0")),
        ({"embedders": [PCA, PCA]}, ("embedders share a name: ['pca']",)),
        ({"share": {"store": "ftp"}}, ("share store 'ftp'", "use one of hf, local, nextcloud, s3")),
        ({"share": {"store": "local", "url": "x"}}, ("'url'", "allowed settings: base_url")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_yamls_are_refused_at_load(make_project, fields, words):
    """The message names the file, the field and what is allowed."""
    project = make_project(**fields)
    for command in ("plan", "materialize"):
        refused = project.run(command, "cells")
        assert refused.exit_code == 2, refused.output
        assert str(project.yaml) in refused.stderr
        for word in words:
            assert word in refused.stderr
    require_nothing(project)


def test_a_yaml_without_its_title_is_refused(make_project):
    project = make_project()
    kept = [line for line in project.yaml.read_text().splitlines(True) if "title:" not in line]
    project.yaml.write_text("".join(kept))
    refused = project.run("plan", "cells")
    assert refused.exit_code == 2
    assert str(project.yaml) in refused.stderr
    assert "title" in refused.stderr


def test_more_chunks_than_cells(make_project):
    project = make_project(chunks={"count": 61})
    for command in ("plan", "materialize"):
        refused = project.run(command, "cells")
        assert refused.exit_code == 2
        assert "61 chunks cannot hold 60 cells in 2 splits" in refused.stderr
        assert "set chunks.count between 2 and 60" in refused.stderr
    require_nothing(project)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no file at"), (b"text", "is not HDF5"), (b"\x89HDF\r\n\x1a\n", "is truncated")],
    ids=["gone", "text", "truncated"],
)
def test_a_source_that_cannot_be_read(make_project, tmp_path, content, words):
    project = make_project()
    source = tmp_path / "raw.h5ad"
    source.unlink()
    if content is not None:
        source.write_bytes(content)
    for command in ("plan", "materialize"):
        refused = project.run(command, "cells")
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert str(source) in refused.stderr
    require_nothing(project)


DATABASE = """
storage:
  postgres:
    postgres_db:
      {scheme: postgresql+psycopg2, hostname: %s, port: 1, db_name: d, username: u, password: p}
"""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("telemetry: [", "found '<stream end>'"),
        ("nonsense: 1", 'config entry "nonsense"'),
        (DATABASE % "{env: NO_SUCH_HOST}", '"NO_SUCH_HOST" which is not set'),
        (DATABASE % "127.0.0.1", "Connection refused"),
    ],
)
def test_an_instance_that_does_not_open(make_project, monkeypatch, settings, words):
    """Its file and the trouble are named; what Dagster tries again is tried without waiting."""
    project = make_project()
    file = Path(os.environ["DAGSTER_HOME"]) / "dagster.yaml"
    file.write_text(settings)
    monkeypatch.setattr("dagster_postgres.utils.time.sleep", lambda seconds: None)
    refused = project.run("materialize", "cells")
    assert refused.exit_code == 2
    assert f"error: {file}: Dagster cannot open this instance" in refused.stderr
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    require_nothing(project)


def test_the_local_store_refuses_an_object_store_before_anything(make_project, monkeypatch):
    project = make_project()
    monkeypatch.setenv("ADATA_ASSETS_STORAGE", "s3://bucket/prefix")
    refused = project.run("materialize", "cells")
    assert refused.exit_code == 2
    for word in (
        "share store 'local' needs a folder",
        "s3://bucket/prefix",
        "ADATA_ASSETS_STORAGE",
    ):
        assert word in refused.stderr
    require_nothing(project)


def test_a_run_from_the_ui_refuses_it_first_too(tmp_path):
    spec = make_spec(write_cells(tmp_path))
    resource = StorageResource(root="s3://bucket/prefix", scratch=str(tmp_path / "scratch"))
    defs = with_resources(build_dataset_defs(spec), resource)
    with dg.DagsterInstance.ephemeral() as instance:
        outcome = execute(defs, instance, Run("cells", ("raw_h5ad",)))
    assert "share store 'local' needs a folder" in outcome.errors[0]
    assert not footprint(tmp_path / "scratch")


def test_a_file_stands_where_the_storage_root_shall_be(make_project):
    project = make_project()
    project.storage.write_text("mine")
    failed = project.run("materialize", "cells")
    assert failed.exit_code == 1
    assert f"cannot write to {project.storage}" in failed.stderr
    assert "set ADATA_ASSETS_STORAGE" in failed.stderr
    assert project.storage.read_text() == "mine"
    assert not footprint(project.scratch)


def test_a_storage_root_of_another_user(tmp_path):
    root = tmp_path / "storage"
    root.mkdir()
    root.chmod(0o555)
    storage = Storage(UPath(root), tmp_path)
    # Root may write anywhere; only the effective user decides, and it can be taken back.
    user = os.geteuid()
    tmp_path.chmod(0o755)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with (
            pytest.raises(InputError, match=r"cannot write to .*set ADATA_ASSETS_STORAGE"),
            storage.draft("cells", "raw_h5ad", code_version="1"),
        ):
            pass
    finally:
        os.seteuid(user)
    assert not footprint(root)


@pytest.mark.parametrize("variable", ["ADATA_ASSETS_STORAGE", "ADATA_ASSETS_SCRATCH"])
def test_a_disk_that_is_too_small(make_project, monkeypatch, variable):
    project = make_project()
    small = project.scratch if variable.endswith("SCRATCH") else project.storage
    usage = namedtuple("usage", "total used free")
    plenty, nothing = usage(10**15, 0, 10**15), usage(10**6, 10**6, 0)
    existing = small if small.exists() else small.parent
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: nothing if Path(path) == existing else plenty
    )
    refused = project.run("materialize", "cells")
    assert refused.exit_code == 2
    for word in ("cells: ", str(small), "0.0 MB free", "MB are needed", f"set {variable}"):
        assert word in refused.stderr
    assert project.run("plan", "cells").exit_code == 0
    require_nothing(project)


def test_a_known_number_of_cells_needs_no_source(tmp_path):
    """Partition keys come from the stored state while the source is out of reach."""
    spec = make_spec(tmp_path / "gone.h5ad", chunks={"size": 30})
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"n_raw": 60}))
    component = AdataDataset(spec, tmp_path)
    defs = component.build_defs_from_state(None, state)
    chunks = next(iter(defs.get_assets_def(["cells", "chunk_files"]).specs)).partitions_def
    assert len(chunks.get_partition_keys()) == 4
    with pytest.raises(InputError, match=r"defs.yaml: .*no file at"):
        component.build_defs_from_state(None, None)
