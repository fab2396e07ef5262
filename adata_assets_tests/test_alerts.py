"""Failed runs told to a webhook: what is told, once, later when it is down, and no secrets."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from adata_assets.alerts import UI_VARIABLE, URL_VARIABLE, AlertError, build_alert_sensor
from adata_assets.errors import InputError
from adata_assets.run_errors import DATASET_TAG
from adata_assets_tests.servers.webhook import Webhook, running_webhook
from adata_assets_tests.sockets import free_port

CHUNK = "0002-of-0002"
MESSAGE = "https://me:word@host.org/a?sig=9 gave nothing; the token was hf_0123456789abc\nand more"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(
    key=["cells", "embeddings", "pca"],
    partitions_def=dg.StaticPartitionsDefinition(["0001-of-0002", CHUNK]),
)
def fails() -> None:
    raise InputError(MESSAGE)


@dg.op
def look() -> None:
    raise dg.Failure("lab/cells is not as it was promised", allow_retries=False)


@dg.job(tags={DATASET_TAG: "cells"})
def verify_release_cells() -> None:
    look()


DEFS = dg.Definitions(assets=[fails], jobs=[verify_release_cells], executor=dg.in_process_executor)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abc")
    with running_webhook() as hook:
        monkeypatch.setenv(URL_VARIABLE, hook.url)
        yield hook


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def fail(instance: dg.DagsterInstance) -> str:
    job = DEFS.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, partition_key=CHUNK, raise_on_error=False, run_config=QUIET
    ).run_id


class Sensor:
    """Ticks the sensor and keeps its cursor, as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None

    def tick(self) -> str:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        ended = build_alert_sensor().evaluate_tick(context)
        assert not ended.run_requests
        self.cursor = ended.cursor
        return ended.skip_message


def test_a_failed_chunk_is_told_once(instance, hook, monkeypatch):
    monkeypatch.setenv(UI_VARIABLE, "http://host:3000/")
    fail(instance)
    sensor = Sensor(instance)
    assert sensor.tick() == "begins with the next failed run"
    run_id = fail(instance)
    assert sensor.tick() == "1 failed runs were told"
    assert sensor.tick() == "no run failed"
    error = "https://host.org/a?… gave nothing; the token was ${HF_TOKEN}"
    assert hook.taken == [
        {
            "text": f"cells/embeddings/pca [{CHUNK}] failed: {error}",
            "datasets": ["cells"],
            "assets": ["cells/embeddings/pca"],
            "failed": ["cells/embeddings/pca"],
            "partition": CHUNK,
            "error": error,
            "job": "__ASSET_JOB",
            "run_id": run_id,
            "host": None,
            "will_retry": False,
            "url": f"http://host:3000/runs/{run_id}",
        }
    ]


def test_a_job_without_assets_names_its_dataset(instance, hook):
    sensor = Sensor(instance)
    sensor.tick()
    DEFS.resolve_job_def("verify_release_cells").execute_in_process(
        instance=instance, raise_on_error=False, run_config=QUIET
    )
    sensor.tick()
    [told] = hook.taken
    assert (told["datasets"], told["failed"], told["url"]) == (["cells"], ["look"], None)
    assert told["error"] == "lab/cells is not as it was promised"


def test_what_the_webhook_does_not_take_is_told_later(instance, hook):
    """Of three failures the second is refused: the first is not told twice, none is lost."""
    sensor = Sensor(instance)
    sensor.tick()
    runs = [fail(instance) for _ in range(3)]
    hook.statuses = [200, 503, 503]
    assert sensor.tick() == "1 failed runs were told"
    with pytest.raises(AlertError, match="answered 503"):
        sensor.tick()
    assert sensor.tick() == "2 failed runs were told"
    assert [told["run_id"] for told in hook.taken] == runs
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.FAILURE}


def test_a_webhook_that_is_down_fails_the_tick_without_its_address(instance, hook, monkeypatch):
    sensor = Sensor(instance)
    sensor.tick()
    run_id = fail(instance)
    monkeypatch.setenv(URL_VARIABLE, f"http://127.0.0.1:{free_port()}/hook/secret-part")
    with pytest.raises(AlertError, match=f"ConnectionError.*{run_id}") as caught:
        sensor.tick()
    assert "secret-part" not in str(caught.value)
    assert caught.value.__cause__ is None
    monkeypatch.setenv(URL_VARIABLE, hook.url)
    assert sensor.tick() == "1 failed runs were told"


def test_without_a_webhook_the_sensor_says_so(instance, monkeypatch, hook):
    monkeypatch.delenv(URL_VARIABLE)
    sensor = Sensor(instance)
    fail(instance)
    assert sensor.tick() == f"{URL_VARIABLE} is not set: failed runs are told to nobody"
    monkeypatch.setenv(URL_VARIABLE, hook.url)
    assert sensor.tick() == "no run failed", "what is long past is not told"
    assert hook.taken == []
