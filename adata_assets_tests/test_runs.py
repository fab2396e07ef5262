"""What runs next: every node once, on inputs that will not change; nothing else."""

from __future__ import annotations

import pytest

from adata_assets.freshness import Node
from adata_assets.runs import next_runs
from adata_assets_tests.datasets import Dataset, make_spec

CHUNKS = ("0001-of-0003", "0002-of-0003", "0003-of-0003")
PER_CHUNK = ("cell_texts", "embeddings/pca", "embeddings/hvg", "chunk_files", "share_links")


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    (folder / "raw.h5ad").touch()
    return Dataset.make(make_spec(folder / "raw.h5ad"), folder).graph


def played(graph, stale):
    """Run waves until nothing is left; every run makes its nodes fresh."""
    waves, stale, done = [], set(stale), set()
    while runs := next_runs(graph, stale, done):
        waves.append([(run.partition_key, set(run.stages)) for run in runs])
        for run in runs:
            nodes = {Node(stage, run.partition_key) for stage in run.stages}
            assert not nodes & done
            done |= nodes
            stale -= nodes
    return waves


def test_a_fresh_dataset_takes_three_waves(graph):
    waves = played(graph, graph.nodes())
    assert [len(wave) for wave in waves] == [1, 3, 1]
    assert waves[1] == [(key, set(PER_CHUNK)) for key in CHUNKS]
    assert waves[2] == [(None, {"embedding_scorecard", "hf_splits"})]


def test_one_stale_chunk_runs_alone(graph):
    stale = [Node("share_links", CHUNKS[1])]
    assert played(graph, stale) == [[(CHUNKS[1], {"share_links"})]]


def test_a_node_behind_a_fresh_one_waits_for_the_stale_one_before_it(graph):
    stale = [Node("counts"), Node("hf_splits")]
    assert played(graph, stale) == [[(None, {"counts"})], [(None, {"hf_splits"})]]


def test_what_failed_blocks_what_is_behind_it_and_nothing_else(graph):
    stale = set(graph.nodes())
    collectors = ("embedding_scorecard", "hf_splits")
    done = {n for n in stale if n.partition_key is None and n.stage not in collectors}
    failed = Node("models/pca")
    stale = (stale - done) | {failed}
    runs = next_runs(graph, stale, done)
    assert {run.partition_key for run in runs} == set(CHUNKS)
    assert {stage for run in runs for stage in run.stages} == {"cell_texts", "embeddings/hvg"}
