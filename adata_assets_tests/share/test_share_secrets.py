"""S16, P17: two dozen secrets of many shapes appear nowhere after runs that fail at the share store."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.contract import ShareError, remote_name, sha256_of
from adata_assets_tests.datasets import make_spec, write_cells
from adata_assets_tests.projects import Project, attributes_of
from adata_assets_tests.servers.file_server import FileServer, running
from adata_assets_tests.servers.nextcloud import running_nextcloud
from adata_assets_tests.servers.nextcloud_state import Cloud
from adata_assets_tests.share.planted_secrets import (
    USER,
    app_password,
    find_secrets,
    make_secrets,
    written_forms,
)

SECRETS = make_secrets(7)
PASSWORD = "ADATA_ASSETS_NEXTCLOUD_PASSWORD"
SPLITS = {"train": 0, "validation": 0, "test": 1, "split_by": "cell"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All secrets in the environment, and one in a .netrc that the source's server wants."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ADATA_ASSETS_NEXTCLOUD_USER", USER)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login reader password {SECRETS['NETRC_PASSWORD']}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A Nextcloud server that knows the planted password."""
    with running_nextcloud(USER, SECRETS[PASSWORD]) as cloud:
        yield cloud


@pytest.fixture
def files() -> Iterator[FileServer]:
    """A web server for the source."""
    with running() as server:
        yield server


def _project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: Cloud, files: FileServer
) -> Project:
    files.add("/raw.h5ad", write_cells(tmp_path).read_bytes())
    query = "X-Amz-Signature=${SOURCE_SIGNATURE}&X-Amz-Security-Token=${SOURCE_SECURITY_TOKEN}"
    spec = make_spec(
        f"{files.url}/raw.h5ad?{query}",
        embedders=(),
        format="single",
        chunks={"count": 1},
        splits=SPLITS,
        share={"store": "nextcloud", "url": cloud.url},
    )
    folder = tmp_path / "all"
    folder.mkdir()
    return Project.make(folder, monkeypatch, attributes_of(spec))


def test_secrets_appear_nowhere_when_sharing_fails(
    planted: None,
    cloud: Cloud,
    files: FileServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Refused by a server that repeats the password, then nobody there; in the end it succeeds."""
    assert len(SECRETS) >= 20
    project = _project(tmp_path, monkeypatch, cloud, files)
    told = []

    # A server that repeats what it was sent.
    cloud.refuses = {"POST": (403, f"Not for {USER} with {cloud.password}")}
    told.append(project.run("materialize", "cells"))
    assert "status 403" in told[-1].output
    cloud.refuses = {}

    def hang_up(method: str, path: str, body: bytes) -> None:
        raise ConnectionError("no answer")

    cloud.before = hang_up
    told.append(project.run("materialize", "cells"))
    assert "no complete answer" in told[-1].output
    assert [result.exit_code for result in told] == [1, 1]
    cloud.before = lambda method, path, body: None

    told.append(project.run("materialize", "cells"))
    assert told[-1].exit_code == 0
    assert (project.storage / "cells" / "hf_splits" / "README.md").is_file()
    assert list(tmp_path.glob("all/home/**/*.db"))
    # The secrets were really used where they belong.
    assert any(SECRETS["SOURCE_SIGNATURE"] in path for path, _ in files.asked)

    seen = tmp_path / "all" / "streams.txt"
    seen.write_text("".join([*(result.output for result in told), *capfd.readouterr()]))
    assert find_secrets(tmp_path / "all", {**SECRETS, "USER": USER}) == []


@pytest.mark.parametrize("password", [SECRETS[PASSWORD], app_password(3)])
@pytest.mark.parametrize(
    ("refuses", "words"),
    [
        ({"PROPFIND": (401, "{user} {password} {forms}")}, "status 401"),
        ({"POST": (400, "{forms} {password}")}, "status 400"),
        ({"MOVE": (507, "no space for {user}: {password} {forms}")}, "status 507"),
        ({"PUT": (503, "Basic {forms}")}, "status 503"),
    ],
)
def test_a_server_that_repeats_the_login_is_not_repeated(
    planted: None,
    cloud: Cloud,
    chunk_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    refuses: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setenv(PASSWORD, password)
    cloud.password = password
    pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
    for method, (status, text) in refuses.items():
        said = text.format(user=USER, password=password, forms=pair)
        cloud.refuses[method] = (status, said)
    store = open_share_store("nextcloud", {"url": cloud.url}, root=UPath("."), dataset_id="demo")
    with pytest.raises(ShareError, match=words) as caught:
        store.put(chunk_file, remote_name("0001-of-0001", sha256_of(chunk_file), ".h5ad"))
    told = "".join(traceback.format_exception(caught.value)).encode()
    assert not [form for form in {*written_forms(password), USER.encode()} if form in told]


@pytest.mark.parametrize(
    "share",
    [
        {"url": "https://me:{secret}@cloud.example.org"},
        {"url": "https://cloud.example.org/?token={secret}"},
        {"url": "http://cloud.example.org/s#{secret}"},
        {"url": "https://cloud.example.org", "password": "{secret}"},
        {"url": "https://cloud.example.org", "headers": {"Authorization": "Bearer {secret}"}},
        {"url": "https://cloud.example.org", "expires_in_days": "{secret}"},
    ],
)
def test_a_secret_in_the_yaml_is_refused_and_not_repeated(
    planted: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: dict[str, Any],
    capfd: pytest.CaptureFixture[str],
) -> None:
    secret = SECRETS["GITHUB_TOKEN"]
    written = {
        name: {k: v.format(secret=secret) for k, v in value.items()}
        if isinstance(value, dict)
        else value.format(secret=secret)
        for name, value in share.items()
    }
    spec = make_spec(write_cells(tmp_path), share={"store": "nextcloud", **written})
    folder = tmp_path / "all"
    folder.mkdir()
    project = Project.make(folder, monkeypatch, attributes_of(spec))
    result = project.run("materialize", "cells")
    assert result.exit_code == 2
    assert "share store 'nextcloud'" in result.output
    project.yaml.unlink()
    (folder / "streams.txt").write_text("".join([result.output, *capfd.readouterr()]))
    assert find_secrets(folder, {"GITHUB_TOKEN": secret}) == []


def test_what_is_planted_would_be_found(tmp_path: Path) -> None:
    """Each way of writing each secret, in a file and in a file's name."""
    for name, secret in SECRETS.items():
        for i, form in enumerate(sorted(written_forms(secret))):
            (tmp_path / f"{i}.log").write_bytes(b"before" + form + b"after")
            assert find_secrets(tmp_path, {name: secret}) == [f"{name} in {tmp_path / f'{i}.log'}"]
            (tmp_path / f"{i}.log").unlink()
    (tmp_path / app_password(1)).touch()
    assert len(find_secrets(tmp_path, {"app": app_password(1)})) == 1
