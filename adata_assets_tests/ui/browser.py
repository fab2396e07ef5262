"""``dagster dev`` with a home of its own, asked over GraphQL, and a headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml
from playwright.sync_api import Page, sync_playwright

REPOSITORY = Path(__file__).parents[2]
HOW_TO_INSTALL = (
    "no Chromium found; install it (Debian: apt-get install --no-install-recommends chromium) "
    "and run: python -m pytest adata_assets_tests/ui"
)
# Far above what it takes on an idle machine: a busy one is no failure.
LOAD_S, MATERIALIZE_S, STOP_S = 120, 600, 10
POLL_S = 2
RETRIES_OFF = {"enabled": False}
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LOCATIONS = """{workspaceOrError {... on Workspace {locationEntries {
    loadStatus locationOrLoadError {__typename}}}}}"""


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@dataclass
class Dagster:
    """A running webserver and daemon."""

    url: str
    log: Path
    pid: int = 0

    def ask(self, query: str) -> dict[str, Any]:
        """Return the data of a GraphQL query."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def wait(self, is_so: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Poll until ``is_so``; fail with the end of the log."""
        end = time.monotonic() + timeout_s
        while not is_so():
            tail = self.log.read_text()[-3000:]
            assert time.monotonic() < end, f"not {what} within {timeout_s} s\n{tail}"
            time.sleep(POLL_S)

    def is_loaded(self) -> bool:
        """Whether the code location is there."""
        try:
            entries = self.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        except (URLError, ConnectionError, TimeoutError):
            return False
        return bool(entries) and all(
            entry["loadStatus"] == "LOADED"
            and (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation"
            for entry in entries
        )


@contextmanager
def running_dagster(
    folder: Path, port: int, project: Path, *, retries: bool = False
) -> Iterator[Dagster]:
    """Run ``dagster dev`` on a port in a process group of its own; stop all of it at the end.

    In the same folder it goes on with the home that an earlier one left. Settings are the shipped
    ones, but a run that failed is tried again by itself only with ``retries``.
    """
    home, log = folder / "home", folder / "dagster.log"
    home.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load((REPOSITORY / "adata_assets" / "dagster.yaml").read_text())
    changes = {} if retries else {"run_retries": RETRIES_OFF}
    (home / "dagster.yaml").write_text(yaml.safe_dump({**settings, **changes}))
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "ADATA_ASSETS_PROJECT": str(project),
        "ADATA_ASSETS_STORAGE": str(folder / "storage"),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("a") as output:
        process = subprocess.Popen(
            [*command, "-w", "workspace.yaml"],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            dagster = Dagster(f"http://127.0.0.1:{port}", log, process.pid)
            dagster.wait(dagster.is_loaded, "loaded", LOAD_S)
            yield dagster
        finally:
            _stop_group(process)


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    # Runs and code servers are in the group too and may outlive its leader.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_S)


@contextmanager
def open_page(executable: str) -> Iterator[Page]:
    """Open a page in headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(BROWSER_OPTIONS))
        try:
            yield browser.new_page(viewport={"width": 1500, "height": 950})
        finally:
            browser.close()
