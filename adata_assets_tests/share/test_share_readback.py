"""P16: the old pipeline published links that serve no file; reading the bytes back refuses them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from adata_assets.share import local
from adata_assets.share.base.readback import require_ranges, require_served_bytes
from adata_assets.share.contract import ShareError, ShareLink, remote_name
from adata_assets.share.local import Store

BODY = b"\x89HDF\r\n\x1a\n" + b"cells" * 100
NAME = "0001-of-0002-0123456789abcdef.h5ad"
LOGIN_PAGE = b"<!DOCTYPE html><html><body>This share is protected</body></html>"


class _Handler(BaseHTTPRequestHandler):
    """Answers as stores do when something is wrong; remembers the headers it was sent."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        if self.path == "/redirect":
            self._answer(303, b"", {"Location": "/login"})
        elif self.path == "/missing":
            self._answer(404, b"{}")
        elif self.path == "/cut":
            self._answer(200, BODY[:40], {"Content-Length": str(len(BODY))})
        else:
            bodies = {"/login": LOGIN_PAGE, "/long": BODY + b"more", "/short": BODY[:-1]}
            bodies["/changed"] = BODY[:-1] + b"!"
            self._answer(200, bodies.get(self.path.partition("?")[0], BODY))

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


@contextmanager
def _serving() -> Iterator[tuple[str, type[_Handler]]]:
    handler = type("Handler", (_Handler,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", handler
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def bad_store() -> Iterator[tuple[str, type[_Handler]]]:
    """A web server with a wrong answer under each path, and the right one elsewhere."""
    with _serving() as served:
        yield served


def _link(url: str) -> ShareLink:
    return ShareLink(url, hashlib.sha256(BODY).hexdigest(), len(BODY), None, "test", NAME)


def _old_link_check(url: str) -> bool:
    """What the old pipeline did: any page with status 200 is a working link."""
    return requests.get(url, timeout=10).status_code == 200


def _old_share(upload: Callable[[Path], str], file: Path) -> str:
    """What the old pipeline did: a failed upload falls back to the local path."""
    try:
        return upload(file)
    except OSError:
        return str(file)


@pytest.mark.parametrize("path", ["/login", "/redirect", "/changed", "/short", "/long"])
def test_p16_a_page_with_status_200_is_not_the_file(
    bad_store: tuple[str, type[_Handler]], path: str
) -> None:
    """P16: the old check accepts all of these; ours refuses and says what came."""
    url = bad_store[0] + path
    assert _old_link_check(url)
    with pytest.raises(ShareError, match=rf"{NAME}.*{path}: status 200"):
        require_served_bytes(url, _link(url))


def test_p16_an_html_page_is_called_so(bad_store: tuple[str, type[_Handler]]) -> None:
    url = f"{bad_store[0]}/login"
    with pytest.raises(ShareError, match="an HTML page"):
        require_served_bytes(url, _link(url))


def test_p16_the_store_refuses_an_html_page(
    local_store: Store,
    chunk_file: Path,
    bad_store: tuple[str, type[_Handler]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P16: the same through a store's own probe, with a server that answers 200 with a page."""
    link = local_store.put(chunk_file, NAME)

    @contextmanager
    def wrong_server(root: Path, *, wait: bool) -> Iterator[str]:
        yield f"{bad_store[0]}/login?"

    monkeypatch.setattr(local, "running_server", wrong_server)
    with pytest.raises(ShareError, match="an HTML page"):
        local_store.probe(link)


def test_p16_a_failed_share_publishes_nothing(
    local_store: Store, chunk_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P16: the old code published the absolute local path; ours raises and lists no file."""

    def fail(*args: object) -> str:
        raise OSError(28, "no space left")

    assert _old_share(fail, chunk_file) == str(chunk_file)
    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="no space"):
        local_store.put(chunk_file, NAME)
    assert local_store.list() == []


def test_p16_chunks_of_two_splits_have_two_names() -> None:
    """P16: the old remote path was the chunk number alone, the same for train and validation."""
    old = {f"chunk_{i}.h5ad" for split in ("train", "validation") for i in [0]}
    ours = {remote_name(f"{i:04}-of-0002", c * 64, ".h5ad") for i, c in enumerate("ab")}
    assert (len(old), len(ours)) == (1, 2)


@pytest.mark.parametrize(
    ("path", "found"), [("/missing", "status 404"), ("/cut", "no complete answer")]
)
def test_errors_say_what_was_found(
    bad_store: tuple[str, type[_Handler]], path: str, found: str
) -> None:
    url = f"{bad_store[0]}{path}"
    with pytest.raises(ShareError, match=found):
        require_served_bytes(url, _link(url))


def test_nobody_answering_is_an_error(bad_store: tuple[str, type[_Handler]]) -> None:
    with _serving() as (gone, _):
        pass
    for require in (require_served_bytes, require_ranges):
        with pytest.raises(ShareError, match="ConnectionError"):
            require(gone, _link(gone))


def test_a_server_without_ranges_is_refused(bad_store: tuple[str, type[_Handler]]) -> None:
    url = f"{bad_store[0]}/right"
    require_served_bytes(url, _link(url))
    with pytest.raises(ShareError, match=r"status 200.*instead of 206"):
        require_ranges(url, _link(url))


def test_p17_the_message_holds_no_query(bad_store: tuple[str, type[_Handler]]) -> None:
    """P17: signatures and tokens stand in queries."""
    url = f"{bad_store[0]}/short?X-Amz-Signature=secret"
    with pytest.raises(ShareError) as caught:
        require_served_bytes(url, _link(url))
    assert "secret" not in str(caught.value)


def test_s14_the_reader_has_no_login(
    bad_store: tuple[str, type[_Handler]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S14: a .netrc entry of the person who publishes is not used, as a stranger has none."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    base_url, handler = bad_store
    requests.get(f"{base_url}/right", timeout=10)
    assert "Authorization" in handler.seen[-1]
    require_served_bytes(f"{base_url}/right", _link(base_url))
    assert "Authorization" not in handler.seen[-1]
