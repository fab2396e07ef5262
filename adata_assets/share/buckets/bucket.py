"""Requests to one bucket, asked again where that is worth it; what boto3's errors mean.

Belongs here: one method per request. Does not belong here: which requests an upload needs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from adata_assets.errors import InputError
from adata_assets.share.base.retry import TRANSIENT_STATUSES, read_retry_after, with_retries
from adata_assets.share.contract import ShareError, TransientError

_SHA256 = "sha256"
# Codes of status 400 that say that the request came to harm on its way.
_HARMED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "RequestTimeout"})
_GONE = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})
_KEYS = "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of an account that may"
_WAYS_OUT = {
    "NoSuchBucket": "make the bucket, or correct bucket or endpoint_url",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "ExpiredToken": "get new temporary credentials",
    "QuotaExceeded": "make room in the bucket or raise its quota",
    "EntityTooLarge": "use more chunks, so that files are smaller",
    "InvalidArgument": "correct sse and sse_kms_key_id",
    "401": f"{_KEYS} use the bucket",
    "403": f"{_KEYS} get, put, list and delete objects in the bucket",
    "301": "correct region or endpoint_url",
    "507": "make room in the bucket or raise its quota",
}


class UploadGoneError(ShareError):
    """An upload in parts, or one of its parts, is not what it was taken for."""


@dataclass(frozen=True)
class Held:
    """One object as the store describes it; ``sha256`` is what was stated when it was put."""

    sha256: str | None
    n_bytes: int


@dataclass(frozen=True)
class Upload:
    """An upload in parts that has not ended."""

    key: str
    upload_id: str


@dataclass(frozen=True)
class Part:
    """A part of an upload as the store describes it; the ETag without quotes."""

    etag: str
    n_bytes: int


class SharedBucket:
    """A bucket; every request says in its errors which key was meant.

    Parameters
    ----------
    open_client
        Returns the boto3 client, called with each request.
    name
        Of the bucket.
    stated
        What is asked for with every new object, such as its encryption.
    """

    def __init__(
        self, open_client: Callable[[], Any], name: str, stated: Mapping[str, str]
    ) -> None:
        self._open_client, self._name, self._stated = open_client, name, dict(stated)

    def head(self, key: str) -> Held | None:
        """Return what is stored under the key, None for nothing."""
        found = self._ask("head_object", key, is_missing_told=True)
        if found is None:
            return None
        return Held(found.get("Metadata", {}).get(_SHA256), found["ContentLength"])

    def put(self, key: str, body: bytes, sha256: str) -> None:
        """Store an object in one request, which the store refuses when a bit of it flipped."""
        stated: dict[str, Any] = {**self._stated, "Metadata": {_SHA256: sha256}}
        self._ask("put_object", key, Body=body, ContentMD5=content_md5(body), **stated)

    def delete(self, key: str) -> None:
        """Remove an object, if there is one."""
        self._ask("delete_object", key)

    def list_keys(self, prefix: str) -> list[str]:
        """Return all keys below a prefix, sorted."""
        found: list[str] = []
        asked: dict[str, Any] = {}
        while True:
            page = self._list("list_objects_v2", prefix, asked)
            found += [entry["Key"] for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                return sorted(found)
            asked = {"ContinuationToken": page["NextContinuationToken"]}

    def list_uploads(self, prefix: str) -> list[Upload]:
        """Return the unfinished uploads of all keys below a prefix."""
        found: list[Upload] = []
        asked: dict[str, Any] = {}
        while True:
            page = self._list("list_multipart_uploads", prefix, asked)
            found += [Upload(entry["Key"], entry["UploadId"]) for entry in page.get("Uploads", ())]
            if not page.get("IsTruncated"):
                return found
            asked = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def create_upload(self, key: str, sha256: str) -> Upload:
        """Begin an upload in parts."""
        stated: dict[str, Any] = {**self._stated, "Metadata": {_SHA256: sha256}}
        return Upload(key, self._ask("create_multipart_upload", key, **stated)["UploadId"])

    def list_parts(self, upload: Upload) -> dict[int, Part]:
        """Return the parts that have arrived, by number; none for an upload that has ended."""
        found: dict[int, Part] = {}
        marker = 0
        while True:
            page = self._ask(
                "list_parts",
                upload.key,
                is_missing_told=True,
                UploadId=upload.upload_id,
                PartNumberMarker=marker,
            )
            if page is None:
                return {}
            for entry in page.get("Parts", ()):
                found[entry["PartNumber"]] = Part(entry["ETag"].strip('"'), entry["Size"])
            if not page.get("IsTruncated"):
                return found
            marker = page["NextPartNumberMarker"]

    def put_part(self, upload: Upload, number: int, body: bytes) -> str:
        """Send one part and return its ETag, without quotes.

        Raises
        ------
        UploadGoneError
            If the upload has ended.
        """
        asked: dict[str, Any] = {"UploadId": upload.upload_id, "PartNumber": number}
        answer = self._ask(
            "upload_part", upload.key, Body=body, ContentMD5=content_md5(body), **asked
        )
        return str(answer["ETag"]).strip('"')

    def complete(self, upload: Upload, etags: Sequence[str]) -> None:
        """Make the object of the parts 1, 2, … with these ETags.

        Raises
        ------
        UploadGoneError
            If the upload has ended, or has other parts.
        """
        parts = [{"PartNumber": i, "ETag": f'"{etag}"'} for i, etag in enumerate(etags, start=1)]
        self._ask(
            "complete_multipart_upload",
            upload.key,
            UploadId=upload.upload_id,
            MultipartUpload={"Parts": parts},
        )

    def abort(self, upload: Upload) -> None:
        """Remove an unfinished upload and its parts, if there is one."""
        self._ask(
            "abort_multipart_upload", upload.key, is_missing_told=True, UploadId=upload.upload_id
        )

    def _list(self, operation: str, prefix: str, asked: dict[str, Any]) -> dict[str, Any]:
        return dict(self._ask(operation, prefix, in_folder=True, Prefix=prefix, **asked))

    def _ask(
        self,
        operation: str,
        key: str,
        *,
        is_missing_told: bool = False,
        in_folder: bool = False,
        **asked: Any,
    ) -> Any:
        named = {} if in_folder else {"Key": key}

        def ask() -> Any:
            with errors_told(f"share store 's3', bucket {self._name!r}, {key}"):
                request = getattr(self._open_client(), operation)
                return request(Bucket=self._name, **named, **asked)

        try:
            return with_retries(ask)
        except _NotThereError:
            if is_missing_told:
                return None
            raise


class _NotThereError(UploadGoneError):
    """There is no such key or upload."""


def content_md5(body: bytes) -> str:
    """Return the value of the header ``Content-MD5``."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


@contextmanager
def errors_told(place: str) -> Iterator[None]:
    """Turn what boto3 raises into errors that name the place and the way out.

    Raises
    ------
    TransientError
        If it is worth asking again.
    ShareError
        Otherwise; chains are cut, because errors of the client may hold addresses with secrets.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    on_the_way = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        ResponseParserError,
        # A flipped bit in the number or date of an answer.
        ValueError,
    )
    try:
        yield
    except InputError:
        raise
    except exceptions.ClientError as error:
        _raise(place, error.response)
    except on_the_way as error:
        raise TransientError(f"{place}: no whole answer ({type(error).__name__})") from None
    except exceptions.BotoCoreError as error:
        raise ShareError(
            f"{place}: boto3 says {type(error).__name__}; look at AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY, AWS_PROFILE and at bucket, region and endpoint_url in the YAML"
        ) from None


def _raise(place: str, answer: Mapping[str, Any]) -> NoReturn:
    about = answer.get("ResponseMetadata", {})
    status, code = about.get("HTTPStatusCode", 0), answer.get("Error", {}).get("Code", "")
    told = f"{place}: status {status} {'' if code == str(status) else code}".rstrip()
    # A failed completion comes with status 200 and says so in its body.
    if status in TRANSIENT_STATUSES or code in _HARMED or code in ("InternalError", "SlowDown"):
        retry_after_s = read_retry_after(about.get("HTTPHeaders", {}).get("retry-after"))
        raise TransientError(told, retry_after_s=retry_after_s) from None
    if status == 404 and code != "NoSuchBucket":
        raise _NotThereError(f"{told}; materialize share_links again") from None
    if code in _GONE:
        raise UploadGoneError(f"{told}; materialize share_links again") from None
    way_out = _WAYS_OUT.get(code) or _WAYS_OUT.get(str(status), "look at share in the YAML")
    raise ShareError(f"{told}; {way_out}") from None
