"""A presigned link ends on a real server; the schedule makes it anew, alone, and the rows follow."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
import requests

from adata_assets.promises import find_expired_links
from adata_assets.runs import Run, execute
from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.servers.faulty_proxy import FaultyProxy, running_proxy
from adata_assets_tests.servers.radosgw import BUCKET, Radosgw

SHORT_S = 2
TWO_SPLITS = {"train": 0.5, "validation": 0, "test": 0.5, "split_by": "cell"}
FIRST, SECOND = "0001-of-0002", "0002-of-0002"


def spec_of(source: Path, endpoint_url: str, **share: int) -> DatasetSpec:
    """Return a small dataset with presigned links of an hour, or of another lifetime."""
    fixed = {"store": "s3", "bucket": BUCKET, "links": "presigned", "endpoint_url": endpoint_url}
    lifetimes = {"lifetime_s": 3600, "refresh_before_s": 600, **share}
    return make_spec(
        source,
        chunks={"count": 2},
        format="single",
        embedders=(),
        splits=TWO_SPLITS,
        share={**fixed, **lifetimes},
    )


def tick(dataset: Dataset) -> list[dg.RunRequest]:
    """Evaluate the schedule of the dataset's links."""
    schedule = dataset.graph.defs.resolve_schedule_def("refresh_links_cells")
    with dg.build_schedule_context(
        instance=dataset.instance,
        resources=dataset.graph.defs.resources,
        repository_def=dataset.graph.defs.get_repository_def(),
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


def links_of(dataset: Dataset, key: str) -> list[str]:
    table = read_table(dataset.load("share_links", key).local("share_links.parquet"))
    return table["url"].tolist()


def statuses(urls: list[str]) -> set[int]:
    return {requests.get(url).status_code for url in urls}


def published_links(dataset: Dataset) -> set[str]:
    shards = sorted((dataset.published / "data").glob("*.parquet"))
    tables = [pq.read_table(shard, columns=["share_link", "adata_link"]) for shard in shards]
    return {url for table in tables for column in table.columns for url in column.to_pylist()}


@pytest.fixture
def proxy(s3_keys: Radosgw):
    """Counts what is asked of the server."""
    with running_proxy(s3_keys.url) as running:
        yield running


def let_first_end(dataset: Dataset, proxy: FaultyProxy, folder: Path) -> None:
    """Give the first chunk links of two seconds and wait until they are over."""
    spec = spec_of(folder / "raw.h5ad", proxy.url, lifetime_s=SHORT_S, refresh_before_s=0)
    hasty = Dataset.make(spec, folder, dataset.instance)
    assert not execute(
        hasty.graph.defs, hasty.instance, Run("cells", ("share_links",), FIRST)
    ).errors
    end = datetime.fromisoformat(dataset.load("share_links", FIRST).metadata["expires_at"])
    while datetime.now(UTC) <= end:
        time.sleep(0.1)
    # The server's clock ticks in whole seconds.
    time.sleep(1)


def test_an_ended_link_is_made_anew_alone_and_the_rows_follow(proxy, tmp_path):
    dataset = Dataset.make(spec_of(write_cells(tmp_path), proxy.url), tmp_path).succeed()
    let_first_end(dataset, proxy, tmp_path)
    assert statuses(links_of(dataset, FIRST)) == {403}
    assert statuses(links_of(dataset, SECOND)) == {200}
    breaches, _ = find_expired_links(dataset.load("share_links", FIRST))
    assert len(breaches) == 2
    before = len(proxy.seen)
    (asked,) = tick(dataset)
    assert asked.partition_key == FIRST
    assert not execute(
        dataset.graph.defs, dataset.instance, Run("cells", ("share_links",), asked.partition_key)
    ).errors
    assert {passing.method for passing in proxy.seen[before:]} <= {"GET", "HEAD"}, "0 uploads"
    assert tick(dataset) == []
    ran = Counter(stage for outcome in dataset.materialize() for stage in outcome.run.stages)
    assert ran == {"hf_splits": 1}, "0 files were rebuilt"
    assert statuses(sorted(published_links(dataset))) == {200}
    assert published_links(dataset) == {*links_of(dataset, FIRST), *links_of(dataset, SECOND)}
