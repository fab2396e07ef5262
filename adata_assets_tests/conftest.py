"""Fixtures for the whole suite: no telemetry, caches in temporary folders, the demo dataset."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from adata_assets.share.serve import running_server
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.servers import postgres as postgres_server
from adata_assets_tests.servers.radosgw import (
    HOW_TO_INSTALL,
    Radosgw,
    find_radosgw,
    running_radosgw,
)
from adata_assets_tests.sockets import free_port

if TYPE_CHECKING:
    from adata_assets_tests.hub.local_hub import LocalHub

DEMO_YAML = Path(__file__).parents[1] / "adata_assets" / "defs" / "pbmc68k" / "defs.yaml"


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
    patch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("DAGSTER_HOME", "ADATA_ASSETS_STORAGE", "ADATA_ASSETS_SCRATCH"):
        patch.delenv(name, raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def _captured_streams_stay_open() -> None:
    """Keep absl, which scvi-tools imports, from closing the stream that pytest captures.

    absl closes what it logs to when logging is configured anew, as Dagster does in every run, unless
    it is the process's own stream or the one in use; inside click's runner another one is in use.
    """
    import absl.logging

    absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one section for each server that is not there."""
    if not find_radosgw():
        terminalreporter.section("the s3 share store was NOT tested", red=True, bold=True)
        terminalreporter.line(HOW_TO_INSTALL)
    if not postgres_server.find_postgres():
        terminalreporter.section("PostgreSQL was NOT tested", red=True, bold=True)
        terminalreporter.line(postgres_server.HOW_TO_INSTALL)


# Minutes each: begun last, one of them would keep one worker busy while the others are done.
LONGEST = ("test_ui.py", "test_families.py", "test_mmcontext.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def demo_spec(**fields: object) -> DatasetSpec:
    """Return the spec of the shipped demo; any field can be replaced."""
    attributes = yaml.safe_load(DEMO_YAML.read_text())["attributes"]
    return DatasetSpec(dataset_id="pbmc68k", **{**attributes, **fields})


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """The shipped demo, materialized; its links are served while the session lasts."""
    port = free_port()
    patch = pytest.MonkeyPatch()
    patch.setenv("ADATA_ASSETS_BASE_URL", f"http://127.0.0.1:{port}")
    dataset = Dataset.make(demo_spec(), tmp_path_factory.mktemp("demo")).succeed()
    with running_server(Path(os.fspath(dataset.storage.root)), port=port):
        yield dataset
    patch.undo()


@pytest.fixture(scope="session")
def demo_hub() -> Iterator[LocalHub]:
    """The Hub that holds the files of ``hf_demo``."""
    # Not at the top: the server needs `free_port`.
    from adata_assets_tests.hub.local_hub import running_hub

    with running_hub() as hub:
        yield hub


@pytest.fixture(scope="session")
def hf_demo(demo: Dataset, demo_hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demo with its files on a Hub; the token is gone again."""
    from adata_assets_tests.hub.local_hub import WRITER
    from adata_assets_tests.promises.families import copy_of
    from adata_assets_tests.servers.hf import DEMO_REPO_ID, client_of

    share = {"store": "hf", "repo_id": DEMO_REPO_ID}
    with client_of(demo_hub.url, WRITER):
        return copy_of(demo, tmp_path_factory.mktemp("hf_demo"), share=share).succeed()


@pytest.fixture(scope="session")
def radosgw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radosgw]:
    """A running Ceph gateway; whoever has none is told at the end of the session."""
    if not find_radosgw():
        pytest.skip(HOW_TO_INSTALL)
    with running_radosgw(tmp_path_factory.mktemp("radosgw")) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Postgres]:
    """A running PostgreSQL; whoever has none is told at the end of the session."""
    if not postgres_server.find_postgres():
        pytest.skip(postgres_server.HOW_TO_INSTALL)
    with postgres_server.running_postgres() as server:
        yield server
