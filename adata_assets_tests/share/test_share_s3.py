"""The s3 store on a server: links that end, refusals, damage, pages, uploads that are disturbed."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from adata_assets.share.buckets import upload as s3_upload
from adata_assets.share.chunk_links import put_and_read_back
from adata_assets.share.contract import DamagedError, ShareError, ShareStore, remote_name, sha256_of
from adata_assets_tests.servers.faulty_proxy import running_proxy
from adata_assets_tests.servers.radosgw import BUCKET, PUBLIC_BUCKET, Radosgw
from adata_assets_tests.share.conftest import open_s3

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def _name(file: Path) -> str:
    return remote_name("0001-of-0002", sha256_of(file), ".h5ad")


def test_an_ended_link_is_made_anew_without_an_upload(s3_keys: Radosgw, chunk_file: Path) -> None:
    with running_proxy(s3_keys.url) as proxy:
        store = open_s3(proxy.url, lifetime_s=2)
        link = store.put(chunk_file, _name(chunk_file))
        store.probe(link)
        while datetime.now(UTC) <= link.expires_at:
            time.sleep(0.1)
        assert requests.get(link.url).status_code == 403
        with pytest.raises(ShareError, match="status 403") as caught:
            store.probe(link)
        assert "X-Amz" not in "".join(traceback.format_exception(caught.value))
        first = len(proxy.seen)
        fresh = open_s3(proxy.url, lifetime_s=3600).refresh(link)
        assert [passing.method for passing in proxy.seen[first:]] == ["HEAD"]
        assert fresh.expires_at > link.expires_at
        assert requests.get(fresh.url).content == chunk_file.read_bytes()


@pytest.mark.parametrize(
    ("settings", "variables", "message"),
    [
        ({}, {"AWS_SECRET_ACCESS_KEY": SECRET}, "status 403.*AWS_SECRET_ACCESS_KEY"),
        ({}, {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, "status 403.*list and delete"),
        ({"bucket": "nowhere"}, {}, "NoSuchBucket; make the bucket"),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(
    s3_keys: Radosgw,
    monkeypatch: pytest.MonkeyPatch,
    chunk_file: Path,
    settings: dict[str, str],
    variables: dict[str, str],
    message: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ShareError, match=message) as caught:
        open_s3(s3_keys.url, **settings).put(chunk_file, _name(chunk_file))
    told = "".join(traceback.format_exception(caught.value))
    assert _name(chunk_file) in str(caught.value)
    assert not any(word in told for word in (SECRET, s3_keys.secret, "Signature="))


@pytest.mark.parametrize("part_bytes", [4096, 1 << 20])
def test_encryption_is_asked_for(
    s3_keys: Radosgw, chunk_file: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(s3_upload, "_PART_BYTES", part_bytes)
    store = open_s3(s3_keys.url, sse="aws:kms", sse_kms_key_id="cells-key")
    store.probe(store.put(chunk_file, _name(chunk_file)))
    found = s3_keys.client.head_object(Bucket=BUCKET, Key=f"demo/{_name(chunk_file)}")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", "cells-key")


def _damage(gateway: Radosgw, file: Path, body: bytes, **metadata: str) -> None:
    gateway.client.put_object(
        Bucket=BUCKET, Key=f"demo/{_name(file)}", Body=body, Metadata=metadata
    )


def test_damage_that_size_and_metadata_hide_is_found_by_the_probe_and_mended(
    open_s3_store: Callable[[str], ShareStore], s3_keys: Radosgw, chunk_file: Path
) -> None:
    store, sha256 = open_s3_store("demo"), sha256_of(chunk_file)
    _damage(s3_keys, chunk_file, bytes(chunk_file.stat().st_size), sha256=sha256)
    link = store.put(chunk_file, _name(chunk_file))
    with pytest.raises(DamagedError):
        store.probe(link)
    store.probe(put_and_read_back(store, chunk_file, _name(chunk_file)))
    assert s3_keys.count(BUCKET) == (1, 0)


def test_a_short_or_unknown_object_is_stored_again(
    open_s3_store: Callable[[str], ShareStore], s3_keys: Radosgw, chunk_file: Path
) -> None:
    store = open_s3_store("demo")
    for body, metadata in ((b"x", {"sha256": sha256_of(chunk_file)}), (b"y" * 10_248, {})):
        _damage(s3_keys, chunk_file, body, **metadata)
        store.probe(store.put(chunk_file, _name(chunk_file)))


def test_the_same_bytes_are_looked_at_and_not_sent(s3_keys: Radosgw, chunk_file: Path) -> None:
    with running_proxy(s3_keys.url) as proxy:
        open_s3(proxy.url).put(chunk_file, _name(chunk_file))
        n_before = len(proxy.seen)
        open_s3(proxy.url).put(chunk_file, _name(chunk_file))
        assert [passing.method for passing in proxy.seen[n_before:]] == ["HEAD"]


def test_public_links_need_no_keys_to_be_probed(
    open_s3_public_store: Callable[[str], ShareStore],
    chunk_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    s3_keys: Radosgw,
) -> None:
    link = open_s3_public_store("demo").put(chunk_file, _name(chunk_file))
    key = f"shared/cells/demo/{_name(chunk_file)}"
    assert (link.url, link.expires_at) == (f"{s3_keys.url}/{PUBLIC_BUCKET}/{key}", None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    open_s3_public_store("demo").probe(link)


def test_a_closed_bucket_gives_no_public_links(s3_keys: Radosgw, chunk_file: Path) -> None:
    store = open_s3(s3_keys.url, links="public", base_url=f"{s3_keys.url}/{BUCKET}")
    with pytest.raises(ShareError, match="cannot be read back.*status 403"):
        store.probe(store.put(chunk_file, _name(chunk_file)))


def test_long_lists_come_in_pages(
    s3_keys: Radosgw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "_PART_BYTES", 1024)
    store = open_s3(s3_keys.url)
    limits = {"ListObjectsV2": "MaxKeys", "ListMultipartUploads": "MaxUploads"}
    for operation, limit in {**limits, "ListParts": "MaxParts"}.items():
        store._client.meta.events.register(  # type: ignore[attr-defined]
            f"provide-client-params.s3.{operation}",
            lambda params, limit=limit, **about: {**params, limit: 1},
        )
    names = []
    for i in range(3):
        file = tmp_path / f"{i}.h5ad"
        file.write_bytes(bytes([i]) * 100)
        names.append(store.put(file, _name(file)).remote_name)
    assert store.list() == sorted(names)
    big = tmp_path / "big.h5ad"
    big.write_bytes(bytes(range(256)) * 16)
    key, client = f"demo/{_name(big)}", s3_keys.client
    empty = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    begun = client.create_multipart_upload(
        Bucket=BUCKET, Key=key, Metadata={"sha256": sha256_of(big)}
    )["UploadId"]
    for number in (1, 2, 3):
        body = big.read_bytes()[1024 * (number - 1) : 1024 * number]
        client.upload_part(Bucket=BUCKET, Key=key, UploadId=begun, PartNumber=number, Body=body)
    unfinished = store.list_unfinished()
    assert unfinished == sorted(f"{_name(big)}?uploadId={each}" for each in (empty, begun))
    store.probe(store.put(big, _name(big)))
    assert list(store.list_unfinished()) == []


def test_an_upload_that_is_aborted_meanwhile_begins_again(
    s3_keys: Radosgw, chunk_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_upload, "_PART_BYTES", 4096)
    store, n_aborted = open_s3(s3_keys.url), 0

    def abort_once(n_sent: int, n_bytes: int) -> None:
        nonlocal n_aborted
        for upload in store.list_unfinished() if n_aborted == 0 else ():
            store.discard_unfinished(upload)
            n_aborted += 1

    store.probe(store.put(chunk_file, _name(chunk_file), report=abort_once))
    assert n_aborted == 1
    assert s3_keys.count(BUCKET) == (1, 0)


def test_a_store_that_drops_metadata_is_given_up(
    s3_keys: Radosgw, chunk_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that drops metadata can never say that it holds a file."""
    store = open_s3(s3_keys.url)
    store._client.meta.events.register(  # type: ignore[attr-defined]
        "provide-client-params.s3.PutObject", lambda params, **about: {**params, "Metadata": {}}
    )
    with pytest.raises(ShareError, match="sent 3 times.*drops the metadata"):
        store.put(chunk_file, _name(chunk_file))
