"""One place per scheme where a test can put content: what the contract is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adata_assets.sources.contract import Source
from adata_assets.sources.opening import open_source
from adata_assets.spec import SourceSpec
from adata_assets_tests.servers.certificate import make_tls
from adata_assets_tests.servers.file_server import FileServer, ServedFile, running
from adata_assets_tests.servers.object_server import running_store


@dataclass
class Place:
    """Where one source lives.

    Attributes
    ----------
    uri
        Its address.
    put
        Gives it content.
    server
        The server behind it, if there is one.
    """

    uri: str
    put: Callable[[bytes], Any]
    server: FileServer | None = None

    def source(self, **fields: Any) -> Source:
        """Return the source."""
        return open_source(SourceSpec(uri=self.uri, **fields), None)

    @property
    def served(self) -> ServedFile:
        """The one file of the server."""
        assert self.server
        return next(iter(self.server.files.values()))

    @property
    def ranges(self) -> list[str | None]:
        """What was asked for so far."""
        assert self.server
        return [headers.get("Range") for _, headers in self.server.asked]


@contextmanager
def file_place(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A path."""
    path = folder / "cells.h5ad"
    yield Place(str(path), path.write_bytes)


@contextmanager
def package_place(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A file inside a package."""
    package = folder / "packed_cells"
    package.mkdir()
    (package / "__init__.py").touch()
    patch.syspath_prepend(str(folder))
    yield Place("package://packed_cells/cells.h5ad", (package / "cells.h5ad").write_bytes)


@contextmanager
def http_place(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A file on a web server."""
    with running() as server:
        yield _web_place(server)


@contextmanager
def https_place(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A file on a web server that is trusted."""
    tls, trusted = make_tls(folder)
    patch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with running(tls=tls) as server:
        yield _web_place(server)


@contextmanager
def s3_place(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An object in a bucket that everybody may read."""
    with running_store() as server:
        point_to(server, patch)
        yield Place("s3://lab/run/cells.h5ad", _putter(server, "/lab/run/cells.h5ad"), server)


def point_to(server: FileServer, patch: pytest.MonkeyPatch) -> None:
    """Let S3 sources ask this server, without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_ENDPOINT_URL_S3", server.url)


PLACES = {
    "file": file_place,
    "package": package_place,
    "http": http_place,
    "https": https_place,
    "s3": s3_place,
}


def _web_place(server: FileServer) -> Place:
    return Place(f"{server.url}/cells.h5ad", _putter(server, "/cells.h5ad"), server)


def _putter(server: FileServer, path: str) -> Callable[[bytes], None]:
    def put(content: bytes) -> None:
        file = server.files.setdefault(path, ServedFile(b""))
        file.content, file.etag = content, f'"{hash(content):x}"'

    return put
