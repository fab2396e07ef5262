"""``inspect`` at the command line: words, JSON and exit codes."""

from __future__ import annotations

import json

import anndata as ad
from click.testing import CliRunner

from adata_assets.cli import main
from adata_assets_tests.datasets import make_cells, write_cells


def run(*arguments: object):
    """Run the command; stdout alone is what scripts read."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_file_is_told_as_a_table(tmp_path):
    result = run("inspect", write_cells(tmp_path))
    assert result.exit_code == 0, result.output
    assert "60 cells × 80 features" in result.stdout
    assert "counts: X, whole numbers (the first 60 cells were looked at)" in result.stdout
    [line] = [line for line in result.stdout.splitlines() if line.startswith(" donor_id")]
    assert line.split()[1:4] == ["category", "6", "0"]
    assert line.endswith("donor")


def test_a_file_is_told_as_json(tmp_path):
    result = run("inspect", write_cells(tmp_path), "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["roles"]["cell_type"] == "cell_type"
    assert told["problems"] == []


def test_a_problem_ends_with_1_and_is_named(tmp_path):
    path = write_cells(tmp_path, ad.AnnData(make_cells().X))
    result = run("inspect", path)
    assert result.exit_code == 1
    assert "problem: the features of source file 1 are numbered" in result.stdout


def test_what_is_no_file_ends_with_2(tmp_path):
    result = run("inspect", tmp_path / "nothing.h5ad")
    assert result.exit_code == 2
    assert "no file at" in result.stderr
    (tmp_path / "text.h5ad").write_text("cell,gene\n")
    result = run("inspect", tmp_path / "text.h5ad", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not HDF5" in result.stderr
