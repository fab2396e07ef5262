"""A Nextcloud server on loopback, as far as sharing files needs it, behaving as version 31 does.

WebDAV of one user, chunked uploads v2, the sharing API and public links. What it does otherwise than
one expects was seen on a real server: shares are made anew by each POST, errors come as XML, a plain
PUT is not compared with its checksum, a link with a password ends in a page with status 200.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from adata_assets_tests.servers.nextcloud_answers import (
    PAGE,
    Answer,
    dav_error,
    multistatus,
    ocs_answer,
    ocs_error,
    zip_of,
)
from adata_assets_tests.servers.nextcloud_state import Cloud, Refusal

_SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
_DAV, _PUBLIC = "/remote.php/dav/", "/public.php/dav/files/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        self.query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        self.steps = [unquote(step) for step in parts.path.split("/")]
        n_wanted = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(n_wanted)
        if len(self.body) < n_wanted:
            # A cut request leaves nothing.
            self.close_connection = True
            return
        self.cloud.before(self.command, unquote(parts.path), self.body)
        with self.cloud.lock:
            self.cloud.asked.append((self.command, self.path, dict(self.headers)))
            answer = self._route(parts.path)
        self._send(answer)

    def _route(self, path: str) -> Answer:
        if self.cloud.is_in_maintenance:
            away = {"X-Nextcloud-Maintenance-Mode": "1", "Retry-After": "120"}
            return dav_error(503, "System in maintenance mode.", away)
        if self.command in self.cloud.refuses:
            return dav_error(*self.cloud.refuses[self.command])
        try:
            if path.startswith(_SHARES):
                return self._share_api()
            if path.startswith(_DAV):
                return self._dav(self.steps[3], self.steps[4], self.steps[5:])
            if path.startswith(_PUBLIC):
                return self._public_dav(self.steps[4], "/".join(self.steps[5:]))
            if path.startswith("/s/"):
                return self._page(self.steps[2], self.steps[3:])
        except Refusal as refusal:
            return dav_error(refusal.status, refusal.message)
        return Answer(404, PAGE.encode(), {"Content-Type": "text/html"})

    def _is_logged_in(self) -> bool:
        login = f"{self.cloud.user}:{self.cloud.password}".encode()
        return self.headers.get("Authorization") == f"Basic {base64.b64encode(login).decode()}"

    def _share_api(self) -> Answer:
        if "OCS-APIRequest" not in self.headers:
            return ocs_error(412, "CSRF check failed")
        if not self._is_logged_in():
            return ocs_error(401, "Current user is not logged in")
        number = self.steps[8] if len(self.steps) > 8 else None
        form = {k: v[0] for k, v in parse_qs(self.body.decode(), keep_blank_values=True).items()}
        cloud = self.cloud
        try:
            if self.command == "GET":
                return ocs_answer([s.told(cloud.url) for s in cloud.shares_of(self.query["path"])])
            if self.command == "POST":
                return ocs_answer(cloud.make_share(form).told(cloud.url))
            if self.command == "PUT":
                return ocs_answer(cloud.change_share(number, form).told(cloud.url))
            cloud.delete_share(number)
            return ocs_answer([])
        except Refusal as refusal:
            # As XML, although JSON is asked for.
            return ocs_error(refusal.status, refusal.message)

    def _dav(self, kind: str, user: str, steps: list[str]) -> Answer:
        if not self._is_logged_in() or user != self.cloud.user:
            return dav_error(401, "Cannot authenticate over ajax calls")
        place = "/".join(steps)
        act: Callable[[str], Answer] = getattr(self, f"_{self.command.lower()}_{kind}")
        return act(place)

    def _propfind_files(self, place: str) -> Answer:
        found = self.cloud.tree(place, deep=self.headers.get("Depth") == "1")
        return multistatus(f"{_DAV}files/{self.cloud.user}", found)

    def _propfind_uploads(self, place: str) -> Answer:
        found = self.cloud.upload_tree(place, deep=self.headers.get("Depth") == "1")
        return multistatus(f"{_DAV}uploads/{self.cloud.user}", found)

    def _mkcol_files(self, place: str) -> Answer:
        self.cloud.make_folder(place)
        return Answer(201)

    def _put_files(self, place: str) -> Answer:
        # The checksum is kept and not compared.
        return Answer(self.cloud.write(place, self.body, self.headers.get("OC-Checksum")))

    def _delete_files(self, place: str) -> Answer:
        self.cloud.delete(place)
        return Answer(204)

    def _mkcol_uploads(self, place: str) -> Answer:
        self._destination()
        self.cloud.start_upload(place)
        return Answer(201)

    def _put_uploads(self, place: str) -> Answer:
        self._destination()
        upload, part = place.split("/")
        self.cloud.take_part(upload, part, self.body)
        return Answer(201)

    def _delete_uploads(self, place: str) -> Answer:
        self.cloud.delete_upload(place)
        return Answer(204)

    def _move_uploads(self, place: str) -> Answer:
        length, checksum = self.headers.get("OC-Total-Length"), self.headers.get("OC-Checksum")
        upload = place.removesuffix("/.file")
        return Answer(self.cloud.join(upload, self._destination(), length, checksum))

    def _destination(self) -> str:
        start = f"{_DAV}files/{self.cloud.user}/"
        path = unquote(urlsplit(self.headers.get("Destination", "")).path)
        if not path.startswith(start):
            raise Refusal(400, "The destination header is wrong or missing")
        return path.removeprefix(start)

    def _public_dav(self, token: str, name: str) -> Answer:
        share = self.cloud.share_of(token)
        if share is None or not self.cloud.has_public_dav:
            return dav_error(503 if share is None else 404, "Share not found")
        if share.password:
            return Answer(200, PAGE.encode(), {"Content-Type": "text/html"})
        if "accept" in self.query and self.cloud.is_folder(share.path):
            return Answer(200, zip_of(self.cloud.tree(share.path, deep=True)))
        return self._file(f"{share.path}/{name}".strip("/"))

    def _page(self, token: str, steps: list[str]) -> Answer:
        share = self.cloud.share_of(token)
        html = {"Content-Type": "text/html"}
        if share is None:
            return Answer(404, PAGE.encode(), html)
        if steps[:1] != ["download"] or share.password:
            return Answer(200, PAGE.encode(), html)
        if self.cloud.has_public_dav:
            return Answer(303, b"", {"Location": f"{_PUBLIC}{token}/?accept=zip"})
        # Before version 29: a file of a shared folder as it is.
        return self._file(f"{share.path}/{self.query.get('files', '')}".strip("/"))

    def _file(self, place: str) -> Answer:
        content = self.cloud.files.get(place)
        if content is None:
            return dav_error(404, f"File with name {place} could not be located")
        content = self.cloud.changed.get(place, content)
        wanted = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        if not wanted[1]:
            return Answer(200, content, headers)
        first, last = int(wanted[0]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Answer(206, content[first : last + 1], headers)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""


for _verb in ("GET", "HEAD", "PUT", "POST", "DELETE", "MKCOL", "MOVE", "PROPFIND"):
    setattr(_Handler, f"do_{_verb}", _Handler._answer)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about clients that went away."""


@contextmanager
def running_nextcloud(user: str, password: str) -> Iterator[Cloud]:
    """Run a server with one user while the block lasts."""
    cloud = Cloud(user, password)
    handler = type("Handler", (_Handler,), {"cloud": cloud})
    with _Server(("127.0.0.1", 0), handler) as server:
        cloud.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="nextcloud")
        thread.start()
        try:
            yield cloud
        finally:
            server.shutdown()
            thread.join(10)
