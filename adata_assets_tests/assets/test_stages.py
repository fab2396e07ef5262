"""What the UI shows of every stage before it is made."""

from __future__ import annotations

import dagster as dg
import pytest

from adata_assets_tests.datasets import Dataset, make_spec

PUBLISH = {
    "publish": {"repo_id": "lab/cells"},
    "license": "cc-by-4.0",
    "share": {"store": "local", "base_url": "https://cells.example.org"},
}
# Raw files, counts (a matrix without names) and models are no tables.
WITHOUT_COLUMNS = {"source", "raw_h5ad", "counts", "models"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """All stages that a dataset can have."""
    spec = make_spec("x.h5ad", owners=("team:cells", "someone@lab.org"), **PUBLISH)
    return Dataset.make(spec, tmp_path_factory.mktemp("all")).graph.defs.resolve_asset_graph()


def test_the_owners_of_a_dataset_own_every_asset(graph):
    for key in graph.get_all_asset_keys():
        assert list(graph.get(key).owners) == ["team:cells", "someone@lab.org"], key


def test_all_that_holds_a_table_states_its_columns(graph):
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    without = {n.tags["stage"] for n in nodes if "dagster/column_schema" not in n.metadata}
    assert without == WITHOUT_COLUMNS
    rows, released = (
        graph.get(dg.AssetKey(["cells", stage])).metadata["dagster/column_schema"]
        for stage in ("hf_splits", "hf_release")
    )
    assert rows == released
