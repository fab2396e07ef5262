"""Weights from a folder and from a Hub on loopback: pinned, hashed, and missing ones explained."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adata_assets.embedders.base.weights import fetch_weights, hash_files, require_package
from adata_assets.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = ("config.json", "model.safetensors")
CONTENT = {"config.json": b"{}", "model.safetensors": b"weights"}


class _Hub(BaseHTTPRequestHandler):
    """Serves the files of one commit of one repository, in its root and in a folder ``v2``."""

    def __init__(self, asked: list[str], *args: object) -> None:
        self.asked = asked
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        self.asked.append(f"{self.command} {self.path}")
        root = f"/lab/model/resolve/{COMMIT}/"
        content = CONTENT.get(self.path.removeprefix(root).removeprefix("v2/"))
        self.send_response(404 if content is None else 200)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(content or b"").hexdigest()}"')
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        return content or b""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Hub that the client is pointed to, with a cache of its own; the requests it got."""
    from huggingface_hub import constants

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, asked))
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    place.mkdir()
    for name, content in CONTENT.items():
        (place / name).write_bytes(content)
    return place


def fetch(source: str | Path, revision: str | None = None, **sha256: str) -> Path:
    named = {name.replace("_", "."): digest for name, digest in sha256.items()}
    return fetch_weights(
        str(source), revision=revision, sha256=named, files=FILES, extra="geneformer"
    )


def test_a_folder_is_taken_as_it_is(folder: Path) -> None:
    hashes = hash_files(folder, FILES)
    assert hashes["model.safetensors"] == hashlib.sha256(b"weights").hexdigest()
    assert fetch(folder) == fetch(folder, config_json=hashes["config.json"]) == folder


@pytest.mark.parametrize("inner", ["", "/v2"])
def test_a_commit_is_fetched_once(hub: list[str], inner: str) -> None:
    """Also from a folder of the repository, as the generations of a model are published."""
    found = fetch(f"lab/model{inner}", COMMIT)
    assert {name: (found / name).read_bytes() for name in FILES} == CONTENT
    assert hub
    hub.clear()
    assert fetch(f"lab/model{inner}", COMMIT) == found
    assert not hub


def test_other_content_than_stated_is_refused(hub: list[str], folder: Path) -> None:
    for source, revision in ((folder, None), ("lab/model", COMMIT)):
        with pytest.raises(InputError, match=r"model\.safetensors has sha256 \w{64}, a{64} is"):
            fetch(source, revision, model_safetensors="a" * 64)


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:7], COMMIT.upper(), ""])
def test_a_branch_a_tag_or_a_short_commit_is_refused(hub: list[str], revision: str) -> None:
    with pytest.raises(InputError, match=r"is not a commit; .*give the commit's 40 hex digits"):
        fetch("lab/model", revision)
    assert not hub


@pytest.mark.parametrize(
    "source", ["/lab/model", "model", "lab/../model", "lab/model/../..", "a b/c"]
)
def test_what_is_no_hub_id_is_refused(hub: list[str], source: str) -> None:
    with pytest.raises(InputError, match="with a revision must be a Hub id"):
        fetch(source, COMMIT)
    assert not hub


def test_what_the_hub_does_not_have_is_told_with_the_command(hub: list[str]) -> None:
    with pytest.raises(
        InputError,
        match=r"lab/other/v2 at 0123\w+ cannot be fetched.*hf download lab/other "
        r"v2/config\.json v2/model\.safetensors --revision 0123\w+ --local-dir",
    ):
        fetch("lab/other/v2", COMMIT)


def test_offline_is_told(hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"cannot be fetched .*HF_HUB_OFFLINE.*hf download"):
        fetch("lab/model", COMMIT)
    assert not hub


def test_what_a_folder_lacks_is_told_with_the_command(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"lacks \['config.json'\]\. Get them: hf download"):
        fetch(folder)
    with pytest.raises(InputError, match=r"there is no folder '.*nowhere'.*hf download"):
        fetch(folder / "nowhere")


def test_p15_a_pickle_in_the_place_of_safetensors_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        InputError, match=r"it has \['pytorch_model.bin'\], which is not read.*use_safetensors=True"
    ):
        fetch(folder)


def test_hashes_are_checked_before_anything_is_looked_for() -> None:
    with pytest.raises(InputError, match=r"sha256 names 'other\.bin'; the files are \['config"):
        fetch("nowhere", other_bin="a" * 64)
    with pytest.raises(
        InputError, match="sha256 of 'config.json' is 'abc'; give the 64 hex digits"
    ):
        fetch("nowhere", config_json="abc")


def test_a_missing_package_is_named_with_its_command() -> None:
    require_package("numpy", extra="geneformer")
    with pytest.raises(InputError, match=r"pip install 'adata_assets\[geneformer\]'"):
        require_package("no_such_package_here", extra="geneformer")
