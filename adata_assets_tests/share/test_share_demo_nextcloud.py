"""The demo with its files on a Nextcloud server, as a reader without login finds it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import requests

from adata_assets.hub.card import code_blocks
from adata_assets.tables import read_table
from adata_assets_tests.conftest import demo_spec
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import LINKS, read_all_rows, read_card, read_zarr_zip
from adata_assets_tests.servers.nextcloud import running_nextcloud
from adata_assets_tests.servers.nextcloud_state import Cloud

USER, PASSWORD = "lab.user", "Gx7pQ-t2mNa-Lw9Zc-4RkYb-eH3Js"


@pytest.fixture(scope="module")
def demo_cloud() -> Iterator[Cloud]:
    """A Nextcloud server for the demo."""
    with running_nextcloud(USER, PASSWORD) as running:
        yield running


@pytest.fixture(scope="module")
def dataset(demo_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demo, materialized with the login in the environment, which is gone afterwards."""
    share = {"store": "nextcloud", "url": demo_cloud.url}
    made = Dataset.make(demo_spec(share=share), tmp_path_factory.mktemp("nextcloud"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADATA_ASSETS_NEXTCLOUD_USER", USER)
        patch.setenv("ADATA_ASSETS_NEXTCLOUD_PASSWORD", PASSWORD)
        made.succeed()
    return made


@pytest.fixture(scope="module")
def links(dataset: Dataset) -> pd.DataFrame:
    """What was recorded of every shared file."""
    keys = dataset.graph.chunk_keys
    tables = [dataset.load("share_links", key).local("share_links.parquet") for key in keys]
    return pd.concat(map(read_table, tables), ignore_index=True)


@pytest.fixture(scope="module")
def fetched(links: pd.DataFrame) -> dict[str, bytes]:
    """The bytes behind every link, asked for as a stranger would."""
    assert "ADATA_ASSETS_NEXTCLOUD_PASSWORD" not in os.environ
    answers = {url: requests.get(url, timeout=60) for url in links["url"]}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {url: answer.content for url, answer in answers.items()}


def test_s7_every_file_is_on_the_server_once_and_one_link_serves_all(
    dataset: Dataset, demo_cloud: Cloud, links: pd.DataFrame
) -> None:
    stored = {path.rpartition("/")[2] for path in demo_cloud.files}
    assert stored == set(links["remote_name"])
    assert len(demo_cloud.files) == 2 * len(dataset.graph.chunk_keys)
    assert len(demo_cloud.shares) == demo_cloud.n_shares_made == 1
    assert demo_cloud.n_bytes_received == links["n_bytes"].sum()
    assert demo_cloud.uploads == {}
    shown = re.search(r"^An example file: (\S+)$", read_card(dataset), flags=re.MULTILINE)
    assert shown is not None
    assert shown[1] in set(links["url"])


def test_s13_s14_every_row_has_a_link_to_an_h5ad_with_its_cell(
    dataset: Dataset, fetched: dict[str, bytes]
) -> None:
    rows = read_all_rows(dataset)
    assert rows[LINKS].notna().all(axis=None)
    for link, own in rows.groupby("share_link"):
        assert urlsplit(str(link)).path.endswith(".h5ad")
        assert fetched[str(link)][:8] == b"\x89HDF\r\n\x1a\n"
        adata = ad.read_h5ad(io.BytesIO(fetched[str(link)]))
        assert set(adata.obs_names) == set(own["sample_idx"])
        assert adata[adata.obs.index == own["sample_idx"].iloc[0]].shape == (1, adata.n_vars)


def test_c10_c11_both_files_hold_the_same_and_their_names_say_which_bytes(
    dataset: Dataset, links: pd.DataFrame, fetched: dict[str, bytes], tmp_path: Path
) -> None:
    for link in links.itertuples():
        sha256 = hashlib.sha256(fetched[link.url]).hexdigest()
        assert sha256 == link.sha256
        assert sha256[:16] in urlsplit(link.url).path
    pairs = read_all_rows(dataset)[LINKS].drop_duplicates()
    assert len(pairs) == len(dataset.graph.chunk_keys)
    for share_link, adata_link in pairs.itertuples(index=False):
        path = tmp_path / "chunk.zarr.zip"
        path.write_bytes(fetched[adata_link])
        assert "zarr.json" in zipfile.ZipFile(path).namelist()
        found, expected = read_zarr_zip(path), ad.read_h5ad(io.BytesIO(fetched[share_link]))
        assert list(found.obs_names) == list(expected.obs_names)
        assert (found.X != expected.X).nnz == 0
        for key in expected.obsm:
            np.testing.assert_array_equal(found.obsm[key], expected.obsm[key])


def test_s15_the_blocks_of_the_card_run_on_these_links(dataset: Dataset, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "\n".join(code_blocks(read_card(dataset)))],
        cwd=dataset.storage.root.path,
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^Found sample: \(1, \d+\)$", result.stdout, flags=re.MULTILINE)


def test_s16_no_login_is_told_anywhere(dataset: Dataset, demo_cloud: Cloud) -> None:
    """Not in what is stored or published, and strangers were asked without it."""
    for path in Path(dataset.storage.root.path).parent.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()
            assert USER.encode() not in path.read_bytes()
    asked = [headers for _, path, headers in demo_cloud.asked if path.startswith("/public.php")]
    assert asked
    assert not any("Authorization" in headers for headers in asked)


def test_sharing_again_uploads_nothing(dataset: Dataset, demo_cloud: Cloud) -> None:
    n_received = demo_cloud.n_bytes_received
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADATA_ASSETS_NEXTCLOUD_USER", USER)
        patch.setenv("ADATA_ASSETS_NEXTCLOUD_PASSWORD", PASSWORD)
        dataset.succeed(forced=["share_links"])
    assert demo_cloud.n_bytes_received == n_received
    assert demo_cloud.n_shares_made == 1
