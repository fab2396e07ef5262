"""The s3 store without a server: settings, credentials, what links say, what is shown."""

from __future__ import annotations

import subprocess
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adata_assets.errors import InputError
from adata_assets.findings import Findings
from adata_assets.share import load_share_settings
from adata_assets.share.buckets import upload as s3_upload
from adata_assets.share.contract import ShareError, ShareStore, remote_name, sha256_of
from adata_assets.share.s3 import Store
from adata_assets_tests.share.conftest import open_s3
from adata_assets_tests.sockets import free_port

# The server that nobody asks; the client needs keys to sign with.
NOWHERE = "https://s3.example.org"
TOKEN, SECRET = "IQoJb3JpZ2luX2VjEXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OPEN_ONE = """
import sys
from upath import UPath
from adata_assets.share import open_share_store
settings = {"bucket": "cells", "links": "presigned"}
open_share_store("s3", settings, root=UPath("memory://"), dataset_id="demo")
sys.exit(bool({"boto3", "botocore"} & set(sys.modules)))
"""


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Keys of an account in the environment, which is no account of any server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return monkeypatch


def _name(file: Path) -> str:
    return remote_name("0001-of-0002", sha256_of(file), ".h5ad")


def _link_of(store: ShareStore) -> Any:
    assert isinstance(store, Store)
    return store._link("0001-of-0002-0123456789abcdef.h5ad", "0" * 64, 10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "links: Field required"),
        ({"links": "public"}, "links: public needs base_url"),
        ({"links": "public", "base_url": NOWHERE, "lifetime_s": 9}, "public ones do not end"),
        ({"links": "presigned", "base_url": NOWHERE}, "base_url is of links: public"),
        ({"links": "presigned", "lifetime_s": 604_801}, "lifetime_s: .*604800"),
        ({"links": "presigned", "lifetime_s": 0}, "lifetime_s: .*greater"),
        ({"links": "presigned", "prefix": "../x"}, "prefix: "),
        ({"links": "presigned", "prefix": "/x"}, "prefix: "),
        ({"links": "presigned", "bucket": "Cells"}, "bucket: "),
        ({"links": "presigned", "endpoint_url": "https://me:key@host.org"}, "without user"),
        ({"links": "presigned", "addressing": "host"}, "addressing: .*'path'"),
        ({"links": "presigned", "sse_kms_key_id": "k"}, "needs sse: aws:kms"),
        ({"links": "presigned", "secret_key": "hunter2key"}, "no setting 'secret_key'"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_share_settings("s3", {"bucket": "cells", **settings})
    assert "key@" not in str(caught.value) and "hunter2" not in str(caught.value)


def test_a_dataset_id_cannot_leave_its_folder() -> None:
    with pytest.raises(InputError, match=r"\.\./x"):
        open_s3(NOWHERE, "../x")


def test_opening_a_store_imports_no_client() -> None:
    command = [sys.executable, "-W", "ignore", "-c", OPEN_ONE]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("addressing", "begins"),
    [
        ("path", "https://s3.example.org/cells/a/b/demo/"),
        ("virtual", "https://cells.s3.example.org/a/b/demo/"),
    ],
)
def test_presigned_links_say_until_when(addressing: str, begins: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    store = open_s3(NOWHERE, addressing=addressing, prefix="a/b", lifetime_s=3600)
    link = _link_of(store)
    assert link.url.startswith(begins)
    assert "X-Amz-Expires=3600" in link.url and "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link.url
    assert before <= link.expires_at - timedelta(hours=1) <= datetime.now(UTC)
    assert urlsplit(link.url).path.endswith(".h5ad")
    assert "X-Amz" not in repr(link)


def test_without_keys_the_variables_are_named(keys: pytest.MonkeyPatch, chunk_file: Path) -> None:
    keys.delenv("AWS_ACCESS_KEY_ID")
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"):
        open_s3(NOWHERE).put(chunk_file, _name(chunk_file))
    public = open_s3(NOWHERE, links="public", base_url=NOWHERE)
    with pytest.raises(ShareError, match="NoCredentialsError.*AWS_SECRET_ACCESS_KEY"):
        public.put(chunk_file, _name(chunk_file))


def test_temporary_keys_shorten_links_and_are_published_only_when_asked(
    keys: pytest.MonkeyPatch,
) -> None:
    keys.setenv("AWS_SESSION_TOKEN", TOKEN)
    with pytest.raises(InputError, match="session_token: publish") as caught:
        _link_of(open_s3(NOWHERE))
    assert TOKEN not in str(caught.value)
    with pytest.raises(InputError, match="AWS_CREDENTIAL_EXPIRATION"):
        _link_of(open_s3(NOWHERE, session_token="publish"))
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    keys.setenv("AWS_CREDENTIAL_EXPIRATION", ends_at.isoformat())
    assert _link_of(open_s3(NOWHERE, session_token="publish")).expires_at == ends_at
    sooner = _link_of(open_s3(NOWHERE, session_token="publish", lifetime_s=60))
    assert sooner.expires_at < ends_at


@pytest.mark.usefixtures("keys")
def test_a_server_that_is_gone_shows_no_signed_address() -> None:
    store = open_s3(f"http://127.0.0.1:{free_port()}")
    link = _link_of(store)
    for ask in (store.probe, store.refresh):
        with pytest.raises(ShareError, match="6 tries") as caught:
            ask(link)
        told = "".join(traceback.format_exception(caught.value))
        assert "X-Amz" not in told and SECRET not in told


def test_parts_are_few_and_big_enough() -> None:
    assert s3_upload._part_bytes(100 << 20) == 16 << 20
    assert -(-(5 << 40) // s3_upload._part_bytes(5 << 40)) <= 10_000


def test_what_a_check_shows_has_no_signed_address() -> None:
    url = "https://s3.example.org/a.h5ad?X-Amz-Signature=1"
    result = repr(Findings([f"'{url}' is null"], 1, [url]).to_result())
    assert "a.h5ad' is null" in result and "X-Amz" not in result
