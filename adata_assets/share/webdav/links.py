"""Public links of one folder on a Nextcloud server (its sharing API), and how they are addressed.

Belongs here: finding, making and prolonging the share, and choosing the address that serves a file
as it is. Does not belong here: files (`files`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import requests

from adata_assets.share.base.readback import open_session, without_query
from adata_assets.share.base.retry import TRANSIENT_STATUSES, read_retry_after, with_retries
from adata_assets.share.contract import ShareError, TransientError
from adata_assets.share.webdav.server import Server

__all__ = ["Share", "Shares", "addresses", "choose_address", "end_date"]

_PUBLIC_LINK, _READ, _WRITING = 3, 1, 2 | 4 | 8
_TIMEOUT_S = (10, 60)
# A share ends when its date begins where its owner lives: first of all 14 hours before Greenwich.
_EARLIEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True)
class Share:
    """A public link of a folder.

    Attributes
    ----------
    number
        The server's id of it.
    token
        What stands in addresses.
    ends
        The date at whose beginning it stops working; None for never.
    """

    number: str
    token: str
    ends: date | None

    @property
    def expires_at(self) -> datetime | None:
        """The moment until which the link works for certain, whatever the owner's time zone."""
        if self.ends is None:
            return None
        return datetime(self.ends.year, self.ends.month, self.ends.day, tzinfo=UTC) - _EARLIEST_ZONE


@dataclass(frozen=True)
class Shares:
    """The public links of one folder.

    Attributes
    ----------
    path
        Of the folder, from the user's root.
    """

    server: Server
    path: str

    def ensure(self, ends: date | None) -> Share:
        """Return the folder's link, made if there is none, that lasts until ``ends``.

        An administrator can make links end sooner; the answer says when.

        Raises
        ------
        ShareError
            If the server makes no link.
        """
        # A lost answer has still made a link, so each try looks first.
        found = with_retries(lambda: self._first() or self._make(ends))
        if found.ends == ends or (ends and found.ends and found.ends > ends):
            return found
        return with_retries(lambda: self._prolong(found, ends))

    def find(self) -> list[Share]:
        """Return the links that anybody can read and nobody can write through, oldest first."""
        params = {"path": self.path, "reshares": "false"}
        data = self.server.ask_ocs("GET", "shares", self.path, params=params)
        found = [self._read(each) for each in data] if isinstance(data, list) else []
        return sorted((s for s in found if s), key=lambda s: (len(s.number), s.number))

    def _first(self) -> Share | None:
        return next(iter(self.find()), None)

    def _make(self, ends: date | None) -> Share:
        form = {"path": self.path, "shareType": str(_PUBLIC_LINK), "permissions": str(_READ)}
        if ends:
            form["expireDate"] = ends.isoformat()
        made = self.server.ask_ocs("POST", "shares", self.path, data=form)
        own = made if isinstance(made, dict) else {}
        # Chunks are shared at the same time: the oldest link is everybody's, later ones go.
        known = self.find()
        for late in known[1:]:
            if late.number == str(own.get("id")) or late.token == own.get("token"):
                self.server.ask_ocs("DELETE", f"shares/{late.number}", self.path, known=(404,))
        if not known:
            raise ShareError(
                f"{self.path} in share store 'nextcloud' at {self.server.url}: the server makes no "
                "link that can be read without a password; ask its administrator for such links"
            )
        return known[0]

    def _prolong(self, share: Share, ends: date | None) -> Share:
        form = {"expireDate": ends.isoformat() if ends else ""}
        # Where an administrator wants an end, taking it away is a 400: it stays.
        known = () if ends else (400,)
        data = self.server.ask_ocs(
            "PUT", f"shares/{share.number}", self.path, data=form, known=known
        )
        # What the server answers stands, not what was asked for.
        return self._read(data) or share

    def _read(self, data: Any) -> Share | None:
        """Return a share of the API's answer; None if it is not one that serves strangers."""
        try:
            permissions = int(data["permissions"])
            is_public = int(data["share_type"]) == _PUBLIC_LINK and not data.get("password")
            ends = str(data["expiration"])[:10] if data.get("expiration") else None
            share = Share(
                str(data["id"]), str(data["token"]), date.fromisoformat(ends) if ends else None
            )
        except (KeyError, TypeError, ValueError):
            return None
        return share if is_public and permissions & _READ and not permissions & _WRITING else None


def end_date(now: datetime, n_days: int) -> date:
    """Return the first date at whose beginning so many days are over, wherever it begins.

    Examples
    --------
    >>> end_date(datetime(2026, 3, 1, 9, tzinfo=UTC), 7)
    datetime.date(2026, 3, 9)
    >>> end_date(datetime(2026, 3, 1, 11, tzinfo=UTC), 7)
    datetime.date(2026, 3, 10)
    """
    return (now + timedelta(days=n_days) + _EARLIEST_ZONE).date() + timedelta(days=1)


def addresses(url: str, token: str, name: str) -> list[str]:
    """Return where a file of a shared folder may be served, what is best first.

    The first needs Nextcloud 29; the others are of older versions.
    """
    query = urlencode({"path": "/", "files": name})
    return [
        f"{url}/public.php/dav/files/{token}/{name}",
        f"{url}/s/{token}/download/{name}?{query}",
        f"{url}/index.php/s/{token}/download/{name}?{query}",
        f"{url}/s/{token}/download?{query}",
    ]


def choose_address(candidates: Iterable[str], start: bytes, n_bytes: int) -> str:
    """Return the first address that serves a stranger a file of this size and beginning.

    Raises
    ------
    ShareError
        If none does; says what each one served.
    """
    found = {}
    for url in candidates:
        # Twice: a bit that flipped on the way must not change the address.
        for _ in range(2):
            try:
                found[url] = with_retries(partial(_look, url, start, n_bytes))
            except ShareError as error:
                found[url] = str(error)
                break
            if not found[url]:
                return url
    told = "; ".join(f"{without_query(url)}: {what}" for url, what in found.items())
    raise ShareError(
        "share store 'nextcloud' made a link, but no address of it serves the file without login "
        f"({told}); links that need a password, and folders encrypted end to end, cannot be used"
    )


def _look(url: str, start: bytes, n_bytes: int) -> str:
    """Return what is wrong with an address, or an empty text."""
    headers = {"Range": f"bytes=0-{len(start) - 1}"}
    try:
        with (
            open_session(url) as session,
            session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response,
        ):
            body = next(response.iter_content(len(start)), b"")
    except requests.RequestException as error:
        raise TransientError(f"no complete answer ({type(error).__name__})") from None
    if response.status_code in TRANSIENT_STATUSES:
        wait_s = read_retry_after(response.headers.get("Retry-After"))
        raise TransientError(f"status {response.status_code}", retry_after_s=wait_s)
    size = response.headers.get("Content-Range", "").rpartition("/")[2]
    if response.status_code == 206 and body == start and size == str(n_bytes):
        return ""
    what = "an HTML page" if body.lstrip()[:1] == b"<" else "other bytes"
    return (
        f"status {response.status_code} with {what}"
        if response.ok
        else (f"status {response.status_code}")
    )
