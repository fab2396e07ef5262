"""Reading a public link the way a stranger does; the same for every store.

Belongs here: fetching without login and comparing with what was promised. Does not belong here:
uploading.
"""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.utils import get_environ_proxies

from adata_assets.share.base.retry import TRANSIENT_STATUSES, read_retry_after, with_retries
from adata_assets.share.contract import DamagedError, ShareError, ShareLink, TransientError

_TIMEOUT_S = (10, 60)
_BLOCK_BYTES = 1 << 20
_QUERY = re.compile(r"""(https?://[^\s?"'<>)\]]+)\?[^\s"'<>)\],]*""")
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


def without_queries(text: str) -> str:
    """Return the text with all its URLs without their queries, which may sign them.

    Examples
    --------
    >>> without_queries("see https://host.org/a.h5ad?X-Amz-Signature=1, twice")
    'see https://host.org/a.h5ad, twice'
    """
    return _QUERY.sub(r"\1", text)


def read_back(url: str, link: ShareLink, *, whole: bool = True) -> None:
    """Require that the URL serves the link's bytes, asking again what is worth it.

    Other bytes are asked for once more: a bit that flipped on the way is no damage in the store.

    Parameters
    ----------
    whole
        All bytes; without it the first ones and the size.

    Raises
    ------
    DamagedError
        If other bytes were served twice.
    ShareError
        If nothing is served.
    """
    if whole:
        try:
            with_retries(lambda: require_served_bytes(url, link))
        except DamagedError:
            with_retries(lambda: require_served_bytes(url, link))
    with_retries(lambda: require_ranges(url, link))


def require_served_bytes(url: str, link: ShareLink) -> None:
    """Stream the URL once, without login, and require the link's size and sha256.

    Raises
    ------
    DamagedError
        On another size or other bytes (an HTML page with status 200 is other bytes).
    TransientError
        When nothing answers, the answer is cut or the server is in trouble.
    ShareError
        On any other status but 200.
    """
    digest, n_bytes, start = hashlib.sha256(), 0, b""
    try:
        with (
            open_session(url) as session,
            session.get(url, stream=True, timeout=_TIMEOUT_S) as response,
        ):
            if response.status_code != 200:
                raise _refusal(link, url, response, "instead of 200")
            for block in response.iter_content(_BLOCK_BYTES):
                digest.update(block)
                n_bytes += len(block)
                start = start or block[:64]
                # A wrong link may lead to something endless.
                if n_bytes > link.n_bytes:
                    break
    except requests.RequestException as error:
        found = f"no complete answer ({type(error).__name__})"
        # The chain is cut because its text repeats the URL with its query.
        raise TransientError(_tell(link, url, found)) from None
    what = "an HTML page" if start.lstrip()[:1] == b"<" else "the answer"
    if n_bytes != link.n_bytes:
        more = "more than " if n_bytes > link.n_bytes else ""
        found = f"status 200, {what} has {more}{min(n_bytes, link.n_bytes)} bytes"
        raise DamagedError(_tell(link, url, f"{found} instead of {link.n_bytes}"))
    if digest.hexdigest() != link.sha256:
        found = f"status 200, {what} has sha256 {digest.hexdigest()[:12]}…"
        raise DamagedError(_tell(link, url, f"{found}, not {link.sha256[:12]}…"))


def require_ranges(url: str, link: ShareLink) -> None:
    """Require that a ranged GET is answered with status 206 and just that range.

    Raises
    ------
    DamagedError
        If the size is another.
    TransientError
        When nothing answers or the server is in trouble.
    ShareError
        If the server ignores the range, or refuses.
    """
    last = min(7, link.n_bytes - 1)
    headers = {"Range": f"bytes=0-{last}"}
    try:
        with (
            open_session(url) as session,
            session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response,
        ):
            found = response.headers.get("Content-Range", "")
            if response.status_code != 206:
                raise _refusal(link, url, response, "to a ranged GET instead of 206")
            if found != f"bytes 0-{last}/{link.n_bytes}":
                raise DamagedError(
                    _tell(link, url, f"a range is {found!r} of a file of {link.n_bytes} bytes")
                )
    except requests.RequestException as error:
        found = f"no answer to a range ({type(error).__name__})"
        # The chain is cut because its text repeats the URL with its query.
        raise TransientError(_tell(link, url, found)) from None


def open_session(url: str) -> requests.Session:
    """Return a session without login and netrc; proxies and certificates are the environment's."""
    session = requests.Session()
    # Otherwise requests logs in with a .netrc entry, which a stranger does not have.
    session.trust_env = False
    if urlsplit(url).hostname not in _LOOPBACK:
        session.proxies.update(get_environ_proxies(url))
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    return session


def _refusal(link: ShareLink, url: str, response: requests.Response, instead: str) -> ShareError:
    message = _tell(link, url, f"status {response.status_code} {instead}")
    if response.status_code not in TRANSIENT_STATUSES:
        return ShareError(message)
    retry_after_s = read_retry_after(response.headers.get("Retry-After"))
    return TransientError(message, retry_after_s=retry_after_s)


def _tell(link: ShareLink, url: str, found: str) -> str:
    return (
        f"{link.remote_name} in share store {link.store!r} cannot be read back from "
        f"{without_query(url)}: {found}; materialize share_links of this chunk again, and look "
        "into the store when that does not help"
    )
