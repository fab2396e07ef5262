"""How boto3 is told to speak to S3 and to what resembles it; for reading and for sharing.

Belongs here: the client's configuration. Does not belong here: requests.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import boto3

Addressing = Literal["auto", "path", "virtual"]
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_session() -> boto3.session.Session:
    """Return a session of its own, which finds credentials by AWS's usual chain.

    What describes the services is read once per process: it is most of what a client costs.
    """
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    core.register_component("data_loader", _service_descriptions())
    return boto3.session.Session(botocore_session=core)


def open_client(
    session: boto3.session.Session,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    addressing: Addressing = "auto",
    signing: Literal["s3v4", "none"] = "s3v4",
) -> Any:
    """Return an S3 client, which connects when asked and asks once.

    Parameters
    ----------
    endpoint_url
        Default what ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` say, else Amazon's.
    region
        Default what ``AWS_REGION`` or ``AWS_DEFAULT_REGION`` say, else ``us-east-1``.
    addressing
        Whether the bucket's name stands in the path or in the host.
    signing
        ``none`` asks as anybody may.
    """
    from botocore import UNSIGNED
    from botocore.config import Config

    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    config = Config(
        # Without it boto3 may sign presigned URLs in a way that is no longer accepted.
        signature_version=UNSIGNED if signing == "none" else signing,
        # The defaults send checksums that stores other than Amazon's do not know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=60,
        s3={"addressing_style": addressing},
        proxies=_proxies(endpoint_url),
    )
    return session.client(
        "s3", endpoint_url=endpoint_url, region_name=region or "us-east-1", config=config
    )


@cache
def _service_descriptions() -> Any:
    import botocore.session

    return botocore.session.get_session().get_component("data_loader")


def _proxies(endpoint_url: str | None) -> dict[str, str] | None:
    named = (endpoint_url, *map(os.environ.get, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")))
    host = urlsplit(next(filter(None, named), "")).hostname
    # An empty mapping is no proxy at all, None what the environment says.
    return {} if host in _LOOPBACK else None
