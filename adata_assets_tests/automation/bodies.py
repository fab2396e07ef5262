"""What the stand-ins of a story do, and the stages that stories name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from adata_assets.freshness import DatasetGraph, Node
from adata_assets_tests.automation.story import imitate
from adata_assets_tests.datasets import Dataset, make_spec

HEAD = (
    *("raw_h5ad", "annotated_obs", "ledger", "counts", "gene_stats", "leakage"),
    *("models/pca", "models/hvg"),
)
CHUNK = ("embeddings/pca", "embeddings/hvg", "cell_texts", "chunk_files", "share_links")
COLLECTORS = ("embedding_scorecard", "hf_splits")
FIRST, SECOND = "0001-of-0002", "0002-of-0002"


class Bodies:
    """What the stand-ins do: note the generations of their inputs; fail or wait if told so."""

    def __init__(self, graph: DatasetGraph) -> None:
        self.graph = graph
        self.refresh = 0
        self.hooks = {}
        self.generations: dict[str, frozenset[int]] = {}
        self.released: list[frozenset[int]] = []

    def __call__(self, context: dg.AssetExecutionContext) -> None:
        partition = context.partition_key if context.has_partition_key else None
        node = Node("/".join(context.asset_key.path[1:]), partition)
        self.hooks.get(node.name, lambda: None)()
        inputs = [self.generations[given.name] for given in self.graph.inputs_of(node)]
        self.generations[node.name] = frozenset().union(*inputs) or frozenset({self.refresh})
        if node.stage == "hf_splits":
            self.released.append(self.generations[node.name])


def imitate_dataset(folder: Path, **fields: Any) -> tuple[Bodies, dg.Definitions]:
    """Return the graph of a dataset with two models and two chunks, without its work."""
    splits = {"train": 0.6, "validation": 0.4, "test": 0.0, "split_by": "cell"}
    given = {"chunks": {"count": 2}, "splits": splits, "schedule": "0 6 * * *", **fields}
    graph = Dataset.make(make_spec("x.h5ad", **given), folder).graph
    bodies = Bodies(graph)
    return bodies, imitate(graph.defs, bodies)
