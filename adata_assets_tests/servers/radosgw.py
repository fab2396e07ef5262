"""Ceph's S3 server on loopback: one monitor, one store in memory, one gateway, in a folder.

It refuses wrong keys, wrong checksums, tampered and expired addresses, as Amazon's does.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
HOW_TO_INSTALL = (
    "no radosgw found; install it (Debian: apt-get install --no-install-recommends radosgw "
    "ceph-mon ceph-osd) and run: python -m pytest adata_assets_tests/share"
)
BUCKET, PUBLIC_BUCKET = "cells", "open-cells"
_START_S, _STOP_S = 60, 10
_CONFIGURATION = """[global]
fsid = {fsid}
keyring = {folder}/keyring
mon host = [v2:127.0.0.1:{mon_port}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
paxos propose interval = 0.02
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw multipart min part size = 1
rgw thread pool size = 32
rgw dynamic resharding = false
rgw enable usage log = false
rgw enable quota threads = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw run sync thread = false
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = cells-key={kms_key}
"""


def find_radosgw() -> bool:
    """Whether all programs that are needed are installed."""
    return all(map(shutil.which, PROGRAMS))


@dataclass(frozen=True)
class Radosgw:
    """A running gateway with one user and two buckets; anybody may read `PUBLIC_BUCKET`."""

    url: str
    key_id: str
    secret: str

    @cached_property
    def client(self) -> Any:
        """A client of the user, beside the code under test."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session(self.key_id, self.secret).client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            config=Config(request_checksum_calculation="when_required", proxies={}),
        )

    def count(self, bucket: str, prefix: str = "") -> tuple[int, int]:
        """Return how many objects and how many unfinished uploads a bucket holds."""
        client = self.client
        objects = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
        return len(objects), len(uploads)

    def empty(self, bucket: str) -> None:
        """Remove all objects and unfinished uploads of a bucket."""
        client = self.client
        for entry in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=entry["Key"])
        for entry in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=bucket, Key=entry["Key"], UploadId=entry["UploadId"]
            )


@contextmanager
def running_radosgw(folder: Path) -> Iterator[Radosgw]:
    """Run the three servers while the block lasts."""
    port, mon_port = _free_port(), _free_port()
    gateway = Radosgw(f"http://127.0.0.1:{port}", secrets.token_hex(10).upper(), _make_secret())
    fsid, osd_id = str(uuid.uuid4()), str(uuid.uuid4())
    kms_key = base64.b64encode(os.urandom(32)).decode()
    _write_configuration(folder, fsid=fsid, mon_port=mon_port, port=port, kms_key=kms_key)
    started: list[subprocess.Popen[bytes]] = []

    def run(*command: str) -> None:
        _run(folder, *command)

    def start(*command: str) -> None:
        started.append(_start(folder, *command))

    try:
        run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{mon_port}/0]", "--fsid", fsid,
            f"{folder}/monmap")  # fmt: skip
        run("ceph-mon", "-i", "a", "--mkfs", "--monmap", f"{folder}/monmap",
            "--keyring", f"{folder}/keyring")  # fmt: skip
        start("ceph-mon", "-i", "a")
        run("ceph", "osd", "new", osd_id)
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        start("ceph-osd", "-i", "0")
        run("radosgw-admin", "user", "create", "--uid", "tester", "--display-name", "Tester",
            "--access-key", gateway.key_id, "--secret", gateway.secret)  # fmt: skip
        start("radosgw", "-n", "client.admin")
        _wait(lambda: _listens(port), folder)
        _make_buckets(gateway.client)
        yield gateway
    finally:
        for process in reversed(started):
            _stop(process)


def _write_configuration(folder: Path, **values: object) -> None:
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    (folder / "ceph.conf").write_text(_CONFIGURATION.format(folder=folder, **values))
    caps = '\tcaps mon = "allow *"\n\tcaps osd = "allow *"\n'
    keys = [f"[{who}]\n\tkey = {_ceph_key()}\n{caps}" for who in ("mon.", "client.admin", "osd.0")]
    (folder / "keyring").write_text("\n".join(keys))


def _ceph_key() -> str:
    header = struct.pack("<hiih", 1, int(time.time()), 0, 16)
    return base64.b64encode(header + os.urandom(16)).decode()


def _make_secret() -> str:
    return base64.b64encode(os.urandom(30)).decode()


def _make_buckets(client: Any) -> None:
    for bucket in (BUCKET, PUBLIC_BUCKET):
        client.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{PUBLIC_BUCKET}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_bucket_policy(Bucket=PUBLIC_BUCKET, Policy=json.dumps(policy))


def _command(folder: Path, program: str, *options: str) -> list[str]:
    if program == "monmaptool":
        return [program, *options]
    return [program, "-c", str(folder / "ceph.conf"), *options]


def _run(folder: Path, *command: str) -> None:
    ran = subprocess.run(
        _command(folder, *command), cwd=folder, capture_output=True, text=True, timeout=_START_S
    )
    assert ran.returncode == 0, f"{command}: {ran.stdout}\n{ran.stderr}"


def _start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    with (folder / f"{command[0]}.out").open("wb") as output:
        return subprocess.Popen(
            [*_command(folder, *command), "-f"],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    # What is in memory is not worth an orderly end.
    with suppress(ProcessLookupError):
        process.kill()
    process.wait(_STOP_S)


def _wait(is_so: Callable[[], bool], folder: Path) -> None:
    end = time.monotonic() + _START_S
    while not is_so():
        log = (folder / "client.admin.log").read_text(errors="replace")[-3000:]
        assert time.monotonic() < end, f"radosgw did not start within {_START_S} s\n{log}"
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
