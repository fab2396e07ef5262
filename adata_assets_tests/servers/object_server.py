"""The part of the S3 protocol that reading needs: GetObject and ListObjectsV2, path style.

Objects are the server's files, ``/<bucket>/<key>``; their ETags follow their content.
"""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from adata_assets_tests.servers.file_server import FileHandler, FileServer, ServedFile, running

_CODES = {403: "AccessDenied", 404: "NoSuchKey", 412: "PreconditionFailed", 416: "InvalidRange"}
_PER_PAGE = 3


class ObjectHandler(FileHandler):
    """Answers as S3 does; a file's ``login`` is the key id that a request must be signed with."""

    def answer(self) -> None:
        """Answer for an object, or list a bucket."""
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if "list-type" in asked:
            self.serving.asked.append((self.path, dict(self.headers)))
            self._list(unquote(address.path).strip("/"), asked)
            return
        path, file = unquote(address.path), self.serving.files.get(unquote(address.path))
        self.serving.asked.append((path, dict(self.headers)))
        if file is None:
            self.refuse(404)
            return
        file.before(file)
        file.etag = etag_of(file.content)
        if status := file.statuses.pop(0) if file.statuses else 0:
            self.refuse(status)
        elif file.login and f"={file.login}/" not in self.headers.get("Authorization", ""):
            self.refuse(403)
        elif self.headers.get("If-Match", file.etag) != file.etag:
            self.refuse(412)
        else:
            self.give(file)

    def refuse(self, status: int) -> None:
        """Send the status with the code that S3 gives it."""
        code = _CODES.get(status, "SlowDown")
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
        self.send(status, headers, body, ServedFile(body))

    def _list(self, bucket: str, asked: dict[str, str]) -> None:
        start = f"/{bucket}/"
        keys = sorted(
            path.removeprefix(start)
            for path in self.serving.files
            if path.startswith(start + asked.get("prefix", ""))
        )
        first = int(asked.get("continuation-token", 0))
        page, more = keys[first : first + _PER_PAGE], first + _PER_PAGE < len(keys)
        entries = "".join(self._entry(key, self.serving.files[start + key]) for key in page)
        token = f"<NextContinuationToken>{first + _PER_PAGE}</NextContinuationToken>" * more
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"<KeyCount>{len(page)}</KeyCount>{entries}</ListBucketResult>"
        ).encode()
        headers = {"Content-Type": "application/xml", "Content-Length": str(len(body))}
        self.send(200, headers, body, ServedFile(body))

    def _entry(self, key: str, file: ServedFile) -> str:
        return (
            f"<Contents><Key>{escape(key)}</Key><ETag>{escape(etag_of(file.content))}</ETag>"
            f"<Size>{len(file.content)}</Size></Contents>"
        )


def etag_of(content: bytes) -> str:
    """Return the ETag of an object that was stored in one piece."""
    return f'"{hashlib.md5(content).hexdigest()}"'


def running_store() -> AbstractContextManager[FileServer]:
    """Run a store in a thread while the block lasts."""
    return running(ObjectHandler)
