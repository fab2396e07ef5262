"""The server of the local store: ranges, and nothing beside what a manifest names."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn

from adata_assets.errors import InputError
from adata_assets.share.local import Store
from adata_assets.share.serve import running_server, serve

NAME = "0001-of-0002-0123456789abcdef.h5ad"
ZIP_NAME = "0001-of-0002-0123456789abcdef.zarr.zip"


@pytest.fixture
def base_url(local_store: Store, chunk_file: Path, root: Path) -> Iterator[str]:
    """A server with two shared files and a secret beside and above them."""
    local_store.put(chunk_file, NAME)
    local_store.put(chunk_file, ZIP_NAME)
    (root / "share" / "demo" / "unnamed.h5ad").write_bytes(b"secret")
    (root / "secret.h5ad").write_bytes(b"secret")
    with running_server(root) as url:
        yield url


def _get_raw(base_url: str, path: str) -> tuple[int, bytes]:
    """GET a path exactly as written: clients otherwise tidy dots away."""
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


@pytest.mark.parametrize(
    ("name", "media_type"), [(NAME, "application/x-hdf5"), (ZIP_NAME, "application/zip")]
)
def test_get_and_head(base_url: str, chunk_file: Path, name: str, media_type: str) -> None:
    url = f"{base_url}/demo/{name}"
    got, head = requests.get(url, timeout=10), requests.head(url, timeout=10)
    assert (got.status_code, head.status_code) == (200, 200)
    assert got.content == chunk_file.read_bytes()
    assert head.content == b""
    for response in (got, head):
        assert response.headers["content-type"] == media_type
        assert int(response.headers["content-length"]) == chunk_file.stat().st_size


def test_ranges(base_url: str, chunk_file: Path) -> None:
    url, n_bytes = f"{base_url}/demo/{NAME}", chunk_file.stat().st_size
    middle = requests.get(url, headers={"Range": "bytes=8-15"}, timeout=10)
    assert (middle.status_code, middle.content) == (206, chunk_file.read_bytes()[8:16])
    assert middle.headers["content-range"] == f"bytes 8-15/{n_bytes}"
    end = requests.get(url, headers={"Range": "bytes=-4"}, timeout=10)
    assert end.content == chunk_file.read_bytes()[-4:]
    beyond = requests.get(url, headers={"Range": f"bytes={n_bytes}-"}, timeout=10)
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/demo",
        "/demo/",
        "/demo/unnamed.h5ad",
        f"/other/{NAME}",
        f"/demo/manifest/{NAME}.json",
        f"/demo/manifest%2F{NAME}.json",
        f"/demo/{NAME}/",
        f"/demo/{NAME}%00",
        f"/demo/{NAME}%0a",
        "/demo/../../secret.h5ad",
        "/demo/..%2f..%2fsecret.h5ad",
        "/demo/%2e%2e%2f%2e%2e%2fsecret.h5ad",
        "/../secret.h5ad",
        "/%2e%2e/secret.h5ad",
        "/..%5csecret.h5ad",
        "//secret.h5ad",
        "/demo/%ff.h5ad",
    ],
)
def test_everything_else_is_a_404_in_json(base_url: str, path: str) -> None:
    status, body = _get_raw(base_url, path)
    assert status == 404
    assert body.startswith(b'{"error":')


def test_other_methods_are_refused(base_url: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert requests.request(method, f"{base_url}/demo/{NAME}", timeout=10).status_code == 405


@pytest.mark.parametrize("place", ["file", "manifest", "dataset"])
def test_symbolic_links_are_not_followed(
    base_url: str, root: Path, tmp_path: Path, place: str
) -> None:
    """A link to elsewhere is a 404, be it the file, the manifest folder or the dataset's folder."""
    moved = {"file": NAME, "manifest": "manifest", "dataset": "."}[place]
    inside = (root / "share" / "demo" / moved).resolve()
    outside = tmp_path / "outside"
    shutil.move(inside, outside)
    inside.symlink_to(outside)
    assert requests.get(f"{base_url}/demo/{NAME}", timeout=10).status_code == 404


def test_a_file_of_another_size_than_its_entry_is_not_served(base_url: str, root: Path) -> None:
    shared = root / "share" / "demo" / NAME
    shared.unlink()
    shared.write_bytes(b"\x89HDF")
    assert requests.get(f"{base_url}/demo/{NAME}", timeout=10).status_code == 404


def test_a_damaged_entry_is_a_404(base_url: str, root: Path) -> None:
    (root / "share" / "demo" / "manifest" / f"{NAME}.json").write_text("{")
    assert requests.get(f"{base_url}/demo/{NAME}", timeout=10).status_code == 404


def test_a_root_behind_a_symbolic_link_is_served(
    local_store: Store, chunk_file: Path, root: Path, tmp_path: Path
) -> None:
    local_store.put(chunk_file, NAME)
    (tmp_path / "alias").symlink_to(root)
    with running_server(tmp_path / "alias") as url:
        assert requests.get(f"{url}/demo/{NAME}", timeout=10).status_code == 200


def test_the_server_stops_with_its_block(root: Path) -> None:
    with running_server(root) as url:
        assert requests.get(url, timeout=10).status_code == 404
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_a_server_that_nobody_waits_for_ends_by_itself(root: Path) -> None:
    before = set(threading.enumerate())
    with running_server(root, wait=False) as url:
        assert requests.get(url, timeout=10).status_code == 404
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_only_loopback_hosts_are_served(root: Path, host: str) -> None:
    with pytest.raises(InputError, match=f"{host}.*loopback"):
        serve(root, host=host)


def test_a_taken_port_is_named_with_the_way_out(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}.*another port"):
            serve(root, port=port)
        with pytest.raises(InputError, match=f"port {port}"), running_server(root, port=port):
            pass


def test_serve_needs_a_folder(root: Path) -> None:
    with pytest.raises(InputError, match="ADATA_ASSETS_STORAGE"):
        serve(root / "missing")


def test_serve_ends_quietly_when_interrupted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        sockets[0].close()
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", interrupt)
    serve(root, port=0)
