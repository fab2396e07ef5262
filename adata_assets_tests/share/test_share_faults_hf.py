"""Faults between us and the Hub: after each, one more run completes and one copy is there."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.hub_access import CLIENT_LOGGER
from adata_assets.share import open_share_store
from adata_assets.share.contract import (
    DamagedError,
    ShareError,
    ShareStore,
    remote_name,
    sha256_of,
)
from adata_assets_tests.hub.local_hub import WRITER, LocalHub
from adata_assets_tests.servers.faulty_proxy import (
    KINDS,
    Fault,
    FaultyProxy,
    Kind,
    Passing,
    running_proxy,
)
from adata_assets_tests.servers.hf import client_of

REPO_ID = "lab/demo-files"
N_FAULTS_PER_KIND = 5
STATUSES = ((503, "1"), (500, None), (429, "2"))
PUT = """
import sys
from pathlib import Path
from upath import UPath
from adata_assets.share import open_share_store
store = open_share_store("hf", {"repo_id": sys.argv[1]}, root=UPath("."), dataset_id="demo")
store.put(Path(sys.argv[2]), sys.argv[3])
"""


@dataclass
class Place:
    """A store whose every request goes through a proxy, and a file to share."""

    hub: LocalHub
    proxy: FaultyProxy
    store: ShareStore
    file: Path

    @property
    def name(self) -> str:
        """The file's name in the store."""
        return remote_name("0001-of-0002", sha256_of(self.file), ".h5ad")

    def run(self) -> None:
        """Put, probe, refresh, revoke, and put again, which sends nothing."""
        link = self.store.put(self.file, self.name)
        self.store.probe(link)
        assert self.store.refresh(link) == link
        self.store.revoke(self.name)
        self.store.put(self.file, self.name)

    def run_or_tell(self) -> str:
        """Run and return the error's text; empty when all went well."""
        try:
            self.run()
        except ShareError as error:
            return str(error)
        return ""

    def require_whole(self) -> None:
        """Require that one more put ends in one copy, served as it is, and nothing beside it."""
        self.proxy.plan = lambda passing: None
        self.store.probe(self.store.put(self.file, self.name))
        for upload in self.store.list_unfinished():
            self.store.discard_unfinished(upload)
        assert self.store.list() == [self.name]
        assert self.store.list_unfinished() == []
        files = self.hub.repos[REPO_ID].commits[-1].files
        held = {path: content for path, content in files.items() if path.startswith("chunks/")}
        assert held == {f"chunks/{self.name}": self.file.read_bytes()}

    def sent(self) -> int:
        """Return the bytes of files that were sent since the proxy began, damaged ones too."""
        return sum(passing.n_bytes for passing in self.proxy.seen if passing.method == "PUT")


@pytest.fixture(scope="module")
def proxy(session_hub: LocalHub) -> Iterator[FaultyProxy]:
    with running_proxy(session_hub.url) as running:
        yield running


@pytest.fixture
def place(
    session_hub: LocalHub, proxy: FaultyProxy, chunk_file: Path, root: Path
) -> Iterator[Place]:
    session_hub.forget()
    proxy.plan = lambda passing: None
    proxy.seen.clear()
    proxy.done.clear()
    direct, session_hub.url = session_hub.url, proxy.url
    settings = {"repo_id": REPO_ID}
    with client_of(proxy.url, WRITER):
        store = open_share_store("hf", settings, root=UPath(root), dataset_id="demo")
        yield Place(session_hub, proxy, store, chunk_file)
    session_hub.url = direct


def _fault(kind: Kind, number: int) -> Fault:
    status, retry_after = STATUSES[number % len(STATUSES)]
    return Fault(kind, status, retry_after) if kind == "status" else Fault(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_after_any_fault_one_more_run_completes(place: Place, kind: Kind) -> None:
    """35 faults: each kind at five of the requests of a run, chosen once."""
    place.run()
    n_requests = len(place.proxy.seen)
    assert n_requests > 20
    chosen = random.Random(kind).sample(range(n_requests), N_FAULTS_PER_KIND)
    for number in sorted(chosen):
        place.hub.forget()
        place.proxy.seen.clear()
        place.proxy.once(_fault(kind, number), lambda passing, at=number: passing.number == at)
        told = place.run_or_tell()
        assert not told or "share store 'hf'" in told or place.name in told
        assert WRITER not in told
        assert "secret" not in told
        place.require_whole()
    assert len(place.proxy.done) == N_FAULTS_PER_KIND


@pytest.mark.parametrize(
    ("fault", "method", "found"),
    [
        (Fault("status", 503, "1"), "PUT", "answered 503"),
        (Fault("cut_request"), "PUT", "no complete answer"),
        (Fault("status", 507), "PUT", "answered 507"),
        (Fault("status", 500), "GET", "answered 500"),
    ],
)
def test_a_store_that_stays_away_is_given_up(
    place: Place, fault: Fault, method: str, found: str
) -> None:
    place.proxy.plan = lambda passing: fault if passing.method == method else None
    with pytest.raises(ShareError, match=rf"{REPO_ID}.*{found}"):
        place.store.put(place.file, place.name)
    place.require_whole()


def test_s16_signed_addresses_are_not_logged(place: Place) -> None:
    """The Hub's client logs where it tries again; the signature in there stays out."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(CLIENT_LOGGER)
    logger.addHandler(handler)
    place.proxy.once(Fault("status", 503, "1"), lambda passing: passing.method == "PUT")
    place.store.put(place.file, place.name)
    logger.removeHandler(handler)
    assert any("503" in text and "/lfs/" in text for text in told)
    assert not any("secret" in text for text in told)


def test_bytes_that_are_spoilt_on_every_way_are_damage(place: Place) -> None:
    link = place.store.put(place.file, place.name)
    place.proxy.plan = lambda passing: Fault("flip_reply") if "/cdn/" in passing.path else None
    with pytest.raises(DamagedError, match="sha256"):
        place.store.probe(link)
    place.require_whole()


def test_a_commit_whose_answer_is_always_lost_is_made_once(place: Place) -> None:
    """The Hub's client does not ask again; looking whether the file is there does."""
    place.proxy.plan = lambda passing: Fault("lost_reply") if "/commit/" in passing.path else None
    place.store.put(place.file, place.name)
    titles = [commit.title for commit in place.hub.repos[REPO_ID].commits]
    assert titles == ["initial commit", "Hold files of demo", f"Add {place.name}"]
    place.require_whole()


@pytest.mark.parametrize(("at", "n_sent"), [("PUT /lfs/", 2), ("POST /api", 1)])
def test_a_killed_run_is_completed_by_the_next(place: Place, at: str, n_sent: int) -> None:
    """kill -9 in the middle of the upload, and between upload and commit: then nothing is resent."""
    place.file.write_bytes(place.file.read_bytes() * 100)
    environment = {**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    process = subprocess.Popen(
        [sys.executable, "-c", PUT, REPO_ID, str(place.file), place.name], env=environment
    )

    def kill(passing: Passing) -> Fault | None:
        is_file_there = bool(place.sent())
        if not f"{passing.method} {passing.path}".startswith(at) or not is_file_there:
            return None
        process.kill()
        process.wait()
        place.proxy.plan = lambda passing: None
        return Fault("cut_request")

    place.proxy.plan = kill
    assert process.wait(120) == -signal.SIGKILL
    assert place.store.list() == []
    place.require_whole()
    assert place.sent() == n_sent * place.file.stat().st_size
