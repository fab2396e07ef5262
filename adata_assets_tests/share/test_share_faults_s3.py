"""S3 through a proxy that cuts, loses, flips and refuses: one copy with the right bytes remains."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from adata_assets.share.buckets import upload as s3_upload
from adata_assets.share.contract import ShareError, ShareStore, remote_name, sha256_of
from adata_assets_tests.servers.faulty_proxy import Fault, FaultyProxy, Passing, running_proxy
from adata_assets_tests.servers.radosgw import BUCKET, Radosgw
from adata_assets_tests.share.conftest import open_s3

PART_BYTES = 4096
STATUSES = (
    Fault("status", 503, retry_after="1"),
    Fault("status", 500),
    Fault("status", 429, retry_after="2"),
)
# Requests of the story below, in order: method and what its fault can spoil.
IN_ONE = ("HEAD", "PUT", "HEAD", "GET", "GET", "HEAD", "DELETE")
IN_PARTS = (
    *("HEAD", "GET", "POST", "PUT", "PUT", "PUT", "POST+", "GET", "HEAD"),
    *("GET", "GET", "HEAD", "DELETE"),
)
N_PER_FORM = 45
PUT_IT = f"""
import sys
from pathlib import Path
from upath import UPath
from adata_assets.share import open_share_store
from adata_assets.share.buckets import upload as s3_upload
s3_upload._PART_BYTES = {PART_BYTES}
url, file, name = sys.argv[1:]
settings = {{"bucket": "{BUCKET}", "links": "presigned", "endpoint_url": url}}
store = open_share_store("s3", settings, root=UPath("memory://"), dataset_id="demo")
store.put(Path(file), name)
"""


def _faults_for(method: str) -> list[Fault]:
    faults = [*STATUSES, Fault("cut_request"), Fault("lost_reply")]
    if method in ("GET", "POST", "POST+"):
        faults += [Fault("cut_reply"), Fault("flip_reply"), Fault("slow")]
    if method in ("PUT", "POST+"):
        faults += [Fault("flip_request")]
    return faults


def _plan(form: tuple[str, ...], seed: int) -> list[tuple[int, Fault]]:
    """Every request with every fault that spoils something there, a seeded choice of them."""
    every = [(i, fault) for i, method in enumerate(form) for fault in _faults_for(method)]
    return random.Random(seed).sample(every, min(N_PER_FORM, len(every)))


PLANS = {"one": _plan(IN_ONE, 1), "parts": _plan(IN_PARTS, 2)}


@pytest.fixture
def proxy(s3_keys: Radosgw) -> Iterator[FaultyProxy]:
    """A proxy before the gateway, whose buckets are empty."""
    with running_proxy(s3_keys.url) as found:
        yield found


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a size of which the test's file has three."""
    monkeypatch.setattr(s3_upload, "_PART_BYTES", PART_BYTES)


def _name(file: Path) -> str:
    return remote_name("0001-of-0002", sha256_of(file), ".h5ad")


def _sent(proxy: FaultyProxy) -> list[Passing]:
    """Return the requests that carried bytes of a file."""
    return [passing for passing in proxy.seen if passing.method == "PUT"]


def _clean(store: ShareStore) -> None:
    for upload in store.list_unfinished():
        store.discard_unfinished(upload)


def _live(store: ShareStore, file: Path, gateway: Radosgw) -> None:
    """Put, probe and refresh, look at the server as a stranger and as its owner, revoke."""
    link = store.put(file, _name(file))
    store.probe(link)
    fresh = store.refresh(link)
    stored = gateway.client.get_object(Bucket=BUCKET, Key=f"demo/{_name(file)}")["Body"].read()
    assert hashlib.sha256(stored).hexdigest() == fresh.sha256 == sha256_of(file)
    assert gateway.count(BUCKET)[0] == 1
    store.revoke(link.remote_name)


def _live_again(store: ShareStore, file: Path, gateway: Radosgw) -> None:
    try:
        _live(store, file, gateway)
    except ShareError:
        _live(store, file, gateway)
    _clean(store)
    assert gateway.count(BUCKET) == (0, 0)


def _story(
    form: str, proxy: FaultyProxy, file: Path, gateway: Radosgw, pauses: list[float]
) -> None:
    store, clean = open_s3(proxy.url), {"one": IN_ONE, "parts": IN_PARTS}[form]
    _live(store, file, gateway)
    assert [passing.method for passing in proxy.seen] == [each.strip("+") for each in clean]
    for number, fault in PLANS[form]:
        first, n_done = len(proxy.seen), len(proxy.done)
        proxy.once(fault, lambda passing, at=first + number: passing.number == at)
        pauses.clear()
        _live_again(store, file, gateway)
        assert len(proxy.done) == n_done + 1
        assert fault.retry_after is None or float(fault.retry_after) in pauses
    assert len(proxy.done) == len(PLANS[form])


def test_a_file_in_one_request_survives_every_fault(
    proxy: FaultyProxy, chunk_file: Path, s3_keys: Radosgw, pauses: list[float]
) -> None:
    _story("one", proxy, chunk_file, s3_keys, pauses)


@pytest.mark.usefixtures("small_parts")
def test_a_file_in_parts_survives_every_fault(
    proxy: FaultyProxy, chunk_file: Path, s3_keys: Radosgw, pauses: list[float]
) -> None:
    _story("parts", proxy, chunk_file, s3_keys, pauses)


def test_the_plans_hold_enough_faults_of_every_kind() -> None:
    assert sum(map(len, PLANS.values())) >= 80
    kinds = {fault.kind for plan in PLANS.values() for _, fault in plan}
    assert len(kinds) == 7


def _is_part(number: int) -> Callable[[Passing], bool]:
    return lambda passing: passing.method == "PUT" and f"partNumber={number}&" in f"{passing.path}&"


def _is_end(passing: Passing) -> bool:
    return passing.method == "POST" and "uploadId=" in passing.path


@pytest.mark.parametrize(
    "fault", [Fault("status", 503), Fault("cut_request"), Fault("flip_request")]
)
@pytest.mark.parametrize("when", [_is_part(2), _is_end], ids=["part", "end"])
@pytest.mark.usefixtures("small_parts")
def test_what_does_not_end_is_told_and_gone_on_with(
    proxy: FaultyProxy,
    chunk_file: Path,
    s3_keys: Radosgw,
    fault: Fault,
    when: Callable[[Passing], bool],
) -> None:
    store = open_s3(proxy.url)
    proxy.plan = lambda passing: fault if when(passing) else None
    with pytest.raises(ShareError, match=rf"'s3'.*{_name(chunk_file)}.*6 tries") as caught:
        store.put(chunk_file, _name(chunk_file))
    assert s3_keys.secret not in str(caught.value)
    assert s3_keys.count(BUCKET) == (0, 1)
    assert [upload.split("?")[0] for upload in store.list_unfinished()] == [_name(chunk_file)]
    n_there = len(proxy.seen)
    proxy.plan = lambda passing: None
    store.probe(store.put(chunk_file, _name(chunk_file)))
    again = [passing for passing in proxy.seen[n_there:] if passing.method == "PUT"]
    assert not any(_is_part(1)(passing) for passing in again)
    assert len(again) == (2 if when is not _is_end else 0)
    assert s3_keys.count(BUCKET) == (1, 0)


def test_what_flips_for_good_is_never_accepted(
    proxy: FaultyProxy, chunk_file: Path, s3_keys: Radosgw
) -> None:
    store = open_s3(proxy.url)
    proxy.plan = lambda passing: Fault("flip_request") if passing.n_bytes else None
    with pytest.raises(ShareError, match="6 tries"):
        store.put(chunk_file, _name(chunk_file))
    assert s3_keys.count(BUCKET) == (0, 0)
    proxy.plan = lambda passing: None
    store.probe(store.put(chunk_file, _name(chunk_file)))


def _put_and_die(proxy: FaultyProxy, file: Path, at: Callable[[Passing], bool], how: Fault) -> None:
    """Put in a process of its own, which is killed when a request is on its way."""
    started: list[subprocess.Popen[bytes]] = []

    def plan(passing: Passing) -> Fault | None:
        if not at(passing):
            return None
        os.kill(started[0].pid, signal.SIGKILL)
        return how

    proxy.plan = plan
    command = [sys.executable, "-W", "ignore", "-c", PUT_IT, proxy.url, str(file), _name(file)]
    started.append(subprocess.Popen(command))
    assert started[0].wait(120) == -signal.SIGKILL
    proxy.plan = lambda passing: None


@pytest.mark.usefixtures("small_parts")
def test_killed_three_times_in_one_upload(
    proxy: FaultyProxy, tmp_path: Path, s3_keys: Radosgw
) -> None:
    """Killed at a part, at a later part and at the very end: each part arrives once."""
    file = tmp_path / "big.h5ad"
    file.write_bytes(random.Random(3).randbytes(6 * PART_BYTES))
    _put_and_die(proxy, file, _is_part(3), Fault("cut_request"))
    _put_and_die(proxy, file, _is_part(5), Fault("cut_request"))
    assert s3_keys.count(BUCKET) == (0, 1)
    _put_and_die(proxy, file, _is_end, Fault("lost_reply"))
    numbers = [next(i for i in range(1, 7) if _is_part(i)(passing)) for passing in _sent(proxy)]
    assert numbers == [1, 2, 3, 3, 4, 5, 5, 6]
    store, n_sent = open_s3(proxy.url), len(_sent(proxy))
    link = store.put(file, _name(file))
    assert len(_sent(proxy)) == n_sent
    assert hashlib.sha256(requests.get(link.url).content).hexdigest() == sha256_of(file)
    assert s3_keys.count(BUCKET) == (1, 0)
