"""Asking a Nextcloud server: who logs in, what refusals mean, answers of something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.base.readback import open_session
from adata_assets.share.contract import ShareError, ShareStore, remote_name, sha256_of
from adata_assets.share.webdav import server as nextcloud_server
from adata_assets.share.webdav.files import Files
from adata_assets.share.webdav.links import Shares
from adata_assets.share.webdav.server import Server, read_xml
from adata_assets_tests.servers.nextcloud_state import Cloud


def open_store(cloud: Cloud, **settings: Any) -> ShareStore:
    """Return the store of the dataset ``demo``."""
    given = {"url": cloud.url, **settings}
    return open_share_store("nextcloud", given, root=UPath("."), dataset_id="demo")


@pytest.fixture
def name(chunk_file: Path) -> str:
    """The remote name of the file."""
    return remote_name("0001-of-0002", sha256_of(chunk_file), ".h5ad")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "another"}, "status 401: user or app password were refused"),
        ({"quota": 100}, "status 507: the quota.*Insufficient space"),
        ({"is_in_maintenance": True}, "status 503: .*maintenance.*6 tries in a row"),
        ({"links_enabled": False}, "status 404: .*switched off.*disabled by the administrator"),
    ],
)
def test_a_refusal_says_what_it_means(
    cloud: Cloud, chunk_file: Path, name: str, change: dict[str, Any], words: str
) -> None:
    for field, value in change.items():
        setattr(cloud, field, value)
    with pytest.raises(ShareError, match=words) as caught:
        open_store(cloud).put(chunk_file, name)
    for secret in ("lab user", "lab%20user", "pass:wörd/+&", cloud.password):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None or cloud.user not in repr(caught.value.__cause__)


def test_a_maintenance_is_waited_for_as_long_as_it_asks(
    cloud: Cloud, chunk_file: Path, name: str, pauses: list[float]
) -> None:
    def end(method: str, path: str, body: bytes) -> None:
        cloud.is_in_maintenance = len(cloud.asked) < 3

    cloud.before = end
    open_store(cloud).put(chunk_file, name)
    assert pauses == [60.0, 60.0, 60.0]


def test_the_login_follows_no_redirect(cloud: Cloud, chunk_file: Path, name: str) -> None:
    cloud.make_folder("adata_assets")
    server = Server(cloud.url)
    cloud.make_share({"path": "adata_assets", "shareType": "3"})
    moved = f"{cloud.url}/s/{cloud.shares[0].token}/download"
    n_asked = len(cloud.asked)
    with pytest.raises(ShareError, match="status 303"):
        server.ask("GET", moved, "a file")
    assert len(cloud.asked) == n_asked + 1


def test_the_store_logs_in_with_what_the_environment_says(
    cloud: Cloud, chunk_file: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S16: not with a .netrc entry, and strangers' requests hold no login at all."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    store = open_store(cloud)
    store.probe(store.put(chunk_file, name))
    for _, path, headers in cloud.asked:
        assert ("Authorization" in headers) == (not path.startswith(("/public.php", "/s/")))
        assert cloud.password not in path
    assert "secret" not in repr(store.__dict__) + repr(Server(cloud.url))


def test_headers_that_a_proxy_drops_are_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropping(requests.Session):
        def request(self, *args: Any, **options: Any) -> requests.Response:
            options["headers"].pop("OCS-APIRequest")
            return super().request(*args, **options)

    monkeypatch.setattr(nextcloud_server, "open_session", lambda url: Dropping())
    with pytest.raises(ShareError, match="412: the server saw no header OCS-APIRequest"):
        Shares(Server(cloud.url), "/").find()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_a_document_type_is_not_read(encoding: str) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode(encoding)
    with pytest.raises(ValueError, match="document type"):
        read_xml(bomb)


@pytest.mark.parametrize("body", ["<html><body>Sign in</body></html>", '{"ocs": []}', "<a"])
def test_answers_of_something_else_are_told(
    body: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login page before the server answers with 200 to everything."""

    class Page(requests.Session):
        def request(self, *args: Any, **options: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response._content = 200, body.encode()
            return response

    monkeypatch.setattr(nextcloud_server, "open_session", lambda url: Page())
    what = "an HTML page" if "html" in body else "other bytes"
    with pytest.raises(ShareError, match=f"{what} instead of JSON"):
        Shares(Server(cloud.url), "/").find()
    if body != "<html><body>Sign in</body></html>":
        with pytest.raises(ShareError, match=f"{what} instead of XML"):
            Files(Server(cloud.url), ("a",)).find("x")


def test_the_server_is_as_a_real_one_was_seen(cloud: Cloud) -> None:
    """What all tests of the store build on."""
    login = requests.auth.HTTPBasicAuth(cloud.user.encode(), cloud.password.encode())
    ocs, xml = {"OCS-APIRequest": "true"}, re.compile(r"^<\?xml")
    shares = f"{cloud.url}/ocs/v2.php/apps/files_sharing/api/v1/shares?format=json"
    files = f"{cloud.url}/remote.php/dav/files/lab%20user"

    def ask(method: str, url: str, **options: Any) -> requests.Response:
        with open_session(url) as session:
            return session.request(method, url, timeout=10, **{"auth": login, **options})

    wrong = ask("GET", shares, headers=ocs, auth=("a", "b"))
    assert wrong.status_code == 401 and xml.match(wrong.text)
    assert ask("GET", shares).status_code == 412
    assert ask("GET", f"{shares}&path=/no", headers=ocs).status_code == 404
    assert ask("MKCOL", f"{files}/a").status_code == 201
    assert ask("MKCOL", f"{files}/a").status_code == 405
    assert ask("MKCOL", f"{files}/no/a").status_code == 409
    assert ask("PUT", f"{files}/no/a", data=b"x").status_code == 404
    wrong_sum = {"OC-Checksum": "SHA256:00"}
    assert ask("PUT", f"{files}/a/x", data=b"xyz", headers=wrong_sum).status_code == 201
    assert ask("PUT", f"{files}/a/x", data=b"xyz").status_code == 204
    form = {"path": "/a/x", "shareType": "3"}
    made = [ask("POST", shares, headers=ocs, data=form).json()["ocs"]["data"] for _ in range(2)]
    assert made[0]["token"] != made[1]["token"]
    for bad, status in {"2001-01-01": 404, "soon": 400}.items():
        bad_form = {**form, "expireDate": bad}
        assert ask("POST", shares, headers=ocs, data=bad_form).status_code == status
    weak = {**form, "password": "short"}
    assert ask("POST", shares, headers=ocs, data=weak).status_code == 400
    page, direct = (f"{cloud.url}/{p}/{made[0]['token']}" for p in ("s", "public.php/dav/files"))
    moved = ask("GET", f"{page}/download", auth=None, allow_redirects=False)
    assert moved.status_code == 303
    assert moved.headers["Location"].endswith(f"/{made[0]['token']}/?accept=zip")
    ranged = ask("GET", f"{page}/download", auth=None, headers={"Range": "bytes=1-1"})
    assert (ranged.status_code, ranged.content) == (206, b"y")
    head = ask("HEAD", direct, auth=None)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "3")
    ask("DELETE", shares.replace("?", f"/{made[0]['id']}?"), headers=ocs)
    assert [ask("GET", url, auth=None).status_code for url in (page, direct)] == [404, 503]
