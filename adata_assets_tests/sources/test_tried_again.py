"""What of a source's trouble lets a scheduled step run again: only what passes by itself."""

from __future__ import annotations

import dagster as dg
import pytest

from adata_assets.assets import retries
from adata_assets_tests.datasets import Dataset, make_spec
from adata_assets_tests.sources.places import PLACES

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
STAGES = ["source", "raw_h5ad"]


@pytest.fixture(params=["http", "s3"])
def place(request, tmp_path, monkeypatch, contents):
    """A server of each kind with a file; between the tries is no pause."""
    monkeypatch.setattr(retries, "POLICY", dg.RetryPolicy(retries.POLICY.max_retries, delay=0))
    with PLACES[request.param](tmp_path, monkeypatch) as found:
        found.put(contents[0])
        yield found


def fail(spec, stage, folder):
    """Run one stage as the schedule does, and return the error that it ends with."""
    dataset = Dataset.make(spec, folder)
    result = dataset.graph.defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(["cells", stage])],
        instance=dataset.instance,
        run_config=QUIET,
        raise_on_error=False,
    )
    [failed] = [event for event in result.all_events if event.is_step_failure]
    return failed.step_failure_data.error.cause.message


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_that_is_not_there_is_asked_for_once(place, tmp_path, stage):
    place.served.statuses = [404] * 99
    assert "status 404" in fail(make_spec(place.uri), stage, tmp_path)
    assert len(place.server.asked) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_stays_in_trouble_is_asked_at_each_try(place, tmp_path, stage):
    place.served.statuses = [503] * 99
    assert "status 503" in fail(make_spec(place.uri), stage, tmp_path)
    n_per_look = 3
    assert len(place.server.asked) == n_per_look * (1 + retries.POLICY.max_retries)


def test_another_content_than_stated_is_downloaded_once(place, tmp_path):
    spec = make_spec(place.uri, sha256="0" * 64)
    assert "the YAML states 0000" in fail(spec, "raw_h5ad", tmp_path)
    assert [asked for asked in place.ranges if asked != "bytes=0-7"] == [None]
