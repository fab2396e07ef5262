"""``http://``: a file on a web server, fetched in ranges where the server gives them.

Credentials come from ``~/.netrc``, or from environment variables that the query names.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_netrc_auth

from adata_assets.errors import InputError
from adata_assets.sources.contract import Sighting, SourceChangedError
from adata_assets.sources.download import (
    BLOCK_BYTES,
    HDF5_MAGIC,
    Stream,
    TryAgainError,
    require_hdf5,
    with_retries,
)
from adata_assets.sources.redact import fill_variables, require_no_secrets
from adata_assets.sources.remote import RemoteSource
from adata_assets.spec import SourceSpec

_TIMEOUT_S = (10, 60)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CUT = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.TooManyRedirects,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)
_TRY_AGAIN = (408, 425, 429)


class Source(RemoteSource):
    """A file on a web server.

    Its version is the ETag, else Last-Modified and length; of a server that says neither the
    stated sha256, or that of the content, for which each look reads the whole file.
    """

    schemes: ClassVar[tuple[str, ...]] = ("http", "https")

    def __init__(self, spec: SourceSpec, *, folder: Path | None) -> None:
        super().__init__(spec, folder=folder)
        require_no_secrets(spec.uri)
        if urlsplit(spec.uri).path.rstrip("/").endswith(".zarr"):
            raise InputError(
                f"source {self.uri!r}: a zarr folder cannot be listed over {self.schemes[-1]}; give "
                "an .h5ad file, an s3:// address, or a folder on this machine"
            )

    def look(self, known: Mapping[str, Any] | None = None) -> Sighting:
        """Ask for the first bytes: status, size, version, and whether it is HDF5 at all."""
        return with_retries(self.uri, self._look)

    @contextmanager
    def open_range(
        self, sighting: Sighting, start: int, stop: int | None = None
    ) -> Iterator[Stream]:
        """Open the file; a part is gone on with only under a strong ETag."""
        etag = sighting.details["etag"]
        is_strong = etag is not None and not etag.startswith("W/")
        if start and stop is None and not (is_strong and sighting.details["has_ranges"]):
            start = 0
        headers = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        if start and is_strong:
            headers["If-Range"] = etag
        with self._ask(headers if start or stop is not None else {}) as response:
            if (now := _version(response)) != sighting.details["stated"]:
                raise SourceChangedError(
                    f"{self.uri}: it changed while it was read ({sighting.details['stated']} -> "
                    f"{now}); materialize again"
                )
            first = _first_byte(response)
            if first not in ((start,) if stop is not None else (0, start)):
                raise TryAgainError(f"bytes from {first} on instead of {start}")
            yield Stream(first, _blocks(response))

    def _look(self) -> Sighting:
        with self._ask({"Range": f"bytes=0-{len(HDF5_MAGIC) - 1}"}) as response:
            n_bytes, stated = _whole_size(response), _version(response)
            # One block: a server without ranges would send all of it.
            require_hdf5(self.uri, next(_blocks(response, 512), b""))
            details: dict[str, Any] = {
                "stated": stated,
                "etag": response.headers.get("ETag"),
                "has_ranges": response.status_code == 206,
            }
        if stated is None:
            details["sha256"] = self.spec.sha256 or self._hash_content()
        return Sighting(self.uri, stated or details["sha256"], n_bytes, details)

    def _hash_content(self) -> str:
        digest = hashlib.sha256()
        with self._ask({}) as response:
            for block in _blocks(response):
                digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def _ask(self, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        url = fill_variables(self.spec.uri)
        with _open_session(url) as session:
            sent = {"Accept-Encoding": "identity", **headers}
            # The chain is cut: errors of requests repeat the URL with its query.
            response = _answered(
                self.uri, lambda: session.get(url, headers=sent, stream=True, timeout=_TIMEOUT_S)
            )
            with response:
                self._require_served(response)
                yield response

    def _require_served(self, response: requests.Response) -> None:
        visited = {urlsplit(each.url).scheme for each in [*response.history, response]}
        if other := sorted(visited - set(self.schemes)):
            raise InputError(
                f"{self.uri} leads to {other[0]}://, where anybody on the way could change the "
                "file; give an address that stays with https"
            )
        status, host = response.status_code, urlsplit(self.uri).netloc
        if status in (200, 206):
            return
        if status >= 500 or status in _TRY_AGAIN:
            raise TryAgainError(f"status {status}")
        ways_out = {
            401: f"it wants a login: put 'machine {host} login … password …' into ~/.netrc",
            403: "the file is not for everybody, or its link has expired: ask for access, or put "
            f"'machine {host} login … password …' into ~/.netrc",
            404: "there is no such file: correct source in the YAML",
            410: "the file was taken away: correct source in the YAML",
            416: "it is empty, or shorter than announced: correct source in the YAML",
        }
        way_out = ways_out.get(status, "open the address in a browser to see why")
        raise InputError(f"{self.uri} answers with status {status}; {way_out}")


def _open_session(url: str) -> requests.Session:
    session = requests.Session()
    session.auth = get_netrc_auth(url)
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    # A proxy of the environment cannot reach this machine's own servers.
    session.trust_env = urlsplit(url).hostname not in _LOOPBACK
    return session


def _answered(place: str, ask: Callable[[], requests.Response]) -> requests.Response:
    try:
        return ask()
    except _HOPELESS as error:
        if _ended_early(error):
            raise TryAgainError(type(error).__name__) from None
        raise InputError(
            f"{place} cannot be asked at all ({type(error).__name__}); correct source in the YAML"
        ) from None
    except _CUT as error:
        raise TryAgainError(type(error).__name__) from None


def _ended_early(error: BaseException | None) -> bool:
    # A handshake that is cut comes as the same error as a certificate that nobody knows.
    while error is not None and not isinstance(error, ssl.SSLEOFError):
        error = error.__cause__ or error.__context__
    return error is not None


def _blocks(response: requests.Response, n_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    try:
        # Not iter_content, which would unpack what a server packed against our wish.
        yield from response.raw.stream(n_bytes, decode_content=False)
    except _CUT as error:
        raise TryAgainError(type(error).__name__) from None


def _version(response: requests.Response) -> str | None:
    headers = response.headers
    if etag := headers.get("ETag"):
        return str(etag)
    modified = headers.get("Last-Modified")
    return f"{modified}, {_whole_size(response)} bytes" if modified else None


def _whole_size(response: requests.Response) -> int | None:
    if response.status_code == 206:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        total = response.headers.get("Content-Length", "")
    return int(total) if total.isdigit() else None


def _first_byte(response: requests.Response) -> int:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if response.status_code == 206 and found else 0
