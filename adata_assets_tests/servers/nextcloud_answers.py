"""How the Nextcloud server words its answers: XML of WebDAV, XML and JSON of OCS, a page, a zip."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

PAGE = "<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head><body>This share</body></html>"
_XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True)
class Answer:
    """Status, body and headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """One file (with its bytes) or folder (None) below the user's root."""

    path: str
    content: bytes | None
    checksum: str | None = None


def dav_error(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error as sabre/dav words it."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">\n'
        f"  <s:exception>Sabre\\DAV\\Exception</s:exception>\n  <s:message>{escape(message)}"
        "</s:message>\n</d:error>\n"
    )
    return Answer(status, body.encode(), {**_XML, **(headers or {})})


def ocs_error(status: int, message: str) -> Answer:
    """Return an error of the sharing API, which is XML."""
    body = (
        f'<?xml version="1.0"?>\n<ocs>\n <meta>\n  <status>failure</status>\n  <statuscode>{status}'
        f"</statuscode>\n  <message>{escape(message)}</message>\n </meta>\n <data/>\n</ocs>\n"
    )
    return Answer(status, body.encode(), _XML)


def ocs_answer(data: Any) -> Answer:
    """Return data of the sharing API as JSON."""
    meta = {"status": "ok", "statuscode": 200, "message": "OK"}
    body = json.dumps({"ocs": {"meta": meta, "data": data}}).encode()
    return Answer(200, body, {"Content-Type": "application/json; charset=utf-8"})


def multistatus(root: str, nodes: list[Node]) -> Answer:
    """Return a listing."""
    entries = "".join(_entry(root, node) for node in nodes)
    body = (
        '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" '
        f'xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">{entries}'
        "</d:multistatus>"
    )
    return Answer(207, body.encode(), _XML)


def zip_of(nodes: list[Node]) -> bytes:
    """Return a folder as Nextcloud hands it out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for node in nodes:
            if node.content is not None:
                archive.writestr(node.path, node.content)
    return buffer.getvalue()


def _entry(root: str, node: Node) -> str:
    is_folder = node.content is None
    kind = "<d:resourcetype><d:collection/></d:resourcetype>" if is_folder else "<d:resourcetype/>"
    known = (
        "" if is_folder else f"<d:getcontentlength>{len(node.content or b'')}</d:getcontentlength>"
    )
    if node.checksum:
        known += f"<oc:checksums><oc:checksum>{node.checksum}</oc:checksum></oc:checksums>"
    href = quote(f"{root}/{node.path}".rstrip("/") + "/" * is_folder)
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{kind}{known}</d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:quota/></d:prop>"
        "<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
    )
