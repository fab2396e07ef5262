"""Any S3 bucket: Amazon's, Ceph's, MinIO's; links are public or presigned.

Belongs here: settings, and what the store promises. Does not belong here: requests,
uploads and signed addresses (`buckets`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share.base.readback import read_back, without_query
from adata_assets.share.buckets.bucket import SharedBucket, Upload, errors_told
from adata_assets.share.buckets.presign import (
    LONGEST_LIFETIME_S,
    plain_url,
    presign,
    require_presigning,
)
from adata_assets.share.buckets.upload import send_file
from adata_assets.share.contract import (
    MissingError,
    Progress,
    ShareError,
    ShareLink,
    require_name,
    require_own_name,
    require_shareable,
    silent,
    suffix_of,
)
from adata_assets.sources.s3_client import Addressing, open_client, open_session

# Parts of addresses: nothing that would have to be quoted, or could lead elsewhere.
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_N_STARTS = 3


class Settings(BaseModel):
    """Settings of the s3 store in a dataset's YAML; credentials come from the usual AWS chain.

    Attributes
    ----------
    bucket
        Name of the bucket, which must exist.
    prefix
        Folder in the bucket; keys are `<prefix>/<dataset_id>/<name>`.
    endpoint_url
        Address of the server; default what `AWS_ENDPOINT_URL_S3` says, else Amazon's.
    region
        Default what `AWS_REGION` or `AWS_DEFAULT_REGION` say, else us-east-1.
    addressing
        Whether the bucket's name stands in the path or in the host of addresses.
    links
        `public`: without an end, the bucket lets anybody read. `presigned`: they hold the access
        key id and end after `lifetime_s`.
    base_url
        What public links begin with; `<base_url>/<key>`.
    lifetime_s
        How long presigned links work, in seconds; at most and by default 7 days.
    session_token
        `publish`: temporary credentials may sign links, which then hold their session token and
        end with them.
    sse
        Encryption on the server that is asked for with each file.
    sse_kms_key_id
        Key of `aws:kms`; default the bucket's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
    prefix: str = Field("", pattern=rf"^({_SEGMENT}(/{_SEGMENT})*)?$")
    endpoint_url: str | None = None
    region: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")
    addressing: Addressing = "auto"
    links: Literal["public", "presigned"]
    base_url: str | None = None
    lifetime_s: int | None = Field(None, ge=1, le=LONGEST_LIFETIME_S)
    session_token: Literal["refuse", "publish"] = "refuse"
    sse: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    sse_kms_key_id: str | None = Field(None, min_length=1)

    @field_validator("endpoint_url", "base_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname
        if not whole or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "expected http(s)://host[:port][/path] without user, query or fragment; found "
                f"{without_query(value)!r}"
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _check_links(self) -> Settings:
        if self.links == "public" and self.base_url is None:
            raise ValueError("links: public needs base_url, at which anybody can read the bucket")
        if self.links == "public" and self.lifetime_s is not None:
            raise ValueError("lifetime_s is of links: presigned; public ones do not end")
        if self.links == "presigned" and self.base_url is not None:
            raise ValueError("base_url is of links: public; presigned ones begin with endpoint_url")
        if self.sse_kms_key_id is not None and not (self.sse or "").startswith("aws:kms"):
            raise ValueError("sse_kms_key_id needs sse: aws:kms")
        return self

    @property
    def link_lifetime_s(self) -> int | None:
        """How long a new link works; None: without an end."""
        return None if self.links == "public" else self.lifetime_s or LONGEST_LIFETIME_S

    @property
    def stated(self) -> dict[str, str]:
        """What is asked for with every new object, in boto3's words."""
        stated = {"ServerSideEncryption": self.sse, "SSEKMSKeyId": self.sse_kms_key_id}
        return {name: value for name, value in stated.items() if value}


class Store:
    """Shared files in ``s3://<bucket>/<prefix>/<dataset_id>/``; the storage root is not used.

    Opening it connects to nothing and imports no client.

    Raises
    ------
    InputError
        If the dataset id cannot be part of an address.
    """

    name: ClassVar[str] = "s3"

    def __init__(self, settings: Settings, *, root: UPath, dataset_id: str) -> None:
        if re.fullmatch(_SEGMENT, dataset_id) is None:
            raise InputError(f"dataset id {dataset_id!r}: expected letters, digits, '.', '_', '-'")
        self.settings = settings
        self.dataset_id = dataset_id
        self._folder = "/".join(filter(None, (settings.prefix, dataset_id))) + "/"
        self._bucket = SharedBucket(lambda: self._client, settings.bucket, settings.stated)

    @cached_property
    def _session(self) -> Any:
        return open_session()

    @cached_property
    def _client(self) -> Any:
        return self._open_client("s3v4")

    @cached_property
    def _plain_client(self) -> Any:
        return self._open_client("none")

    def put(self, file: Path, name: str, *, report: Progress = silent) -> ShareLink:
        """Send the file unless the bucket holds it with this sha256, and return its link.

        Raises
        ------
        InputError
            If the file is missing or empty, the name is not one of a shared file, or links cannot
            be signed with the credentials.
        ShareError
            If the name stands for other bytes, or the store refuses.
        """
        sha256 = require_shareable(file, name)
        require_own_name(file, name, sha256)
        link = self._link(name, sha256, file.stat().st_size)
        n_starts = 0
        while not self._holds(link):
            if n_starts == _N_STARTS:
                raise ShareError(
                    f"{file} was sent {n_starts} times to share store 's3' as {self._tell(name)}, "
                    "which never showed its size and x-amz-meta-sha256; look for what changes "
                    "the bucket meanwhile, or drops the metadata of its objects"
                )
            n_starts += 1
            send_file(self._bucket, self._key(name), file, sha256, report)
        report(link.n_bytes, link.n_bytes)
        # Of an upload that took hours the time before the end is to be whole.
        return self._link(name, sha256, link.n_bytes)

    def probe(self, link: ShareLink, *, whole: bool = True) -> None:
        """Fetch the link without login; needs no credentials.

        Raises
        ------
        DamagedError
            If other bytes are served, twice in a row.
        ShareError
            If the link is not one of this store, or nothing is served.
        """
        own = self._plain_url(link.remote_name)
        if without_query(link.url) != own:
            raise ShareError(
                f"{link.remote_name}: {without_query(link.url)} is not a link of this store, where "
                f"it would be {own}; materialize share_links again"
            )
        read_back(link.url, link, whole=whole)

    def refresh(self, link: ShareLink) -> ShareLink:
        """Sign the link anew after a look whether its object is there; nothing is uploaded.

        Raises
        ------
        MissingError
            If the bucket does not hold the object with this size and sha256.
        """
        if not self._holds(link):
            raise MissingError(
                f"{self._tell(link.remote_name)} of share store 's3' does not hold {link.n_bytes} "
                f"bytes with sha256 {link.sha256[:12]}…; materialize share_links again"
            )
        return self._link(link.remote_name, link.sha256, link.n_bytes)

    def revoke(self, name: str) -> None:
        """Delete the object: all its links end. Old versions stay where the bucket keeps such."""
        require_name(name)
        self._bucket.delete(self._key(name))

    def list(self) -> list[str]:
        """Return the names of the objects in the dataset's folder, sorted."""
        names = [key.removeprefix(self._folder) for key in self._bucket.list_keys(self._folder)]
        return [name for name in names if suffix_of(name)]

    def list_unfinished(self) -> Sequence[str]:
        """Return ``<name>?uploadId=<id>`` of each upload in parts that never ended."""
        return sorted(map(self._word, self._bucket.list_uploads(self._folder)))

    def discard_unfinished(self, upload: str) -> None:
        """Abort an upload of this dataset that never ended."""
        for each in self._bucket.list_uploads(self._folder):
            if self._word(each) == upload:
                self._bucket.abort(each)

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return the link's url."""
        return link.url

    def _holds(self, link: ShareLink) -> bool:
        held = self._bucket.head(self._key(link.remote_name))
        return held is not None and (held.sha256, held.n_bytes) == (link.sha256, link.n_bytes)

    def _key(self, name: str) -> str:
        return self._folder + name

    def _tell(self, name: str) -> str:
        return f"s3://{self.settings.bucket}/{self._key(name)}"

    def _word(self, upload: Upload) -> str:
        return f"{upload.key.removeprefix(self._folder)}?uploadId={upload.upload_id}"

    def _open_client(self, signing: Literal["s3v4", "none"]) -> Any:
        return open_client(
            self._session,
            endpoint_url=self.settings.endpoint_url,
            region=self.settings.region,
            addressing=self.settings.addressing,
            signing=signing,
        )

    def _link(self, name: str, sha256: str, n_bytes: int) -> ShareLink:
        url, expires_at = self._address(name)
        return ShareLink(url, sha256, n_bytes, expires_at, self.name, name)

    def _plain_url(self, name: str) -> str:
        if self.settings.base_url is not None:
            return f"{self.settings.base_url}/{self._key(name)}"
        return plain_url(self._plain_client, self.settings.bucket, self._key(name))

    def _address(self, name: str) -> tuple[str, datetime | None]:
        if self.settings.base_url is not None:
            return self._plain_url(name), None
        with errors_told(f"share store 's3', {self._tell(name)}"):
            ends_at = require_presigning(
                self._session.get_credentials(), session_token=self.settings.session_token
            )
            url, expires_at = presign(
                self._client,
                self.settings.bucket,
                self._key(name),
                lifetime_s=self.settings.link_lifetime_s or LONGEST_LIFETIME_S,
            )
        return url, min(expires_at, ends_at or expires_at)
