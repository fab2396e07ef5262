"""What is fresh, and what is missing, failed or stale by code or data version.

Belongs here: comparing manifests, definitions and the instance's records. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEventType

from adata_assets.artefact import Artefact, name_of
from adata_assets.assets.source import DATA_VERSION_TAG, FOLDER, SPEC
from adata_assets.assets.source import STAGE as SOURCE
from adata_assets.expiry import ends_within
from adata_assets.gate import find_red_checks
from adata_assets.sources.contract import Source
from adata_assets.sources.opening import open_sources
from adata_assets.sources.pinning import find_change, look_at_sources
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.lock import LOCK, find_lock_change
from adata_assets.storage import Storage


@dataclass(frozen=True)
class Node:
    """One asset, or one partition of it.

    Attributes
    ----------
    dataset_id
        Of an input that another dataset made; None for the dataset's own.
    """

    stage: str
    partition_key: str | None = None
    dataset_id: str | None = None

    @property
    def name(self) -> str:
        """``stage`` or ``stage@partition``, after ``<dataset>/`` for one of another dataset."""
        owner = f"{self.dataset_id}/" if self.dataset_id else ""
        return owner + name_of(self.stage, self.partition_key)


@dataclass(frozen=True)
class DatasetGraph:
    """The assets of one dataset, as the definitions know them.

    Attributes
    ----------
    defs
        All definitions.
    dataset_id
        The first part of the dataset's asset keys.
    """

    defs: dg.Definitions
    dataset_id: str

    @cached_property
    def _asset_graph(self) -> dg.BaseAssetGraph:
        return self.defs.resolve_asset_graph()

    def key_of(self, stage: str) -> dg.AssetKey:
        """Return the asset key of a stage."""
        return dg.AssetKey([self.dataset_id, *stage.split("/")])

    @cached_property
    def spec(self) -> DatasetSpec:
        """The dataset's spec, as its source asset carries it."""
        return DatasetSpec.model_validate(self._source_metadata[SPEC].data)

    @cached_property
    def _source_metadata(self) -> Mapping[str, Any]:
        return self._asset_graph.get(self.key_of(SOURCE)).metadata

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The dataset's sources by label."""
        return open_sources(self.spec, self.folder)

    @cached_property
    def folder(self) -> Path:
        """Where the YAML is."""
        return Path(self._source_metadata[FOLDER])

    def dataset_ids(self) -> list[str]:
        """Return the ids of all datasets of the definitions."""
        keys = self._asset_graph.get_all_asset_keys()
        return sorted({key.path[0] for key in keys if key.path[-1] == SOURCE})

    @cached_property
    def stages(self) -> list[str]:
        """Materializable stages, upstream first."""
        keys = (key for level in self._asset_graph.toposorted_asset_keys_by_level for key in level)
        return [
            "/".join(key.path[1:])
            for key in keys
            if key.path[0] == self.dataset_id and self._asset_graph.get(key).is_materializable
        ]

    @cached_property
    def chunk_keys(self) -> list[str]:
        """Partition keys of the dataset."""
        for stage in self.stages:
            partitions = self._asset_graph.get(self.key_of(stage)).partitions_def
            if partitions is not None:
                return list(partitions.get_partition_keys())
        return []

    def is_partitioned(self, stage: str) -> bool:
        """Whether a stage has one artefact per chunk."""
        return self._asset_graph.get(self.key_of(stage)).partitions_def is not None

    def code_version(self, stage: str) -> str | None:
        """Return the code version of a stage."""
        return self._asset_graph.get(self.key_of(stage)).code_version

    def nodes(self) -> Iterator[Node]:
        """Yield every asset and partition, upstream first."""
        for stage in self.stages:
            for key in self.chunk_keys if self.is_partitioned(stage) else [None]:
                yield Node(stage, key)

    def inputs_of(self, node: Node) -> list[Node]:
        """Return what a node is made from, the source left out.

        Another dataset gives models only, which have no partitions.
        """
        found = []
        for key in sorted(self._asset_graph.get(self.key_of(node.stage)).parent_keys):
            stage = "/".join(key.path[1:])
            if key.path[0] != self.dataset_id:
                found.append(Node(stage, dataset_id=key.path[0]))
                continue
            if stage not in self.stages:
                continue
            if not self.is_partitioned(stage):
                found.append(Node(stage))
            elif node.partition_key is not None:
                found.append(Node(stage, node.partition_key))
            else:
                found += [Node(stage, chunk) for chunk in self.chunk_keys]
        return found

    def check_keys(self, stage: str) -> list[dg.AssetCheckKey]:
        """Return the keys of a stage's blocking checks."""
        keys = self._asset_graph.get(self.key_of(stage)).check_keys
        return sorted(key for key in keys if self._asset_graph.get_check_spec(key).blocking)


def find_stale(
    graph: DatasetGraph, storage: Storage, instance: dg.DagsterInstance
) -> dict[Node, str]:
    """Return every node that is not fresh with the reason, upstream first.

    The sources are looked at; files are hashed only when size or mtime differ.
    A node is fresh when its manifest was written by the current code version from the current
    data versions of its inputs, when this instance has recorded that very data version, and when
    no blocking check of it failed. A node downstream of a stale one is judged by what is there now.
    """
    artefacts = _find_artefacts(graph, storage)
    recorded = {stage: _recorded_versions(graph, instance, stage) for stage in graph.stages}
    not_green = _judge_checks(graph, instance)
    stale = {}
    for node in graph.nodes():
        artefact = artefacts[node]
        reason = _judge(graph, node, artefacts)
        if reason is None and artefact is not None and node.stage in _OUTSIDE:
            reason = _OUTSIDE[node.stage](graph, artefact)
        if reason is None and artefact is not None:
            if recorded[node.stage].get(node.partition_key) != artefact.data_version:
                reason = "not recorded in this Dagster instance"
            else:
                reason = not_green.get(node)
        if reason is not None:
            stale[node] = reason
    return stale


def _find_artefacts(graph: DatasetGraph, storage: Storage) -> dict[Node, Artefact | None]:
    own = list(graph.nodes())
    needed = dict.fromkeys([*own, *(given for node in own for given in graph.inputs_of(node))])
    return {
        node: storage.find(node.dataset_id or graph.dataset_id, node.stage, node.partition_key)
        for node in needed
    }


def _judge(
    graph: DatasetGraph, node: Node, artefacts: Mapping[Node, Artefact | None]
) -> str | None:
    artefact = artefacts[node]
    for given in graph.inputs_of(node):
        if given.dataset_id and artefacts[given] is None:
            return f"needs {given.name}: run adata-assets materialize {given.dataset_id} first"
    if artefact is None:
        return "missing"
    if artefact.code_version != graph.code_version(node.stage):
        return "stale: code or settings changed"
    if not artefact.folder.exists():
        return "missing: its files are gone"
    inputs = {given.name: artefacts[given] for given in graph.inputs_of(node)}
    for name, current in inputs.items():
        if current is None or artefact.inputs.get(name) != current.data_version:
            return f"stale: {name} changed"
    if extra := sorted(set(artefact.inputs) - set(inputs)):
        return f"stale: made from {extra[0]}, which is no input any more"
    return None


def _judge_source(graph: DatasetGraph, raw: Artefact) -> str | None:
    change = find_change(look_at_sources(graph.sources, raw), raw)
    return None if change is None else f"stale: the source changed ({change})"


def _judge_links(graph: DatasetGraph, share_links: Artefact) -> str | None:
    end = share_links.metadata["expires_at"]
    soon = ends_within(end, graph.spec.share.refresh_before_s)
    return f"stale: its links end at {end}" if soon else None


def _judge_lock(graph: DatasetGraph, annotated: Artefact) -> str | None:
    change = find_lock_change(graph.folder, annotated.metadata["split_lock"])
    return None if change is None else f"stale: {LOCK} {change}"


# Stages that depend on something that is no artefact: files elsewhere, the clock, the lock.
_OUTSIDE = {"raw_h5ad": _judge_source, "annotated_obs": _judge_lock, "share_links": _judge_links}


def _recorded_versions(
    graph: DatasetGraph, instance: dg.DagsterInstance, stage: str
) -> dict[str | None, str | None]:
    key = graph.key_of(stage)
    if not graph.is_partitioned(stage):
        event = instance.get_latest_materialization_event(key)
        record = event.asset_materialization if event else None
        return {None: (record.tags or {}).get(DATA_VERSION_TAG) if record else None}
    tags = instance.event_log_storage.get_latest_tags_by_partition(
        key, DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {partition: found.get(DATA_VERSION_TAG) for partition, found in tags.items()}


def _judge_checks(graph: DatasetGraph, instance: dg.DagsterInstance) -> dict[Node, str]:
    # All of them at once: each question opens the instance's storage.
    stage_of = {key: stage for stage in graph.stages for key in graph.check_keys(stage)}
    found = {}
    for key, partition, state in find_red_checks(instance, list(stage_of)):
        told = (
            "stale: check {} has no result yet"
            if state == "PLANNED"
            else "failed: check {} did not pass"
        )
        found[Node(stage_of[key], partition)] = told.format(key.name)
    return found
