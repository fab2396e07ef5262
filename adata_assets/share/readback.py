"""Reading a public link the way a stranger does; the same for every store.

Belongs here: fetching without login and comparing with what was promised. Does not belong here:
uploading.
"""

from __future__ import annotations

import hashlib
import os
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.utils import get_environ_proxies

from adata_assets.share.contract import ShareError, ShareLink

_TIMEOUT_S = (10, 60)
_BLOCK_BYTES = 1 << 20
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def without_query(url: str) -> str:
    """Return the URL without user, query and fragment, which may hold secrets.

    Examples
    --------
    >>> without_query("https://user:key@host.org:8443/a/b.h5ad?token=1#x")
    'https://host.org:8443/a/b.h5ad'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def require_served_bytes(url: str, link: ShareLink) -> None:
    """Stream the URL without login and require the link's size and sha256.

    Raises
    ------
    ShareError
        On any status but 200, another size or other bytes (an HTML page with status 200 is other
        bytes), and when nothing answers.
    """
    digest, n_bytes, start = hashlib.sha256(), 0, b""
    try:
        with (
            _open_session(url) as session,
            session.get(url, stream=True, timeout=_TIMEOUT_S) as response,
        ):
            if response.status_code != 200:
                raise _failure(link, url, f"status {response.status_code} instead of 200")
            for block in response.iter_content(_BLOCK_BYTES):
                digest.update(block)
                n_bytes += len(block)
                start = start or block[:64]
                # A wrong link may lead to something endless.
                if n_bytes > link.n_bytes:
                    break
    except requests.RequestException as error:
        raise _failure(link, url, f"no complete answer ({type(error).__name__})") from error
    what = "an HTML page" if start.lstrip()[:1] == b"<" else "the answer"
    if n_bytes != link.n_bytes:
        more = "more than " if n_bytes > link.n_bytes else ""
        found = f"{more}{min(n_bytes, link.n_bytes)} bytes"
        raise _failure(link, url, f"status 200, {what} has {found} instead of {link.n_bytes}")
    if digest.hexdigest() != link.sha256:
        found = digest.hexdigest()[:12]
        raise _failure(
            link, url, f"status 200, {what} has sha256 {found}…, not {link.sha256[:12]}…"
        )


def require_ranges(url: str, link: ShareLink) -> None:
    """Require that a ranged GET is answered with status 206 and just that range.

    Raises
    ------
    ShareError
        If the server ignores the range.
    """
    last = min(7, link.n_bytes - 1)
    headers = {"Range": f"bytes=0-{last}"}
    try:
        with (
            _open_session(url) as session,
            session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response,
        ):
            found = response.headers.get("Content-Range", "")
            if response.status_code != 206 or found != f"bytes 0-{last}/{link.n_bytes}":
                status = f"status {response.status_code}, Content-Range {found!r}"
                raise _failure(link, url, f"a ranged GET was answered with {status} instead of 206")
    except requests.RequestException as error:
        raise _failure(link, url, f"no answer to a range ({type(error).__name__})") from error


def _open_session(url: str) -> requests.Session:
    session = requests.Session()
    # Otherwise requests logs in with a .netrc entry, which a stranger does not have.
    session.trust_env = False
    if urlsplit(url).hostname not in _LOOPBACK:
        session.proxies.update(get_environ_proxies(url))
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    return session


def _failure(link: ShareLink, url: str, found: str) -> ShareError:
    return ShareError(
        f"{link.remote_name} in share store {link.store!r} cannot be read back from "
        f"{without_query(url)}: {found}; materialize share_links of this chunk again, and look "
        "into the store when that does not help"
    )
