"""Addresses that let anybody read one object for some time, and until when they really do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adata_assets.errors import InputError

LONGEST_LIFETIME_S = 7 * 24 * 3600


def presign(client: Any, bucket: str, key: str, *, lifetime_s: int) -> tuple[str, datetime]:
    """Return a signed address and when it ends by its own words; asks nobody."""
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=lifetime_s
    )
    stated = parse_qs(urlsplit(url).query)
    signed_at = datetime.strptime(stated["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return url, signed_at + timedelta(seconds=int(stated["X-Amz-Expires"][0]))


def plain_url(client: Any, bucket: str, key: str) -> str:
    """Return the address of an object by a client that signs nothing."""
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return url


def require_presigning(credentials: Any, *, session_token: str) -> datetime | None:
    """Return when links signed with these credentials end at the latest, None for never.

    Parameters
    ----------
    credentials
        Of botocore; None where there are none.
    session_token
        ``publish`` where the token of temporary credentials may stand in the links.

    Raises
    ------
    InputError
        If there are no credentials, or temporary ones that may not or cannot be used.
    """
    if credentials is None:
        raise InputError(
            "no AWS credentials found to sign links with: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if not credentials.get_frozen_credentials().token:
        return None
    if session_token != "publish":
        raise InputError(
            "the AWS credentials are temporary, so each presigned link would hold their session "
            "token and end with them: use the keys of an account, links: public, or "
            "session_token: publish"
        )
    ends_at: datetime | None = getattr(credentials, "_expiry_time", None)
    if ends_at is None:
        raise InputError(
            "the AWS credentials are temporary and do not say until when; presigned links end with "
            "them: set AWS_CREDENTIAL_EXPIRATION, or use the keys of an account"
        )
    return ends_at
