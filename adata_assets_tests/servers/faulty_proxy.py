"""A proxy between a client and a loopback server that spoils what passes, as a plan says.

Whoever signs addresses gives the proxy's as the endpoint: the ``Host`` header is handed on.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal[
    "cut_request", "lost_reply", "cut_reply", "flip_request", "flip_reply", "status", "slow"
]
KINDS: tuple[Kind, ...] = (
    "cut_request",
    "lost_reply",
    "cut_reply",
    "flip_request",
    "flip_reply",
    "status",
    "slow",
)
_HOP = {"connection", "expect", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
_SLOW_S = 0.02


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Attributes
    ----------
    kind
        ``cut_request``: the server gets half of it, the client an end. ``lost_reply``: all is done,
        the client gets an end. ``cut_reply``: half of the body. ``flip_request``, ``flip_reply``:
        one bit of the body. ``status``: the server gets nothing. ``slow``: in small pieces.
    status, retry_after
        Of a ``status``.
    """

    kind: Kind
    status: int = 503
    retry_after: str | None = None


@dataclass(frozen=True)
class Passing:
    """A request on its way: its number (0 first), method, path with query, bytes of its body."""

    number: int
    method: str
    path: str
    n_bytes: int


Plan = Callable[[Passing], Fault | None]


def _nothing(passing: Passing) -> Fault | None:
    return None


@dataclass
class FaultyProxy:
    """What the proxy does and what it saw.

    Attributes
    ----------
    plan
        Says what happens to a request; can be replaced at any time.
    seen
        All requests.
    done
        The faults that were carried out.
    """

    url: str
    upstream: str
    plan: Plan = _nothing
    seen: list[Passing] = field(default_factory=list)
    done: list[tuple[Passing, Fault]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, method: str, path: str, n_bytes: int) -> Fault | None:
        """Count a request and return what is to happen to it."""
        with self._lock:
            passing = Passing(len(self.seen), method, path, n_bytes)
            self.seen.append(passing)
            fault = self.plan(passing)
            if fault is not None:
                self.done.append((passing, fault))
            return fault

    def once(self, fault: Fault, when: Callable[[Passing], bool] = lambda passing: True) -> None:
        """Let one fault happen, to the first request from now on for which ``when`` holds."""
        left = [fault]

        def plan(passing: Passing) -> Fault | None:
            return left.pop() if left and when(passing) else None

        self.plan = plan


def flip(body: bytes) -> bytes:
    """Return a body with one bit turned, in its middle."""
    turned = bytearray(body)
    if turned:
        turned[len(turned) // 2] ^= 1
    return bytes(turned)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def _pass(self) -> None:
        body = self._read_body()
        fault = self.proxy.next(self.command, self.path, len(body))
        kind = fault.kind if fault else None
        if fault and kind == "status":
            self._refuse(fault)
        elif kind == "cut_request":
            self._send_half(body)
            self._hang_up()
        else:
            status, headers, reply = self._ask(flip(body) if kind == "flip_request" else body)
            if kind == "lost_reply":
                self._hang_up()
            else:
                self._answer(status, headers, flip(reply) if kind == "flip_reply" else reply, kind)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(blocks)

    def _headers(self, body: bytes) -> dict[str, str]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        kept = {name: value for name, value in kept.items() if name.lower() != "content-length"}
        if body or self.command in ("PUT", "POST"):
            kept["Content-Length"] = str(len(body))
        return kept

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.proxy.upstream)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = self._connect()
        try:
            self._start(upstream, body)
            if body:
                upstream.send(body)
            reply = upstream.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            upstream.close()

    def _start(self, upstream: http.client.HTTPConnection, body: bytes) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers(body).items():
            upstream.putheader(name, value)
        upstream.endheaders()

    def _send_half(self, body: bytes) -> None:
        if not body:
            return
        upstream = self._connect()
        try:
            self._start(upstream, body)
            upstream.send(body[: len(body) // 2])
        finally:
            upstream.close()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], reply: bytes, kind: str | None
    ) -> None:
        self.send_response_only(status)
        announced = {name.lower(): value for name, value in headers}.get("content-length")
        for name, value in headers:
            if name.lower() not in _HOP and name.lower() != "content-length":
                self.send_header(name, value)
        has_body = self.command != "HEAD" and status not in (204, 304)
        length = str(len(reply)) if has_body else announced
        if length is not None and status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        self._send(reply if has_body else b"", kind)

    def _send(self, reply: bytes, kind: str | None) -> None:
        if kind == "cut_reply":
            self.wfile.write(reply[: len(reply) // 2])
            self._hang_up()
        elif kind == "slow":
            step = max(len(reply) // 5, 1)
            for start in range(0, len(reply), step):
                self.wfile.write(reply[start : start + step])
                self.wfile.flush()
                time.sleep(_SLOW_S)
        else:
            self.wfile.write(reply)

    def _refuse(self, fault: Fault) -> None:
        self.send_response_only(fault.status)
        if fault.retry_after is not None:
            self.send_header("Retry-After", fault.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""


for _verb in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "MKCOL", "MOVE", "PROPFIND"):
    setattr(_Handler, f"do_{_verb}", _Handler._pass)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients and servers that went away."""


@contextmanager
def running_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Run a proxy before ``upstream`` (``http://127.0.0.1:<port>``) while the block lasts."""
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy = FaultyProxy(f"http://127.0.0.1:{server.server_address[1]}", upstream)
        handler.proxy = proxy  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="faulty-proxy")
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join(10)
