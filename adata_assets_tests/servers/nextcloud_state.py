"""What a Nextcloud server holds: files, unfinished uploads, shares; and what it refuses."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from adata_assets_tests.servers.nextcloud_answers import Node

_SHORTEST_PASSWORD = 10


class Refusal(Exception):  # noqa: N818
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class SharedFolder:
    """A public link."""

    number: int
    token: str
    path: str
    permissions: int
    password: str | None
    ends: date | None

    def told(self, url: str) -> dict[str, Any]:
        """Return it as the sharing API does."""
        return {
            "id": str(self.number),
            "share_type": 3,
            "permissions": self.permissions,
            "expiration": f"{self.ends.isoformat()} 00:00:00" if self.ends else None,
            "token": self.token,
            "path": f"/{self.path}",
            "password": "redacted" if self.password else None,
            "url": f"{url}/s/{self.token}",
            "hide_download": 0,
        }


@dataclass
class Cloud:
    """The state of a server with one user.

    Attributes
    ----------
    files, folders, uploads, shares
        What is there; paths are relative to the user's root.
    changed
        Bytes that are served instead of a file's: a disk that went bad.
    asked
        Method, path and headers of every request.
    n_bytes_received
        Of parts and files that were taken.
    n_shares_made
        However many are left.
    refuses
        Status and words that requests of a method are answered with instead.
    before
        Called with method, path and body before each answer.
    quota, links_enabled, wants_passwords, longest_share_days, is_in_maintenance, has_public_dav
        How the administrator has set it up.
    """

    user: str
    password: str
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {""})
    uploads: dict[str, dict[str, bytes]] = field(default_factory=dict)
    shares: list[SharedFolder] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    n_bytes_received: int = 0
    n_shares_made: int = 0
    quota: int | None = None
    links_enabled: bool = True
    wants_passwords: bool = False
    longest_share_days: int | None = None
    is_in_maintenance: bool = False
    has_public_dav: bool = True
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    before: Callable[[str, str, bytes], None] = lambda method, path, body: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        return path in self.folders

    def make_folder(self, path: str) -> None:
        """MKCOL."""
        if path in self.folders or path in self.files:
            raise Refusal(405, "The resource you tried to create already exists")
        if _parent(path) not in self.folders:
            raise Refusal(409, "Parent node does not exist")
        self.folders.add(path)

    def write(self, path: str, content: bytes, checksum: str | None) -> int:
        """Store a file and return the status."""
        if _parent(path) not in self.folders:
            raise Refusal(404, f"File with name {_parent(path)} could not be located")
        self._take(len(content), freed=len(self.files.get(path, b"")))
        is_new = path not in self.files
        self.files[path] = content
        self.changed.pop(path, None)
        self.checksums.pop(path, None)
        if checksum:
            self.checksums[path] = checksum
        return 201 if is_new else 204

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with all in it and its links."""
        if path not in self.files and path not in self.folders:
            raise Refusal(404, f"File with name {path} could not be located")
        self.files = {p: c for p, c in self.files.items() if not _is_in(p, path)}
        self.folders = {p for p in self.folders if not _is_in(p, path)}
        self.shares = [s for s in self.shares if not _is_in(s.path, path)]

    def tree(self, path: str, *, deep: bool) -> list[Node]:
        """Return what is at a path and, if ``deep``, right below it."""
        if path in self.files:
            return [self._node(path)]
        if path not in self.folders:
            raise Refusal(404, f"File with name {path} could not be located")
        below = sorted(p for p in {*self.files, *self.folders} if p != path and _parent(p) == path)
        return [Node(path, None), *(self._node(p) for p in below if deep)]

    def start_upload(self, upload: str) -> None:
        """MKCOL of an upload."""
        if upload in self.uploads:
            raise Refusal(405, "The resource you tried to create already exists")
        self.uploads[upload] = {}

    def take_part(self, upload: str, part: str, content: bytes) -> None:
        """Store one part of an upload."""
        if upload not in self.uploads:
            raise Refusal(404, f"File with name {upload} could not be located")
        if not part.isdigit() or not 1 <= int(part) <= 10_000:
            raise Refusal(400, "Invalid chunk name, must be numeric between 1 and 10000")
        self._take(len(content))
        self.uploads[upload][part] = content

    def upload_tree(self, path: str, *, deep: bool) -> list[Node]:
        """Return the uploads, or the parts of one."""
        if path and path not in self.uploads:
            raise Refusal(404, f"File with name {path} could not be located")
        parts = self.uploads.get(path, {})
        below = (
            [
                *(Node(f"{path}/{n}", c) for n, c in sorted(parts.items())),
                Node(f"{path}/.file", b""),
            ]
            if path
            else [Node(name, None) for name in sorted(self.uploads)]
        )
        return [Node(path, None), *(below if deep else [])]

    def delete_upload(self, path: str) -> None:
        """Remove an upload, or one part of it."""
        upload, _, part = path.partition("/")
        held = self.uploads if not part else self.uploads.get(upload, {})
        if held.pop(part or upload, None) is None:
            raise Refusal(404, f"File with name {path} could not be located")

    def join(self, upload: str, path: str, length: str | None, checksum: str | None) -> int:
        """Make a file of the parts and return the status."""
        if upload not in self.uploads:
            raise Refusal(404, f"File with name {upload} could not be located")
        content = b"".join(part for _, part in sorted(self.uploads[upload].items()))
        if length is not None and int(length) != len(content):
            raise Refusal(400, f"Chunks on server do not sum up to {length}")
        kind, _, stated = (checksum or "").partition(":")
        if kind and hashlib.new(kind.lower(), content).hexdigest() != stated:
            raise Refusal(400, "Computed checksum does not match the one received from the client.")
        # The bytes came with the parts.
        status = self.write(path, content, checksum)
        self.n_bytes_received -= len(content)
        del self.uploads[upload]
        return status

    def share_of(self, token: str) -> SharedFolder | None:
        """Return the share behind a token, unless it has ended."""
        self._drop_ended()
        return next((share for share in self.shares if share.token == token), None)

    def shares_of(self, path: str) -> list[SharedFolder]:
        """Return the shares of a path."""
        self._drop_ended()
        place = self._require_path(path)
        return [share for share in self.shares if share.path == place]

    def make_share(self, form: dict[str, str]) -> SharedFolder:
        """Make a link, whether or not there is one."""
        path = self._require_path(form.get("path", ""))
        if form.get("shareType") != "3":
            raise Refusal(400, "Unknown share type")
        if not self.links_enabled:
            raise Refusal(404, "Public link sharing is disabled by the administrator")
        password = form.get("password")
        if password is not None and len(password) < _SHORTEST_PASSWORD:
            raise Refusal(
                400, f"Password needs to be at least {_SHORTEST_PASSWORD} characters long"
            )
        if self.wants_passwords:
            password = password or "made by the server"
        ends = self._require_date(form.get("expireDate", ""))
        self.n_shares_made += 1
        token = hashlib.sha256(f"{self.url} {self.n_shares_made}".encode()).hexdigest()[:15]
        permissions = int(form.get("permissions", "1"))
        share = SharedFolder(self.n_shares_made, token, path, permissions, password, ends)
        self.shares.append(share)
        return share

    def change_share(self, number: str | None, form: dict[str, str]) -> SharedFolder:
        """Change when a link ends."""
        share = self._require_share(number)
        share.ends = self._require_date(form.get("expireDate", ""))
        return share

    def delete_share(self, number: str | None) -> None:
        """Revoke a link."""
        self.shares.remove(self._require_share(number))

    def expire(self) -> None:
        """Let all links end, as if time had passed."""
        for share in self.shares:
            share.ends = date.today() - timedelta(days=1)

    def _node(self, path: str) -> Node:
        return Node(path, self.files.get(path), self.checksums.get(path))

    def _take(self, n_bytes: int, *, freed: int = 0) -> None:
        used = sum(map(len, self.files.values())) - freed
        if self.quota is not None and used + n_bytes > self.quota:
            raise Refusal(507, "Insufficient space")
        self.n_bytes_received += n_bytes

    def _drop_ended(self) -> None:
        self.shares = [s for s in self.shares if s.ends is None or s.ends > date.today()]

    def _require_path(self, path: str) -> str:
        place = path.strip("/")
        if place not in self.folders and place not in self.files:
            raise Refusal(404, "Wrong path, file/folder does not exist")
        return place

    def _require_share(self, number: str | None) -> SharedFolder:
        found = next((share for share in self.shares if str(share.number) == number), None)
        if found is None:
            raise Refusal(404, "Wrong share ID, share does not exist")
        return found

    def _require_date(self, text: str) -> date | None:
        try:
            ends = date.fromisoformat(text) if text else None
        except ValueError:
            raise Refusal(400, "Invalid date. Format must be YYYY-MM-DD") from None
        if ends is not None and ends <= date.today():
            raise Refusal(404, "Expiration date is in the past")
        latest = self.longest_share_days
        if latest and ends is None:
            raise Refusal(400, "Expiration date is enforced")
        if latest and ends and ends > date.today() + timedelta(days=latest):
            raise Refusal(404, f"Cannot set expiration date more than {latest} days in the future")
        return ends


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")
