"""P17: what opens a door stands in the environment or ~/.netrc, and is never shown."""

from __future__ import annotations

import base64
import traceback

import pytest

from adata_assets.assets.retries import is_passing
from adata_assets.errors import InputError
from adata_assets.sources.contract import UnreachableError
from adata_assets.sources.opening import open_source
from adata_assets.sources.redact import fill_variables, redact, require_no_secrets
from adata_assets.spec import SourceSpec
from adata_assets_tests.servers.file_server import FileHandler, running
from adata_assets_tests.servers.object_server import running_store
from adata_assets_tests.sources.places import point_to

SECRET = "s3cr3t"


@pytest.fixture
def server():
    """A web server without files."""
    with running() as found:
        yield found


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A file of logins for this machine."""
    path = tmp_path / "netrc"
    path.write_text(f"machine 127.0.0.1 login reader password {SECRET}\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.parametrize(
    "uri",
    [
        f"https://reader:{SECRET}@host.org/a.h5ad",
        f"https://host.org/a.h5ad?token={SECRET}",
        f"https://host.org/a.h5ad?x=1&X-Amz-Signature={SECRET}&y=2",
        f"https://host.org/a.h5ad?api_key={SECRET}",
        f"https://host.org/a.h5ad?AWSAccessKeyId={SECRET}",
        f"https://host.org/a.h5ad?sv=1&sig={SECRET}",
        f"s3://key:{SECRET}@bucket/a.h5ad",
    ],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(uri):
    with pytest.raises(InputError, match=r"a\.h5ad.*(netrc|environment variable)") as caught:
        open_source(SourceSpec(uri=uri), None)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in redact(uri)


def test_harmless_parameters_stay(server, contents):
    server.add("/a.h5ad", contents[0])
    seen = open_source(SourceSpec(uri=f"{server.url}/a.h5ad?download=1&author=Liao"), None).look()
    assert seen.uri == f"{server.url}/a.h5ad?…"
    assert server.asked[0][0] == "/a.h5ad?download=1&author=Liao"


def test_a_parameter_is_taken_from_the_environment(server, contents, folders, monkeypatch):
    monkeypatch.setenv("HOST_TOKEN", SECRET)
    server.add("/a.h5ad", contents[0])
    source = open_source(SourceSpec(uri=f"{server.url}/a.h5ad?token=${{HOST_TOKEN}}"), None)
    seen = source.look()
    path = source.fetch(seen, **folders)
    assert {asked for asked, _ in server.asked} == {f"/a.h5ad?token={SECRET}"}
    assert SECRET not in f"{seen} {path} {source.uri}"


@pytest.mark.parametrize("status", [401, 403, 404, 418, 503])
def test_errors_do_not_show_what_was_filled_in(server, contents, monkeypatch, status):
    monkeypatch.setenv("HOST_TOKEN", SECRET)
    server.add("/a.h5ad", contents[0], statuses=[status] * 3)
    source = open_source(SourceSpec(uri=f"{server.url}/a.h5ad?token=${{HOST_TOKEN}}"), None)
    with pytest.raises(InputError, match=f"status {status}") as caught:
        source.look()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_errors_of_the_network_do_not_show_it_either(monkeypatch):
    monkeypatch.setenv("HOST_TOKEN", SECRET)
    source = open_source(SourceSpec(uri="http://127.0.0.1:9/a.h5ad?token=${HOST_TOKEN}"), None)
    with pytest.raises(UnreachableError) as caught:
        source.look()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("HOST_TOKEN", raising=False)
    with pytest.raises(InputError, match="environment variable HOST_TOKEN is not set"):
        fill_variables("https://host.org/a.h5ad?token=${HOST_TOKEN}")


def test_only_a_whole_value_counts_as_a_variable():
    with pytest.raises(InputError, match="'token' looks like a secret"):
        require_no_secrets(f"https://host.org/a.h5ad?token={SECRET}${{X}}")


@pytest.mark.parametrize(
    ("status", "told"), [(401, "netrc"), (403, "netrc"), (404, "no such file"), (410, "taken away")]
)
def test_what_a_server_refuses_is_told_with_the_way_out(server, contents, status, told):
    url = server.add("/a.h5ad", contents[0], statuses=[status])
    with pytest.raises(InputError, match=rf"a\.h5ad answers with status {status}.*{told}"):
        open_source(SourceSpec(uri=url), None).look()


def test_a_login_comes_from_netrc(server, contents, netrc):
    words = base64.b64encode(f"reader:{SECRET}".encode()).decode()
    url = server.add("/a.h5ad", contents[0], login=f"Basic {words}")
    assert open_source(SourceSpec(uri=url), None).look().n_bytes == len(contents[0])


def test_a_login_does_not_follow_to_another_host(server, contents, netrc):
    server.add("/a.h5ad", contents[0])
    port = server.url.rpartition(":")[2]
    with running() as other:
        url = other.add("/b.h5ad", b"", location=f"http://localhost:{port}/a.h5ad")
        open_source(SourceSpec(uri=url), None).look()
        assert "Authorization" in other.asked[0][1]
    assert "Authorization" not in server.asked[0][1]


def test_https_never_ends_in_http(tmp_path, monkeypatch, server, contents):
    from adata_assets_tests.sources.places import https_place

    with https_place(tmp_path, monkeypatch) as place:
        place.put(contents[0])
        place.served.location = server.add("/a.h5ad", contents[0])
        with pytest.raises(InputError, match="leads to http://") as caught:
            place.source().look()
    assert not is_passing(caught.value)


def test_a_certificate_that_nobody_knows_is_refused(tmp_path, monkeypatch, contents):
    from adata_assets_tests.sources.places import https_place

    with https_place(tmp_path, monkeypatch) as place:
        place.put(contents[0])
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(InputError, match=r"cannot be asked at all \(SSLError\)") as caught:
            place.source().look()
    assert not is_passing(caught.value)


class CutHandler(FileHandler):
    """Hears the first words of TLS and hangs up."""

    def handle(self) -> None:
        self.serving.asked.append(("", {}))
        self.connection.recv(1 << 16)


def test_a_handshake_that_is_cut_is_asked_for_again():
    """Its error has the same class as that of a certificate that nobody knows."""
    with running(CutHandler) as server:
        uri = f"{server.url.replace('http', 'https')}/a.h5ad"
        with pytest.raises(UnreachableError, match=r"cannot be reached \(SSLError, 3 times"):
            open_source(SourceSpec(uri=uri), None).look()
    assert len(server.asked) == 3


def test_a_bucket_is_asked_with_the_keys_of_the_environment(contents, folders, monkeypatch):
    with running_store() as store:
        point_to(store, monkeypatch)
        store.add("/lab/a.h5ad", contents[0], login="AKIDEXAMPLE")
        with pytest.raises(InputError, match="status 403 AccessDenied; set AWS_ACCESS_KEY_ID"):
            open_source(SourceSpec(uri="s3://lab/a.h5ad"), None).look()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        source = open_source(SourceSpec(uri="s3://lab/a.h5ad"), None)
        assert source.fetch(source.look(), **folders).read_bytes() == contents[0]
        assert SECRET not in f"{store.asked}"
        assert all(
            not name.lower().startswith("x-amz-checksum") for _, h in store.asked for name in h
        )


def test_wrong_settings_of_s3_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(InputError, match="boto3 says ProfileNotFound; look at AWS_") as caught:
        open_source(SourceSpec(uri="s3://lab/a.h5ad"), None).look()
    assert not is_passing(caught.value)


def test_a_zarr_folder_over_http_is_refused():
    with pytest.raises(InputError, match="a zarr folder cannot be listed over https"):
        open_source(SourceSpec(uri="https://host.org/cells.zarr/"), None)
