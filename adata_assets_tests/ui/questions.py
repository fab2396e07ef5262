"""What a running Dagster is asked over GraphQL: runs, materializations, checks, ticks."""

from __future__ import annotations

from dataclasses import dataclass

from adata_assets_tests.ui.browser import Dagster

_RUNS = """{runsOrError {... on Runs {results {runId status tags {key value}
    assetSelection {path}}}}}"""
_ASSETS = """{assetNodes {assetKey {path} isPartitioned isMaterializable
    assetMaterializations {partition timestamp}
    assetChecksOrError {... on AssetChecks {checks {name
        executionForLatestMaterialization {status evaluation {success}}}}}}}"""
_TICKS = """{sensorOrError(sensorSelector: {repositoryLocationName: "adata_assets",
    repositoryName: "__repository__", sensorName: "settled_assets"})
    {... on Sensor {sensorState {ticks(limit: 1) {status}}}}}"""
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Run:
    """One run of a dataset: ``stages`` without the dataset's id."""

    run_id: str
    status: str
    tags: dict[str, str]
    stages: list[str]

    @property
    def partition_key(self) -> str | None:
        """The chunk, where it has one."""
        return self.tags.get("dagster/partition")


def has_ticked(dagster: Dagster) -> bool:
    """Whether the automation has looked at what there is."""
    ticks = dagster.ask(_TICKS)["sensorOrError"]["sensorState"]["ticks"]
    return any(tick["status"] in ("SUCCESS", "SKIPPED") for tick in ticks)


def find_runs(dagster: Dagster, dataset_id: str) -> list[Run]:
    """Return the runs of a dataset, newest first."""
    return [
        Run(
            run["runId"],
            run["status"],
            {tag["key"]: tag["value"] for tag in run["tags"]},
            ["/".join(key["path"][1:]) for key in run["assetSelection"]],
        )
        for run in dagster.ask(_RUNS)["runsOrError"]["results"]
        if any(key["path"][0] == dataset_id for key in run["assetSelection"] or ())
    ]


def find_failed(dagster: Dagster, dataset_id: str) -> list[Run]:
    """Return the failed runs of a dataset."""
    return [run for run in find_runs(dagster, dataset_id) if run.status == "FAILURE"]


def is_idle(dagster: Dagster, dataset_id: str) -> bool:
    """Whether no run of a dataset is queued or at work."""
    return all(run.status in _ENDED for run in find_runs(dagster, dataset_id))


def is_made(dagster: Dagster, dataset_id: str) -> bool:
    """Whether the splits of a dataset are there, and no run of it is left."""
    return bool(made(dagster, f"{dataset_id}/hf_splits")) and is_idle(dagster, dataset_id)


def made(dagster: Dagster, key: str) -> list[dict[str, str]]:
    """Return the materializations of an asset."""
    nodes = dagster.ask(_ASSETS)["assetNodes"]
    (node,) = [node for node in nodes if "/".join(node["assetKey"]["path"]) == key]
    return node["assetMaterializations"]


def latest_partition(dagster: Dagster, key: str) -> str:
    """Return the partition of an asset's newest materialization."""
    return max(made(dagster, key), key=lambda event: int(event["timestamp"]))["partition"]


def require_green(dagster: Dagster, dataset_id: str, *, n_assets: int, n_chunks: int) -> None:
    """Require every asset and partition to have been made once, and every check to have passed."""
    nodes = [
        node
        for node in dagster.ask(_ASSETS)["assetNodes"]
        if node["isMaterializable"] and node["assetKey"]["path"][0] == dataset_id
    ]
    assert len(nodes) == n_assets
    keys = [f"{i:04}-of-{n_chunks:04}" for i in range(1, n_chunks + 1)]
    for node in nodes:
        found = [event["partition"] for event in node["assetMaterializations"]]
        expected = keys if node["isPartitioned"] else [None]
        assert sorted(found, key=str) == expected, node["assetKey"]
        for check in node["assetChecksOrError"].get("checks", []):
            latest = check["executionForLatestMaterialization"]
            assert latest is not None, (node["assetKey"], check)
            assert latest["evaluation"]["success"], (node["assetKey"], check)
