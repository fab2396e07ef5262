"""Seconds from one click to a dataset that is all there, on a fresh instance with nothing made.

Run from the repository's root on an idle machine; it takes minutes and needs no network:

    python -m benchmarks.click_to_green                     # the demo, 4 chunks, by automation
    python -m benchmarks.click_to_green --by backfill       # "Materialize all", for comparison

The click is the same request that the UI sends: ``observe_source_<id>`` looks at the source and the
automation makes the rest; a backfill is what "Materialize all" starts. Green is the moment at which
the last run has ended; every asset and partition must then have been made once and every check have
passed. No page is open meanwhile: one that is drawn anew every second takes time from the runs.
Each run is told with its seconds since the click: made, begun, ended.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from adata_assets_tests.conftest import DEMO_YAML
from adata_assets_tests.sockets import free_port
from adata_assets_tests.ui import questions
from adata_assets_tests.ui.browser import Dagster, running_dagster

DATASET_ID, N_CHUNKS, N_ASSETS = "pbmc68k", 4, 15
REPOSITORY = 'repositoryLocationName: "adata_assets", repositoryName: "__repository__"'
OBSERVE = f"""mutation {{launchRun(executionParams: {{mode: "default", runConfigData: {{}},
    selector: {{{REPOSITORY}, jobName: "observe_source_{DATASET_ID}"}}}}) {{__typename}}}}"""
KEYS = """{assetNodes {groupName isMaterializable isPartitioned assetKey {path}
    partitionKeys}}"""
RUNS = """{runsOrError {... on Runs {results {status creationTime startTime endTime
    assetSelection {path} tags {key value}}}}}"""
# Cheap to answer: asking for all assets every two seconds takes a tenth of this machine.
NEWEST = "{runsOrError(limit: 1) {... on Runs {results {status assetSelection {path}}}}}"
TIMEOUT_S = 600


def start_backfill(dagster: Dagster) -> None:
    """Send what "Materialize all" with all partitions sends."""
    nodes = [n for n in dagster.ask(KEYS)["assetNodes"] if n["isMaterializable"]]
    paths = json.dumps([n["assetKey"]["path"] for n in nodes])
    names = sorted({key for n in nodes for key in n["partitionKeys"]})
    selection = f"[{', '.join(f'{{path: {json.dumps(p)}}}' for p in json.loads(paths))}]"
    reply = dagster.ask(
        f"mutation {{launchPartitionBackfill(backfillParams: {{assetSelection: {selection}, "
        f"partitionNames: {json.dumps(names)}}}) {{__typename}}}}"
    )["launchPartitionBackfill"]["__typename"]
    assert reply == "LaunchBackfillSuccess", reply


def start_observation(dagster: Dagster) -> None:
    """Send what "Launch run" of the job sends."""
    reply = dagster.ask(OBSERVE)["launchRun"]["__typename"]
    assert reply == "LaunchRunSuccess", reply


def has_ended(dagster: Dagster) -> bool:
    """Whether the newest run made the splits."""
    (run,) = dagster.ask(NEWEST)["runsOrError"]["results"] or [{}]
    paths = [key["path"] for key in run.get("assetSelection") or []]
    return [DATASET_ID, "hf_splits"] in paths and run["status"] == "SUCCESS"


def describe_runs(dagster: Dagster, clicked: float) -> tuple[list[str], float]:
    """Return a line per run, first one first, and when the last one ended."""
    runs = sorted(dagster.ask(RUNS)["runsOrError"]["results"], key=lambda r: r["creationTime"])
    lines = []
    for run in runs:
        times = [run[name] - clicked for name in ("creationTime", "startTime", "endTime")]
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        stages = ", ".join("/".join(key["path"][1:]) for key in run["assetSelection"] or [])
        moments = " ".join(f"{seconds:6.1f}" for seconds in times)
        lines.append(f"{moments}  {tags.get('dagster/partition', ''):12} {stages}")
    return lines, max(run["endTime"] for run in runs) - clicked


def measure(folder: Path, by: str) -> float:
    """Start everything afresh, click, wait until all is made; return the seconds."""
    with running_dagster(folder, free_port(), DEMO_YAML.parents[3]) as dagster:
        dagster.wait(lambda: questions.has_ticked(dagster), "automated", TIMEOUT_S)
        clicked = time.time()
        (start_observation if by == "automation" else start_backfill)(dagster)
        dagster.wait(lambda: has_ended(dagster), "made", TIMEOUT_S)
        questions.require_green(dagster, DATASET_ID, n_assets=N_ASSETS, n_chunks=N_CHUNKS)
        lines, seconds = describe_runs(dagster, clicked)
    print(*lines, f"{by}: {seconds:.1f} s from click to green", sep="\n", flush=True)
    return seconds


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--by", choices=["automation", "backfill"], default="automation")
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory(prefix="click-") as name:
            measure(Path(name), given.by)


if __name__ == "__main__":
    main()
