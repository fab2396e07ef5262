"""Stores are found by listing; wrong names and settings are told with what is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share import load_share_settings, open_share_store, share_store_names


def test_names_are_the_modules_that_define_a_store() -> None:
    assert "local" in share_store_names()
    assert not {"contract", "serve", "manifest", "readback"} & set(share_store_names())


def test_listing_the_stores_imports_no_server_and_no_client() -> None:
    code = (
        "import sys, adata_assets.share as share; share.share_store_names();"
        "sys.exit(bool({'uvicorn', 'starlette', 'requests'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["ftp", "contract", "__init__", "../local"])
def test_a_wrong_name_is_answered_with_the_right_ones(name: str) -> None:
    with pytest.raises(InputError, match="local"):
        load_share_settings(name, {})


def test_an_unknown_setting_is_named_and_its_value_is_not_repeated() -> None:
    """S16, P17: a password that was put into the YAML by mistake stays out of the message."""
    with pytest.raises(InputError, match=r"'password'.*base_url, local_zarr") as caught:
        load_share_settings("local", {"password": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"local_zarr": "yes"}, "local_zarr: .*valid boolean"),
        ({"base_url": "ftp://host"}, r"base_url: .*http\(s\)://host"),
        ({"base_url": "127.0.0.1:8765"}, "base_url: "),
        ({"base_url": "https://me:key@host.org"}, "base_url: .*without user"),
        ({"base_url": "https://host.org?token=key"}, "base_url: .*without user"),
    ],
)
def test_a_wrong_value_names_the_field(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_share_settings("local", settings)
    assert "key" not in str(caught.value)


def test_base_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADATA_ASSETS_BASE_URL", raising=False)
    assert load_share_settings("local", {}).model_dump() == {
        "base_url": "http://127.0.0.1:8765",
        "local_zarr": False,
    }
    monkeypatch.setenv("ADATA_ASSETS_BASE_URL", "https://cells.example.org/files/")
    loaded = load_share_settings("local", {}).model_dump()
    assert loaded["base_url"] == "https://cells.example.org/files"
    monkeypatch.setenv("ADATA_ASSETS_BASE_URL", "nonsense")
    with pytest.raises(InputError, match="ADATA_ASSETS_BASE_URL"):
        load_share_settings("local", {})


@pytest.mark.parametrize("root", ["s3://bucket/prefix", "memory://x"])
def test_the_local_store_refuses_a_root_that_is_no_folder(root: str) -> None:
    with pytest.raises(InputError, match=rf"{root}.*ADATA_ASSETS_STORAGE.*another store"):
        open_share_store("local", {}, root=UPath(root), dataset_id="demo")


def test_a_dataset_id_cannot_leave_the_share_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.\./x"):
        open_share_store("local", {}, root=UPath(tmp_path), dataset_id="../x")
