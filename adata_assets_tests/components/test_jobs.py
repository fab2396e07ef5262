"""Jobs by name: what each of them makes, and that none would run the head once for every chunk."""

from __future__ import annotations

import pytest

from adata_assets.freshness import DatasetGraph
from adata_assets_tests.datasets import Dataset, make_spec

ONCE = {"raw_h5ad", "annotated_obs", "ledger", "counts", "gene_stats", "leakage"}
MODELS = {"models/pca", "models/hvg"}
EMBEDDINGS = {"embeddings/pca", "embeddings/hvg"}
PER_CHUNK = {"cell_texts", "chunk_files", "share_links"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> DatasetGraph:
    """A dataset that is published."""
    fields = {"publish": {"repo_id": "lab/cells"}, "license": "cc-by-4.0"}
    return Dataset.make(make_spec("x.h5ad", **fields), tmp_path_factory.mktemp("jobs")).graph


def made_by(graph: DatasetGraph, job: str) -> set[str]:
    layer = graph.defs.resolve_job_def(job).asset_layer
    return {"/".join(key.path[1:]) for key in layer.selected_asset_keys}


@pytest.mark.parametrize(
    ("job", "stages"),
    [
        ("refresh_cells", ONCE | MODELS),
        ("models_cells", MODELS),
        ("embeddings_cells", EMBEDDINGS),
        ("chunks_cells", EMBEDDINGS | PER_CHUNK),
        ("release_cells", {"embedding_scorecard", "hf_splits", "hf_release"}),
        ("observe_source_cells", {"source"}),
    ],
)
def test_a_job_makes_what_its_name_says(graph, job, stages):
    assert made_by(graph, job) == stages


def test_refresh_chunks_and_release_together_make_everything(graph):
    jobs = ("refresh_cells", "chunks_cells", "release_cells")
    made = [stage for job in jobs for stage in sorted(made_by(graph, job))]
    assert sorted(made) == sorted(graph.stages)


def test_no_job_mixes_chunks_with_what_is_made_once(graph):
    jobs = [job for job in graph.defs.resolve_all_job_defs() if not job.name.startswith("__")]
    assert len(jobs) == 9
    for job in jobs:
        stages = {"/".join(key.path[1:]) for key in job.asset_layer.selected_asset_keys}
        partitioned = {graph.is_partitioned(stage) for stage in stages}
        assert len(partitioned) <= 1, job.name
        assert (job.partitions_def is not None) == (partitioned == {True}), job.name
        assert job.description, job.name


def test_a_job_runs_the_checks_of_what_it_makes(graph):
    job = graph.defs.resolve_job_def("release_cells")
    checks = {key.name for key in job.asset_layer.asset_graph.asset_check_keys}
    assert {"rows", "promises", "lint", "arrived"} <= checks


def test_what_is_not_there_has_no_job(tmp_path):
    defs = Dataset.make(make_spec("x.h5ad", embedders=()), tmp_path).graph.defs
    names = {job.name for job in defs.resolve_all_job_defs()}
    assert {"refresh_cells", "chunks_cells"} <= names
    assert not names & {"models_cells", "embeddings_cells", "release_cells", "verify_release_cells"}
