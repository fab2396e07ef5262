"""Files of one dataset on a Nextcloud server: looking, uploading in parts, removing (WebDAV).

Belongs here: what lies in the dataset's folder and among the unfinished uploads. Does not belong
here: links (`links`).
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import requests

from adata_assets.share.base.retry import with_retries
from adata_assets.share.contract import Progress, ShareError
from adata_assets.share.webdav.server import Server

__all__ = ["Entry", "Files"]

# Nextcloud takes parts of 5 MiB to 5 GiB, the last may be smaller, and at most 10,000 of them.
_PART_BYTES = 32 << 20
_MOST_PARTS = 10_000
_PROPERTIES = (
    '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><d:getcontentlength/>'
    "<d:resourcetype/><oc:checksums/></d:prop></d:propfind>"
)
_DAV, _OC = "{DAV:}", "{http://owncloud.org/ns}"
_SUM = "SHA256:"


@dataclass(frozen=True)
class Entry:
    """What a listing says of one file or folder.

    Attributes
    ----------
    n_bytes
        None for a folder.
    sha256
        As it was stated when the file was joined; None where the server kept none.
    """

    name: str
    n_bytes: int | None
    sha256: str | None

    def has(self, n_bytes: int, sha256: str) -> bool:
        """Whether this can be a file of that size and content, as far as the server tells."""
        return self.n_bytes == n_bytes and self.sha256 in (None, sha256)


@dataclass(frozen=True)
class Files:
    """The folder of one dataset, and uploads into it.

    Attributes
    ----------
    folder
        Names of the folders from the user's root to the dataset's, which is the last.
    """

    server: Server
    folder: tuple[str, ...]

    @property
    def path(self) -> str:
        """The dataset's folder as the sharing API names it."""
        return "/" + "/".join(self.folder)

    def find(self, name: str) -> Entry | None:
        """Return what the server says of a file, or None if there is none."""
        found = self._list(("files", *self.folder, name), depth=0)
        return found[0] if found else None

    def entries(self) -> list[Entry]:
        """Return what lies in the folder; nothing where the folder is missing."""
        return self._list(("files", *self.folder), depth=1)[1:]

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens if there is none."""
        self._delete(("files", *self.folder, name))

    def uploads(self) -> list[str]:
        """Return the ids of this dataset's unfinished uploads."""
        found = self._list(("uploads",), depth=1)
        return sorted(e.name for e in found[1:] if e.name.startswith(self._upload_id("")))

    def discard(self, upload: str) -> None:
        """Remove an unfinished upload of this dataset with its parts."""
        if upload.startswith(self._upload_id("")):
            self._delete(("uploads", upload))

    def upload(self, file: Path, name: str, sha256: str, report: Progress) -> None:
        """Send the parts that the server lacks, then let it join them and compare the sum.

        Raises
        ------
        ShareError
            If the server refuses, or twice has other bytes than were sent.
        """
        self._make_folders()
        for _ in range(2):
            self._send(file, name, report)
            if self._join(file, name, sha256):
                return
            # Wrong parts, or parts that the server has tidied away: all of them again.
            self.discard(self._upload_id(name))
        raise ShareError(
            f"{file} in share store 'nextcloud' at {self.server.url}: the parts of {name} were "
            "joined twice to other bytes than were sent; look into the network and the server's "
            "disk, then materialize share_links again"
        )

    def _upload_id(self, name: str) -> str:
        # Made from the name, so that another process goes on; of this folder, so that datasets
        # with equal files do not meet.
        place = hashlib.sha256(self.path.encode()).hexdigest()[:12]
        return f"adata_assets-{place}-{name}"

    def _make_folders(self) -> None:
        if self._list(("files", *self.folder), depth=0):
            return
        for depth in range(1, len(self.folder) + 1):
            url = self.server.dav_url("files", *self.folder[:depth])
            self.server.ask("MKCOL", url, "/".join(self.folder[:depth]), known=(405,))

    def _send(self, file: Path, name: str, report: Progress) -> None:
        upload, n_bytes = self._upload_id(name), file.stat().st_size
        url, into = self.server.dav_url("uploads", upload), self._destination(name)
        # 405: there already, from a process that was stopped.
        self.server.ask("MKCOL", url, name, known=(405,), headers=into)
        there = {e.name: e.n_bytes for e in self._list(("uploads", upload), depth=1)[1:]}
        parts = dict(_parts(n_bytes))
        for foreign in [part for part in there if part.isdigit() and part not in parts]:
            self._delete(("uploads", upload, foreign))
        n_sent = sum(size for part, (_, size) in parts.items() if there.get(part) == size)
        report(n_sent, n_bytes)
        for part, (start, size) in parts.items():
            if there.get(part) == size:
                continue
            with_retries(partial(self._put, file, name, f"{url}/{part}", start, size))
            n_sent += size
            report(n_sent, n_bytes)

    def _put(self, file: Path, name: str, url: str, start: int, n_bytes: int) -> None:
        with file.open("rb") as stream:
            stream.seek(start)
            body, into = _Slice(stream, n_bytes), self._destination(name)
            # 404: tidied away, or joined by another process meanwhile, which joining finds out.
            self.server.ask_once("PUT", url, name, known=(404,), data=body, headers=into)

    def _join(self, file: Path, name: str, sha256: str) -> bool:
        n_bytes = file.stat().st_size
        headers = {
            **self._destination(name),
            "Overwrite": "T",
            "OC-Total-Length": str(n_bytes),
            "OC-Checksum": f"{_SUM}{sha256}",
        }
        url = f"{self.server.dav_url('uploads', self._upload_id(name))}/.file"
        # 400: the sum is another. 404: no such parts, which a lost answer leaves when all is done.
        self.server.ask("MOVE", url, name, known=(400, 404), headers=headers)
        found = self.find(name)
        return found is not None and found.has(n_bytes, sha256)

    def _destination(self, name: str) -> dict[str, str]:
        return {"Destination": self.server.dav_url("files", *self.folder, name)}

    def _delete(self, place: tuple[str, ...]) -> None:
        self.server.ask("DELETE", self.server.dav_url(*place), place[-1], known=(404,))

    def _list(self, place: tuple[str, ...], *, depth: int) -> list[Entry]:
        about, url = "/".join(place), self.server.dav_url(*place)
        headers = {"Depth": str(depth), "Content-Type": "application/xml"}

        def ask() -> list[Entry]:
            response = self.server.ask_once(
                "PROPFIND", url, about, known=(404,), headers=headers, data=_PROPERTIES
            )
            return [] if response.status_code == 404 else self._read(about, response)

        return with_retries(ask)

    def _read(self, about: str, response: requests.Response) -> list[Entry]:
        root = self.server.read_answer("PROPFIND", about, response)
        return [_read_entry(found) for found in root.iter(f"{_DAV}response")]


@dataclass
class _Slice:
    """A stretch of an open file, as a body of known length that is read in small pieces."""

    stream: BinaryIO
    n_left: int

    def __len__(self) -> int:
        return self.n_left

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 20), b"")

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the stretch."""
        block = self.stream.read(self.n_left if size < 0 else min(size, self.n_left))
        self.n_left -= len(block)
        return block


def _parts(n_bytes: int) -> Iterator[tuple[str, tuple[int, int]]]:
    size = max(_PART_BYTES, -(-n_bytes // _MOST_PARTS))
    for number, start in enumerate(range(0, n_bytes, size), start=1):
        yield f"{number:05d}", (start, min(size, n_bytes - start))


def _read_entry(found: ET.Element) -> Entry:
    length = found.find(f".//{_DAV}getcontentlength")
    sums = (found.findtext(f".//{_OC}checksum") or "").split()
    sha256 = next((s.removeprefix(_SUM).lower() for s in sums if s.startswith(_SUM)), None)
    is_folder = found.find(f".//{_DAV}collection") is not None
    text = "" if length is None or is_folder else (length.text or "")
    name = unquote((found.findtext(f"{_DAV}href") or "").rstrip("/").rpartition("/")[2])
    return Entry(name, int(text) if text.isdigit() else None, sha256)
