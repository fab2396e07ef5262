"""Asking a Nextcloud server as the user of the environment, and what its answers mean.

Belongs here: login, one request with its tries, statuses in plain words, safe XML and JSON. Does
not belong here: what files (`files`) and shares (`links`) are.
"""

from __future__ import annotations

import base64
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

import requests
from requests.auth import HTTPBasicAuth

from adata_assets.errors import InputError
from adata_assets.share.base.readback import open_session
from adata_assets.share.base.retry import TRANSIENT_STATUSES, read_retry_after, with_retries
from adata_assets.share.contract import ShareError, TransientError

__all__ = ["PASSWORD_VARIABLE", "USER_VARIABLE", "Server", "login", "read_xml"]

USER_VARIABLE = "ADATA_ASSETS_NEXTCLOUD_USER"
PASSWORD_VARIABLE = "ADATA_ASSETS_NEXTCLOUD_PASSWORD"
# Joining the parts of a large file takes the server minutes.
_TIMEOUT_S = (10, 600)
_LONGEST_WORDS = 200
_MEANINGS = {
    301: "the server lives elsewhere: write its final address into url (share)",
    302: "the server lives elsewhere, or wants a login page: check url (share)",
    308: "the server lives elsewhere: write its final address into url (share)",
    401: "user or app password were refused: make an app password under Settings, Security and give "
    f"it in {PASSWORD_VARIABLE}, with the user's id in {USER_VARIABLE}",
    403: "this user may not do that: ask the administrator for leave to write and to share by link",
    404: "there is no such path, or sharing by link is switched off on this server",
    405: "the server does not allow that there: check url (share)",
    409: "the folder above does not exist",
    412: "the server saw no header OCS-APIRequest: a proxy before it seems to drop headers",
    413: "a proxy before the server refuses requests of this size: ask for 32 MiB at least",
    423: "the file is locked by another client",
    503: "the server is in maintenance or overloaded",
    507: "the quota of the user is used up: free space or ask for more",
}


def login() -> tuple[str, str]:
    """Return user id and app password of the environment.

    Raises
    ------
    InputError
        If a variable is not set; names it.
    """
    found = [os.environ.get(name, "") for name in (USER_VARIABLE, PASSWORD_VARIABLE)]
    names = (USER_VARIABLE, PASSWORD_VARIABLE)
    if missing := [name for name, value in zip(names, found, strict=True) if not value]:
        raise InputError(
            f"share store 'nextcloud' needs {' and '.join(missing)} in the environment: the id of a "
            "user and an app password (Settings, Security); they stand nowhere else"
        )
    return found[0], found[1]


@dataclass(frozen=True)
class Server:
    """A Nextcloud server at an address; who asks is read from the environment each time.

    Attributes
    ----------
    url
        Address without a slash at its end.
    """

    url: str

    def dav_url(self, kind: str, *parts: str) -> str:
        """Return the address of something of the user's: ``kind`` is ``files`` or ``uploads``."""
        path = "/".join(quote(part, safe="") for part in (login()[0], *parts))
        return f"{self.url}/remote.php/dav/{kind}/{path}"

    def ask(
        self, method: str, url: str, about: str, *, known: tuple[int, ...] = (), **options: Any
    ) -> requests.Response:
        """Ask, and ask again what is worth it; as `ask_once`, which must be safe to repeat."""
        return with_retries(lambda: self.ask_once(method, url, about, known=known, **options))

    def ask_once(
        self,
        method: str,
        url: str,
        about: str,
        *,
        known: tuple[int, ...] = (),
        headers: Mapping[str, str] | None = None,
        data: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Ask once.

        Parameters
        ----------
        about
            What the request is for, for errors: addresses hold the user and are never shown.
        known
            Statuses besides 2xx that the caller understands.

        Raises
        ------
        TransientError
            When nothing answers, the answer is cut, or the server is in trouble.
        ShareError
            On any other status.
        """
        user, password = login()
        try:
            with open_session(url) as session:
                # Bytes: requests would refuse what latin-1 does not hold.
                session.auth = HTTPBasicAuth(user.encode(), password.encode())
                response = session.request(
                    method,
                    url,
                    headers={"OCS-APIRequest": "true", **(headers or {})},
                    data=data,
                    params=params,
                    timeout=_TIMEOUT_S,
                    # The login must not follow to another place.
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            # The chain is cut because the client's own text repeats the address.
            found = f"no complete answer ({type(error).__name__})"
            raise TransientError(self._tell(method, about, found)) from None
        if 200 <= response.status_code < 300 or response.status_code in known:
            return response
        self._refuse(method, about, response)

    def ask_ocs(self, method: str, path: str, about: str, **options: Any) -> Any:
        """Ask the sharing API once and return the ``data`` of its answer; None for a known status.

        Raises
        ------
        TransientError
            As `ask_once`; also if the answer is not what the API gives.
        """
        url = f"{self.url}/ocs/v2.php/apps/files_sharing/api/v1/{path}"
        params = {"format": "json", **options.pop("params", {})}
        response = self.ask_once(method, url, about, params=params, **options)
        if not response.ok:
            return None
        try:
            return json.loads(response.content)["ocs"]["data"]
        except (ValueError, KeyError, TypeError):
            found = f"{_name_answer(response)} instead of JSON of the sharing API"
            raise TransientError(self._tell(method, about, found)) from None

    def read_answer(self, method: str, about: str, response: requests.Response) -> ET.Element:
        """Return the XML of an answer.

        Raises
        ------
        TransientError
            If it is no XML, or XML that this store does not read.
        """
        try:
            return read_xml(response.content)
        except ValueError:
            found = f"{_name_answer(response)} instead of XML"
            raise TransientError(self._tell(method, about, found)) from None

    def _refuse(self, method: str, about: str, response: requests.Response) -> NoReturn:
        status = response.status_code
        said = _without_login(_words_of(response.content))[:_LONGEST_WORDS]
        meaning = _MEANINGS.get(status, "look into the server's log")
        found = f"status {status}: {meaning}" + (f" (the server says: {said})" if said else "")
        message = self._tell(method, about, found)
        if status not in TRANSIENT_STATUSES:
            raise ShareError(message)
        wait_s = read_retry_after(response.headers.get("Retry-After"))
        raise TransientError(message, retry_after_s=wait_s)

    def _tell(self, method: str, about: str, found: str) -> str:
        return f"{about} in share store 'nextcloud' at {self.url}: {method} had {found}"


class _PlainTree(ET.TreeBuilder):
    def doctype(self, *declared: object) -> None:
        raise ValueError("an answer with a document type, which may hide entities, is not read")


def read_xml(content: bytes) -> ET.Element:
    """Return the root of an XML text without a document type, and so without entities.

    Raises
    ------
    ValueError
        If it has one, or is no XML.

    Examples
    --------
    >>> read_xml(b"<a><b/></a>")[0].tag
    'b'
    """
    try:
        return ET.fromstring(content, ET.XMLParser(target=_PlainTree()))
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from error


def _name_answer(response: requests.Response) -> str:
    is_page = response.content.lstrip()[:1] == b"<" and b"<html" in response.content[:1000].lower()
    return f"status {response.status_code} and " + ("an HTML page" if is_page else "other bytes")


def _words_of(content: bytes) -> str:
    """Return what an error's XML says: OCS has ``message``, WebDAV a ``message`` of its own."""
    try:
        root = read_xml(content)
    except ValueError:
        return ""
    found = next((e.text for e in root.iter() if e.tag.rpartition("}")[2] == "message"), None)
    return " ".join((found or "").split())


def _without_login(text: str) -> str:
    """Return a server's words without what it was sent, in case it repeats that."""
    user, password = login()
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    for secret in (pair, password, quote(password, safe=""), quote_plus(password)):
        text = text.replace(secret, "…")
    return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "…", text)
