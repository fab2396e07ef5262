"""The whole graph on generated cells: what runs, what is left alone, what fails loudly."""

from __future__ import annotations

from adata_assets_tests.datasets import Dataset, make_spec, write_cells


def test_everything_runs_once_and_then_nothing(tmp_path):
    dataset = Dataset.make(make_spec(write_cells(tmp_path)), tmp_path)
    outcomes = dataset.succeed().graph.chunk_keys
    assert outcomes == ["0001-of-0003", "0002-of-0003", "0003-of-0003"]
    assert dataset.materialize() == []
    assert (dataset.published / "README.md").is_file()
