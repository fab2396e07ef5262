"""The demo by clicking: materialize all on a fresh instance, open a partition and its check."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from adata_assets_tests.sockets import free_port
from adata_assets_tests.ui.browser import (
    HOW_TO_INSTALL,
    MATERIALIZE_S,
    Dagster,
    find_chromium,
    open_page,
    running_dagster,
)

GROUP = "locations/__repository__@adata_assets/asset-groups/pbmc68k"
EMBEDDING = "assets/pbmc68k/embeddings/pca?view=partitions&partition="
CHECK = "assets/pbmc68k/embeddings/pca?view=checks&checkDetail=embedding_schema"
SCORECARD = "assets/pbmc68k/embedding_scorecard?view=overview"
CLICK_MS = 30_000
_BACKFILLS = "{partitionBackfillsOrError {... on PartitionBackfills {results {status}}}}"
_RUNS = "{runsOrError {... on Runs {results {status tags {key value}}}}}"
_ASSETS = """{assetNodes {assetKey {path} isPartitioned isMaterializable
    assetMaterializations {partition timestamp}
    assetChecksOrError {... on AssetChecks {checks {name
        executionForLatestMaterialization {status evaluation {success}}}}}}}"""

CHROMIUM = find_chromium()


@pytest.mark.skipif(CHROMIUM is None, reason=HOW_TO_INSTALL)
def test_the_demo_can_be_made_by_clicking(tmp_path):
    with running_dagster(tmp_path, free_port()) as dagster, open_page(CHROMIUM or "") as page:
        materialize_all(page, dagster)
        dagster.wait(lambda: is_ended(dagster), "materialized", MATERIALIZE_S)
        require_green(dagster)
        open_embedding(page, dagster)
        open_scorecard(page, dagster)
    require_loads(tmp_path / "storage" / "pbmc68k" / "hf_splits")


def materialize_all(page: Page, dagster: Dagster) -> None:
    page.goto(f"{dagster.url}/{GROUP}", wait_until="domcontentloaded")
    page.get_by_role("button", name="Materialize all").click(timeout=CLICK_MS)
    page.get_by_role("button", name="All", exact=True).click(timeout=CLICK_MS)
    page.get_by_role("button", name="Launch backfill").click(timeout=CLICK_MS)
    page.get_by_text("Created backfill").wait_for(timeout=CLICK_MS)


def is_ended(dagster: Dagster) -> bool:
    (backfill,) = dagster.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
    return backfill["status"].startswith(("COMPLETED", "FAILED", "CANCELED"))


def require_green(dagster: Dagster) -> None:
    """Every asset and partition once, every check passed, and no run but those of the click."""
    runs = dagster.ask(_RUNS)["runsOrError"]["results"]
    assert {run["status"] for run in runs} == {"SUCCESS"}, runs
    assert all("dagster/backfill" in {tag["key"] for tag in run["tags"]} for run in runs)
    nodes = [node for node in dagster.ask(_ASSETS)["assetNodes"] if node["isMaterializable"]]
    assert len(nodes) == 15
    for node in nodes:
        keys = [f"{i:04}-of-0004" for i in range(1, 5)] if node["isPartitioned"] else [None]
        made = [event["partition"] for event in node["assetMaterializations"]]
        assert sorted(made, key=str) == keys, node["assetKey"]
        for check in node["assetChecksOrError"].get("checks", []):
            latest = check["executionForLatestMaterialization"]
            assert latest is not None, (node["assetKey"], check)
            assert latest["evaluation"]["success"], (node["assetKey"], check)


def open_embedding(page: Page, dagster: Dagster) -> None:
    # A check's page shows the partition that was made last: that one is opened.
    partition = latest_partition(dagster, ["pbmc68k", "embeddings", "pca"])
    page.goto(f"{dagster.url}/{EMBEDDING}{partition}", wait_until="domcontentloaded")
    expect(page.get_by_text(partition).first).to_be_visible(timeout=CLICK_MS)
    expect(page.get_by_text("model_hash").first).to_be_visible(timeout=CLICK_MS)
    page.goto(f"{dagster.url}/{CHECK}", wait_until="domcontentloaded")
    expect(page.get_by_text("embedding_schema").first).to_be_visible(timeout=CLICK_MS)
    expect(page.get_by_text("Passed").first).to_be_visible(timeout=CLICK_MS)


def open_scorecard(page: Page, dagster: Dagster) -> None:
    page.goto(f"{dagster.url}/{SCORECARD}", wait_until="domcontentloaded")
    # The table is the first of the asset's Markdown texts, the pictures come after it.
    page.get_by_text("Show Markdown").first.click(timeout=CLICK_MS)
    expect(page.get_by_text("macro-F1", exact=True)).to_be_visible(timeout=CLICK_MS)
    for name in ("pca", "hvg"):
        expect(page.get_by_role("row", name=f"{name} validation passes")).to_be_visible()
    page.get_by_role("button", name="Close").click(timeout=CLICK_MS)
    page.get_by_text("Show Markdown").nth(1).click(timeout=CLICK_MS)
    picture = page.get_by_alt_text("pca: held-out cells")
    expect(picture).to_be_visible(timeout=CLICK_MS)
    assert picture.evaluate("image => image.naturalWidth") > 0


def latest_partition(dagster: Dagster, path: list[str]) -> str:
    """Return the partition of an asset's newest materialization."""
    nodes = dagster.ask(_ASSETS)["assetNodes"]
    (node,) = [node for node in nodes if node["assetKey"]["path"] == path]
    newest = max(node["assetMaterializations"], key=lambda event: int(event["timestamp"]))
    return newest["partition"]


def require_loads(folder) -> None:
    from datasets import load_dataset

    loaded = load_dataset(str(folder))
    assert set(loaded) == {"train", "validation", "test"}
    assert sum(split.num_rows for split in loaded.values()) == 700
