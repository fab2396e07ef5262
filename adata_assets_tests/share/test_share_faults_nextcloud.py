"""The Nextcloud store when connections break, answers get lost, bits flip and processes die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.contract import ShareError, ShareLink, ShareStore, remote_name, sha256_of
from adata_assets.share.webdav import files as nextcloud_files
from adata_assets_tests.servers.faulty_proxy import (
    KINDS,
    Fault,
    FaultyProxy,
    Kind,
    Passing,
    running_proxy,
)
from adata_assets_tests.servers.nextcloud_state import Cloud

PART_BYTES = 4096
# Requests that one whole story takes: fewer, and some faults would miss it.
N_REQUESTS = 22
FAULTS_PER_KIND = 12
STATUSES = (500, 502, 503, 504, 429, 423, 408)
_PUT = """
import sys
from pathlib import Path
from upath import UPath
from adata_assets.share import open_share_store
from adata_assets.share.webdav import files as nextcloud_files
url, file, name, part_bytes = sys.argv[1:]
nextcloud_files._PART_BYTES = int(part_bytes)
store = open_share_store("nextcloud", {"url": url}, root=UPath("."), dataset_id="demo")
store.put(Path(file), name)
"""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextcloud_files, "_PART_BYTES", PART_BYTES)


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[FaultyProxy]:
    """A proxy before the server, which spoils nothing yet."""
    with running_proxy(cloud.url) as running:
        yield running


@pytest.fixture
def name(chunk_file: Path) -> str:
    """The remote name of the file, which is sent in three parts."""
    assert 2 * PART_BYTES < chunk_file.stat().st_size < 3 * PART_BYTES
    return remote_name("0001-of-0002", sha256_of(chunk_file), ".h5ad")


def open_store(url: str, dataset_id: str = "demo") -> ShareStore:
    """Return a store at an address."""
    return open_share_store("nextcloud", {"url": url}, root=UPath("."), dataset_id=dataset_id)


def _whole_story(store: ShareStore, file: Path, name: str) -> ShareLink:
    link = store.put(file, name)
    store.probe(link)
    fresh = store.refresh(link)
    store.probe(fresh, whole=False)
    return fresh


def _require_one_of_each(cloud: Cloud, store: ShareStore, dataset_id: str, link: ShareLink) -> None:
    for upload in store.list_unfinished():
        store.discard_unfinished(upload)
    folder = f"adata_assets/{dataset_id}"
    assert [p for p in cloud.files if p.startswith(f"{folder}/")] == [
        f"{folder}/{link.remote_name}"
    ]
    assert len([share for share in cloud.shares if share.path == folder]) == 1
    assert cloud.uploads == {}
    served = requests.get(link.url, timeout=10)
    assert (served.status_code, len(served.content)) == (200, link.n_bytes)
    store.probe(link)


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_anywhere_is_got_over(
    kind: Kind, cloud: Cloud, proxy: FaultyProxy, chunk_file: Path, name: str
) -> None:
    """Twelve places of each kind: 84 faults, all of which happen, one per dataset."""
    rng = random.Random(f"nextcloud {kind}")
    for place in sorted(rng.sample(range(N_REQUESTS), FAULTS_PER_KIND)):
        fault = Fault(kind, status=rng.choice(STATUSES), retry_after=rng.choice([None, "1"]))
        at = len(proxy.seen) + place
        proxy.plan = lambda passing, at=at, fault=fault: fault if passing.number == at else None
        dataset_id = f"d{place}"
        store = open_store(proxy.url, dataset_id)
        with suppress(ShareError):
            _whole_story(store, chunk_file, name)
            store.revoke(name)
        link = _whole_story(store, chunk_file, name)
        _require_one_of_each(cloud, store, dataset_id, link)
    assert len(proxy.done) == FAULTS_PER_KIND


def _always(fault: Fault, method: str, part: str = "") -> Callable[[Passing], Fault | None]:
    return lambda passing: fault if passing.method == method and part in passing.path else None


@pytest.mark.parametrize(
    ("method", "fault", "words"),
    [
        ("PUT", Fault("status", 503), "in maintenance or overloaded.*6 tries in a row"),
        ("PUT", Fault("cut_request"), "no complete answer.*6 tries in a row"),
        ("PUT", Fault("status", 507), "quota of the user is used up"),
        ("MOVE", Fault("status", 423, "0"), "locked.*6 tries in a row"),
        ("PUT", Fault("flip_request"), "joined twice to other bytes"),
        ("POST", Fault("status", 403), "ask the administrator"),
        ("POST", Fault("lost_reply"), "no complete answer|$"),
        ("PROPFIND", Fault("cut_reply"), "no complete answer"),
        ("GET", Fault("status", 500), "6 tries in a row"),
    ],
)
def test_what_does_not_pass_is_given_up_and_a_later_put_completes(
    method: str,
    fault: Fault,
    words: str,
    cloud: Cloud,
    proxy: FaultyProxy,
    chunk_file: Path,
    name: str,
) -> None:
    store = open_store(proxy.url)
    proxy.plan = _always(fault, method)
    if (method, fault.kind) == ("POST", "lost_reply"):
        # The share was made all the same, and is found before another is made.
        store.put(chunk_file, name)
    else:
        with pytest.raises(ShareError, match=words) as caught:
            store.put(chunk_file, name)
        assert cloud.password not in str(caught.value)
        assert cloud.user not in str(caught.value)
    assert proxy.done
    proxy.plan = lambda passing: None
    _require_one_of_each(cloud, store, "demo", _whole_story(store, chunk_file, name))
    assert cloud.n_shares_made == 1


def test_parts_that_arrived_are_not_sent_again(
    cloud: Cloud, proxy: FaultyProxy, chunk_file: Path, name: str
) -> None:
    proxy.plan = _always(Fault("cut_request"), "PUT", "/00003")
    with pytest.raises(ShareError, match="6 tries"):
        open_store(proxy.url).put(chunk_file, name)
    assert cloud.n_bytes_received == 2 * PART_BYTES
    assert len(open_store(proxy.url).list_unfinished()) == 1
    proxy.plan = lambda passing: None
    link = open_store(proxy.url).put(chunk_file, name)
    assert cloud.n_bytes_received == link.n_bytes
    assert open_store(proxy.url).list_unfinished() == []


def test_parts_of_another_size_and_number_are_replaced(
    cloud: Cloud, chunk_file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.quota = 8000
    monkeypatch.setattr(nextcloud_files, "_PART_BYTES", 1000)
    with pytest.raises(ShareError, match="quota"):
        open_store(cloud.url).put(chunk_file, name)
    assert [len(parts) for parts in cloud.uploads.values()] == [11]
    cloud.quota = None
    monkeypatch.setattr(nextcloud_files, "_PART_BYTES", PART_BYTES)
    _require_one_of_each(
        cloud,
        open_store(cloud.url),
        "demo",
        _whole_story(open_store(cloud.url), chunk_file, name),
    )


@pytest.mark.parametrize("is_joined", [True, False])
def test_parts_that_vanish_are_sent_again_unless_somebody_joined_them(
    is_joined: bool, cloud: Cloud, chunk_file: Path, name: str
) -> None:
    """Another process puts the same file at the same time, or the server tidies up."""

    def vanish(method: str, path: str, body: bytes) -> None:
        if method == "PUT" and path.endswith("/00002"):
            cloud.before = lambda *asked: None
            if is_joined:
                open_store(cloud.url).put(chunk_file, name)
            cloud.uploads.clear()

    cloud.before = vanish
    store = open_store(cloud.url)
    _require_one_of_each(cloud, store, "demo", _whole_story(store, chunk_file, name))


def test_killed_three_times_nothing_that_arrived_is_sent_again(
    cloud: Cloud, tmp_path: Path
) -> None:
    """kill -9 while part 2, 4 and 6 of eight are on their way; the fourth process completes."""
    file = tmp_path / "big.h5ad"
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + random.Random(5).randbytes(8 * PART_BYTES - 8))
    name = remote_name("0001-of-0002", sha256_of(file), ".h5ad")
    for number in (2, 4, 6):
        process, is_there = [], threading.Event()

        def kill(
            method: str, path: str, body: bytes, number=number, process=process, is_there=is_there
        ) -> None:
            if method == "PUT" and path.endswith(f"/{number:05d}"):
                is_there.wait(60)
                os.kill(process[0].pid, signal.SIGKILL)
                raise ConnectionError("the client is dead")

        cloud.before = kill
        arguments = [cloud.url, str(file), name, str(PART_BYTES)]
        process.append(subprocess.Popen([sys.executable, "-c", _PUT, *arguments]))
        is_there.set()
        assert process[0].wait(120) == -signal.SIGKILL
        assert cloud.n_bytes_received == (number - 1) * PART_BYTES
    cloud.before = lambda method, path, body: None
    store = open_store(cloud.url)
    link = _whole_story(store, file, name)
    assert cloud.n_bytes_received == link.n_bytes
    _require_one_of_each(cloud, store, "demo", link)
