"""Objects of an S3 bucket: listed, and read in ranges under their ETag.

Belongs here: what is asked for, and what boto3's errors mean.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from adata_assets.errors import InputError
from adata_assets.sources.contract import SourceChangedError
from adata_assets.sources.download import BLOCK_BYTES, Stream, TryAgainError
from adata_assets.sources.s3_client import open_client, open_session

# Any of these says that requests are to be signed. Without them boto3 would look for the
# credentials of a cloud machine, which takes seconds elsewhere and opens sockets.
_SIGNING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_TRY_AGAIN = (408, 425, 429)


@dataclass(frozen=True)
class StoredObject:
    """One object as the store describes it.

    Attributes
    ----------
    etag
        With its quotes.
    """

    etag: str
    n_bytes: int

    @property
    def version(self) -> str:
        """The ETag without quotes."""
        return self.etag.strip('"')


class Bucket:
    """A bucket, asked with the credentials of the environment or none; connects when asked.

    Parameters
    ----------
    name
        Of the bucket.
    place
        What errors call the source.
    """

    def __init__(self, name: str, *, place: str) -> None:
        self._name, self._place = name, place

    @cached_property
    def _client(self) -> Any:
        is_signed = any(os.environ.get(name) for name in _SIGNING)
        return open_client(open_session(), signing="s3v4" if is_signed else "none")

    def peek(self, key: str, n_bytes: int) -> tuple[StoredObject, bytes]:
        """Return an object's description and its first bytes.

        Raises
        ------
        TryAgainError
            If it is worth asking again.
        InputError
            If there is no such object, or it is not for us.
        """
        with self._get(Key=key, Range=f"bytes=0-{n_bytes - 1}") as answer:
            whole = int(answer.get("ContentRange", "/0").rpartition("/")[2])
            found = StoredObject(answer["ETag"], whole or answer["ContentLength"])
            return found, b"".join(self._blocks(answer))

    @contextmanager
    def open(self, key: str, etag: str, start: int, stop: int | None) -> Iterator[Stream]:
        """Open an object from ``start`` on, if it still has the ETag.

        Raises
        ------
        TryAgainError
            If it is worth asking again.
        SourceChangedError
            If it has another ETag.
        InputError
            If there is no such object, or it is not for us.
        """
        asked: dict[str, Any] = {"Key": key, "IfMatch": etag}
        if start or stop is not None:
            asked["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        with self._get(**asked) as answer:
            # Not every store knows IfMatch.
            if answer["ETag"] != etag:
                self._refuse_changed(key)
            yield Stream(start if "ContentRange" in answer else 0, self._blocks(answer))

    def list_objects(self, prefix: str) -> dict[str, StoredObject]:
        """Return the objects below a prefix by what follows it.

        Raises
        ------
        TryAgainError
            If it is worth asking again.
        InputError
            If the bucket may not be listed, or a name would lead out of the folder.
        """
        found = {}
        with self._errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix
            )
            for entry in (entry for page in pages for entry in page.get("Contents", ())):
                name = entry["Key"].removeprefix(prefix)
                if name and not name.endswith("/"):
                    found[self._require_inside(name)] = StoredObject(entry["ETag"], entry["Size"])
        return found

    @contextmanager
    def _get(self, **asked: Any) -> Iterator[dict[str, Any]]:
        with self._errors():
            answer = self._client.get_object(Bucket=self._name, **asked)
            try:
                yield answer
            finally:
                answer["Body"].close()

    def _blocks(self, answer: dict[str, Any]) -> Iterator[bytes]:
        with self._errors():
            yield from answer["Body"].iter_chunks(BLOCK_BYTES)

    def _require_inside(self, name: str) -> str:
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise InputError(
                f"{self._place}: the name {name!r} of an object cannot be that of a file; store the "
                "zarr folder again"
            )
        return name

    def _refuse_changed(self, key: str) -> NoReturn:
        raise SourceChangedError(
            f"{self._place}: {key} changed while it was read; materialize again when it is no "
            "longer written to"
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,
            HTTPClientError,
            IncompleteReadError,
        )

        try:
            yield
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            code = error.response.get("Error", {}).get("Code", "")
            self._raise(status, code)
        except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
            raise TryAgainError(type(error).__name__) from None
        except BotoCoreError as error:
            raise InputError(
                f"{self._place}: boto3 says {type(error).__name__}; look at AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL_S3"
            ) from None

    def _raise(self, status: int, code: str) -> NoReturn:
        if status >= 500 or status in _TRY_AGAIN:
            raise TryAgainError(f"status {status} {code}")
        if status == 412:
            self._refuse_changed("the object")
        ways_out = {
            401: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an account that may read it",
            403: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an account that may read it",
            404: "correct source in the YAML, or AWS_ENDPOINT_URL_S3",
            416: "it is empty, or shorter than announced: correct source in the YAML",
        }
        way_out = ways_out.get(status, "look at AWS_REGION and AWS_ENDPOINT_URL_S3")
        raise InputError(
            f"{self._place}: the store answers with status {status} {code}; {way_out}"
        ) from None
