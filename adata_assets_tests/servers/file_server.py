"""A web server of files that can be told to misbehave: cut, change, refuse, lie about lengths."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Headers = dict[str, str]


@dataclass
class ServedFile:
    """One file and how it is served.

    Attributes
    ----------
    content, etag, modified
        As they are now; None for a header that is not sent.
    has_ranges
        Whether ranges are answered with 206.
    cuts
        After how many bytes each of the next answers is cut; None for a whole one.
    statuses
        What the next requests are answered with instead; 0 for as usual.
    announced
        A length that is claimed instead of the real one.
    login
        The Authorization header that is wanted.
    stall
        What a cut answer waits for before it ends.
    location
        Where a redirect leads.
    before
        Called with the file before each answer.
    """

    content: bytes
    etag: str | None = '"one"'
    modified: float | None = None
    has_ranges: bool = True
    cuts: list[int | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    announced: int | None = None
    login: str | None = None
    stall: threading.Event | None = None
    location: str | None = None
    before: Callable[[ServedFile], None] = lambda file: None


@dataclass
class FileServer:
    """Files by path, and what was asked for: path and headers of every request."""

    url: str = ""
    files: dict[str, ServedFile] = field(default_factory=dict)
    asked: list[tuple[str, Headers]] = field(default_factory=list)
    n_bytes_sent: int = 0

    def add(self, path: str, content: bytes, **how: object) -> str:
        """Serve a file and return its URL."""
        self.files[path] = ServedFile(content, **how)  # type: ignore[arg-type]
        return f"{self.url}{path}"


class FileHandler(BaseHTTPRequestHandler):
    """Answers GET for the files of ``serving``."""

    serving: FileServer

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        """Answer as the file says."""
        self.serving.asked.append((self.path, dict(self.headers)))
        file = self.serving.files.get(urlsplit(self.path).path)
        if file is None:
            self.refuse(404)
            return
        file.before(file)
        if status := file.statuses.pop(0) if file.statuses else 0:
            self.refuse(status)
        elif file.login and self.headers.get("Authorization") != file.login:
            self.refuse(401)
        elif file.location:
            self.send(302, {"Location": file.location}, b"", file)
        else:
            self.give(file)

    def give(self, file: ServedFile) -> None:
        """Send the file, or the range that was asked for."""
        headers = {"Content-Length": str(file.announced or len(file.content))}
        if file.etag:
            headers["ETag"] = file.etag
        if file.modified is not None:
            headers["Last-Modified"] = formatdate(file.modified, usegmt=True)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range", file.etag) == file.etag
        if not (wanted and file.has_ranges and is_same):
            self.send(200, headers, file.content, file)
            return
        start, n_bytes = int(wanted[1]), len(file.content)
        if start >= n_bytes:
            self.refuse(416)
            return
        stop = min(int(wanted[2]) + 1 if wanted[2] else n_bytes, n_bytes)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.announced or n_bytes}"
        headers["Content-Length"] = str((file.announced or n_bytes) - start)
        if wanted[2]:
            headers["Content-Length"] = str(stop - start)
        self.send(206, headers, file.content[start:stop], file)

    def send(self, status: int, headers: Headers, body: bytes, file: ServedFile) -> None:
        """Send an answer, cut where the file says so."""
        cut = file.cuts.pop(0) if file.cuts and len(body) > 8 else None
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.serving.n_bytes_sent += len(body[:cut])
        if cut is not None and file.stall:
            self.wfile.flush()
            file.stall.wait(60)
        self.close_connection = True

    def refuse(self, status: int) -> None:
        """Send a status and nothing else."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about readers that went away."""


@contextmanager
def running(
    handler: type[FileHandler] = FileHandler, *, tls: ssl.SSLContext | None = None
) -> Iterator[FileServer]:
    """Run a server in a thread while the block lasts; with ``tls`` it speaks https."""
    serving = FileServer()
    bound = type("Handler", (handler,), {"serving": serving})
    with _Server(("127.0.0.1", 0), bound) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        serving.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield serving
        finally:
            server.shutdown()
            thread.join(10)
