"""``new`` at the command line: a YAML that the project loads, nothing overwritten, exit codes."""

from __future__ import annotations

import json

import anndata as ad
import yaml

from adata_assets_tests.datasets import make_cells, make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of


def project_of(tmp_path, monkeypatch):
    """A project with the dataset ``cells`` of generated cells."""
    spec = make_spec(write_cells(tmp_path), embedders=())
    return Project.make(tmp_path, monkeypatch, attributes_of(spec))


def test_a_dataset_is_added_once(tmp_path, monkeypatch):
    project = project_of(tmp_path, monkeypatch)
    result = project.run("new", "mine", "--source", str(tmp_path / "raw.h5ad"))
    assert result.exit_code == 0, result.output
    path = project.yaml.parents[1] / "mine" / "defs.yaml"
    assert f"wrote {path}" in result.stdout
    assert "proposed: format multiplets, 3 chunks" in result.stdout
    assert "  adata-assets plan mine" in result.stdout
    assert [file.name for file in path.parent.iterdir()] == ["defs.yaml"]
    before = path.read_bytes()
    assert yaml.safe_load(before)["attributes"]["keys"]["group"] == "donor_id"

    again = project.run("new", "mine", "--source", str(tmp_path / "raw.h5ad"))
    assert again.exit_code == 2
    assert f"there is a dataset 'mine' ({path})" in again.stderr
    assert path.read_bytes() == before


def test_a_file_with_problems_gets_its_yaml_and_1(tmp_path, monkeypatch):
    project = project_of(tmp_path, monkeypatch)
    bad = write_cells(tmp_path, ad.AnnData(make_cells().X), name="bad.h5ad")
    result = project.run("new", "bad", "--source", str(bad), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert "features of source file 1 are numbered" in told["problems"][0]
    assert told["attributes"]["format"] == "single"
    assert "MEND FIRST" in (project.yaml.parents[1] / "bad" / "defs.yaml").read_text()


def test_nothing_is_written_where_the_input_cannot_be_used(tmp_path, monkeypatch):
    project = project_of(tmp_path, monkeypatch)
    path = str(tmp_path / "raw.h5ad")
    wrong = {
        "no file at": ("mine", "--source", str(tmp_path / "nothing.h5ad")),
        "lower-case letters": ("Mine", "--source", path),
        "'share' is the folder of shared files": ("share", "--source", path),
        "is in no Dagster project": ("mine", "--source", path, "--project", str(tmp_path)),
    }
    for words, arguments in wrong.items():
        result = project.run("new", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    assert [folder.name for folder in project.yaml.parents[1].iterdir()] == ["cells"]


def test_a_project_that_does_not_load_is_told_apart(tmp_path, monkeypatch):
    project = project_of(tmp_path, monkeypatch)
    project.yaml.write_text(project.yaml.read_text().replace("title:", "titel:"))
    result = project.run("new", "mine", "--source", str(tmp_path / "raw.h5ad"))
    assert result.exit_code == 2
    assert "was written, but the project does not load" in result.stderr
    assert "titel" in result.stderr
