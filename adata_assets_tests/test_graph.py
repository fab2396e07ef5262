"""The whole graph on generated cells: what runs, what is left alone, what fails loudly."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from adata_assets.assets.shown import MAX_OTHER_BYTES, MAX_PICTURE_BYTES
from adata_assets.freshness import Node, find_stale
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells

PICTURES = {
    "annotated_obs": {"picture_quality", "picture_splits"},
    "ledger": {"picture_outcomes"},
    "embeddings": {"picture_two_components"},
    "embedding_scorecard": {"picture_pca", "picture_hvg"},
    "cell_texts": {"picture_lengths"},
    "hf_splits": {"picture_chunks", "picture_negative_usage"},
}
PATHS = {
    "counts": ["counts.zarr"],
    "chunk_files": ["chunk.h5ad", "chunk.zarr.zip"],
    "hf_splits": [
        *("README.md", "croissant.json", "manifest.json"),
        *(f"cells/{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")),
        *(f"data/{split}-00000-of-00001.parquet" for split in ("test", "train")),
    ],
}
KEYS = ["0001-of-0003", "0002-of-0003", "0003-of-0003"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("graph")


@pytest.fixture(scope="module")
def dataset(folder):
    return Dataset.make(make_spec(write_cells(folder)), folder).succeed()


def renewed(dataset, folder, **fields):
    """The same dataset after an edit of its YAML."""
    spec = make_spec(folder / "raw.h5ad", **fields)
    return Dataset.make(spec, folder, dataset.instance)


def ran(outcomes):
    return {
        (outcome.run.partition_key, stage) for outcome in outcomes for stage in outcome.run.stages
    }


def test_a_second_time_nothing_runs(dataset):
    assert dataset.graph.chunk_keys == KEYS
    assert dataset.materialize() == []
    assert (dataset.published / "README.md").is_file()


def metadata_of(dataset, node):
    """What the UI shows of a materialization."""
    records = dataset.instance.fetch_materializations(dataset.graph.key_of(node.stage), limit=10)
    shown = next(r for r in records.records if r.partition_key == node.partition_key)
    return shown.asset_materialization.metadata


def test_every_materialization_is_small_and_shows_its_table(dataset):
    graph = dataset.graph.defs.resolve_asset_graph()
    for node in dataset.graph.nodes():
        key, artefact = (
            dataset.graph.key_of(node.stage),
            dataset.load(node.stage, node.partition_key),
        )
        metadata = metadata_of(dataset, node)
        pictures = {name for name in metadata if name.startswith("picture_")}
        others = [dg.serialize_value(v) for name, v in metadata.items() if name not in pictures]
        assert sum(map(len, others)) <= MAX_OTHER_BYTES, node
        assert all(len(metadata[name].value) <= MAX_PICTURE_BYTES for name in pictures), node
        assert pictures == PICTURES.get(node.stage.split("/")[0], set()), node
        assert metadata["n_bytes"].value == sum(one["n_bytes"] for one in artefact.files.values())
        if any(name.endswith(".parquet") for name in artefact.files):
            kind = "partition_row_count" if node.partition_key else "row_count"
            assert isinstance(metadata[f"dagster/{kind}"].value, int), node
            assert "preview" in metadata, node
            columns = graph.get(key).metadata["dagster/column_schema"].columns
            assert all(column.description for column in columns), node


def test_the_raw_cells_are_counted_and_their_file_is_found(dataset, folder):
    raw, ledger = (metadata_of(dataset, Node(stage)) for stage in ("raw_h5ad", "ledger"))
    assert raw["n_raw"].value == ledger["n_raw"].value == 60
    assert raw["path of raw"].value == str(folder / "raw.h5ad")


@pytest.mark.parametrize("stage", PATHS)
def test_files_are_found_by_their_paths(dataset, stage):
    node = next(node for node in dataset.graph.nodes() if node.stage == stage)
    metadata, artefact = metadata_of(dataset, node), dataset.load(stage, node.partition_key)
    found = {name: shown.value for name, shown in metadata.items() if name.startswith("path of ")}
    assert found == {f"path of {name}": str(artefact.folder / name) for name in PATHS[stage]}
    assert all(os.path.exists(path) for path in found.values())
    if stage == "hf_splits":
        assert metadata["other paths"].value == f"There are {len(artefact.files) - 8} more files."


def test_a_touched_source_runs_nothing(dataset, folder):
    os.utime(folder / "raw.h5ad")
    assert dataset.materialize() == []


def test_what_another_run_is_about_to_check_is_stale_and_not_failed(dataset):
    key, job = (
        dataset.graph.key_of("hf_splits"),
        dataset.graph.defs.resolve_implicit_global_asset_job_def(),
    )
    begun = dataset.instance.create_run_for_job(
        job.get_subset(asset_selection={key}),
        asset_selection={key},
        status=dg.DagsterRunStatus.STARTING,
    )
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    dataset.instance.delete_run(begun.run_id)
    [reason] = stale.values()
    assert reason.startswith("stale: check ")
    assert reason.endswith(" has no result yet")
    assert ran(dataset.materialize()) == {(None, "hf_splits")}


def test_a_forced_stage_runs_alone_when_its_bytes_are_the_same(dataset):
    outcomes = dataset.materialize(forced={"gene_stats"})
    assert ran(outcomes) == {(None, "gene_stats")}


def test_only_what_reads_a_setting_runs_again(dataset, folder):
    edited = renewed(dataset, folder, sentences={"length": 19})
    texts = {(key, "cell_texts") for key in KEYS}
    assert ran(edited.materialize()) == texts | {(None, "hf_splits")}
    assert edited.materialize() == []
    dataset.succeed()


def test_a_chunk_that_lost_its_files_is_mended_alone(dataset):
    lost = dataset.load("cell_texts", KEYS[1])
    for file in lost.files:
        lost.local(file).unlink()
    lost.local_folder.rmdir()
    outcomes = dataset.materialize()
    assert ran(outcomes) == {(KEYS[1], "cell_texts")}
    assert dataset.load("cell_texts", KEYS[1]).data_version == lost.data_version


def test_a_new_instance_over_old_storage_is_not_called_fresh(dataset, folder):
    other = Dataset.make(dataset.spec, folder)
    reasons = set(find_stale(other.graph, other.storage, other.instance).values())
    assert reasons == {"not recorded in this Dagster instance"}


def test_a_changed_source_runs_every_stage_once(folder):
    path = write_cells(folder, make_cells(50, seed=1), "other.h5ad")
    changing = Dataset.make(make_spec(path, dataset_id="changing"), folder).succeed()
    write_cells(folder, make_cells(56, seed=2), "other.h5ad")
    outcomes = changing.materialize()
    nodes = [(o.run.partition_key, stage) for o in outcomes for stage in o.run.stages]
    assert len(nodes) == len(set(nodes)) == len(list(changing.graph.nodes()))
    assert not any(outcome.errors for outcome in outcomes)
    assert changing.materialize() == []
