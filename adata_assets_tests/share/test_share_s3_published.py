"""The demo with its files in a bucket: the promises about links hold as they do for local ones."""

from __future__ import annotations

import hashlib
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import requests

from adata_assets.share.base.readback import without_query
from adata_assets.tables import read_table
from adata_assets_tests.conftest import demo_spec
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import LINKS, read_card, read_zarr_zip
from adata_assets_tests.promises.test_s_promises import (
    card_run,
    files,
    rows,
    test_s7_the_example_link_answers_without_login,
    test_s14_each_link_serves_a_file_that_has_its_cells,
    test_s15_the_blocks_of_the_card_run_verbatim,
)
from adata_assets_tests.servers.radosgw import BUCKET, Radosgw
from adata_assets_tests.share.conftest import aws_environment

__all__ = [
    "card_run",
    "files",
    "rows",
    "test_s7_the_example_link_answers_without_login",
    "test_s14_each_link_serves_a_file_that_has_its_cells",
    "test_s15_the_blocks_of_the_card_run_verbatim",
]
LIFETIME = timedelta(hours=1)


@pytest.fixture(scope="module")
def demo(radosgw: Radosgw, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demo, shared by presigned links; afterwards the environment holds no keys."""
    share = {
        "store": "s3",
        "bucket": BUCKET,
        "prefix": "published",
        "endpoint_url": radosgw.url,
        "links": "presigned",
        "lifetime_s": int(LIFETIME.total_seconds()),
        "refresh_before_s": 600,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(radosgw).items():
            patch.setenv(name, value)
        return Dataset.make(demo_spec(share=share), tmp_path_factory.mktemp("s3")).succeed()


@pytest.fixture(scope="module")
def links(demo: Dataset) -> pd.DataFrame:
    """The tables of links of all chunks."""
    keys = demo.graph.chunk_keys
    tables = [read_table(demo.load("share_links", k).local("share_links.parquet")) for k in keys]
    return pd.concat(tables, ignore_index=True)


def test_s13_every_row_has_its_links(rows: pd.DataFrame, links: pd.DataFrame) -> None:
    for kind in LINKS:
        assert set(rows[kind]) == set(links.loc[links["kind"] == kind, "url"])


def test_s16_every_link_serves_its_bytes_to_a_stranger(links: pd.DataFrame) -> None:
    for row in links.itertuples():
        served = requests.get(row.url).content
        assert (len(served), hashlib.sha256(served).hexdigest()) == (row.n_bytes, row.sha256)


def test_c10_the_zip_is_the_zarr_root_and_holds_the_same(
    rows: pd.DataFrame, files: dict[str, ad.AnnData], tmp_path: Path
) -> None:
    for share_link, adata_link in rows[LINKS].drop_duplicates().itertuples(index=False):
        assert urlsplit(share_link).path.endswith(".h5ad")
        path = tmp_path / "chunk.zarr.zip"
        path.write_bytes(requests.get(adata_link).content)
        with zipfile.ZipFile(path) as archive:
            assert "zarr.json" in archive.namelist()
        found, expected = read_zarr_zip(path), files[share_link]
        assert list(found.obs_names) == list(expected.obs_names)
        assert (found.X != expected.X).nnz == 0
        for key, values in expected.obsm.items():
            np.testing.assert_array_equal(found.obsm[key], values)


def test_c11_each_address_states_its_bytes_and_one_object_is_behind_it(
    links: pd.DataFrame, radosgw: Radosgw
) -> None:
    assert links["url"].map(without_query).is_unique
    assert all(row.sha256[:16] in row.remote_name for row in links.itertuples())
    assert radosgw.count(BUCKET, "published/pbmc68k/") == (len(links), 0)


def test_links_say_until_when(links: pd.DataFrame) -> None:
    ends = links["expires_at"].map(datetime.fromisoformat)
    assert (ends <= datetime.now(UTC) + LIFETIME).all()
    assert ends.map(lambda end: end.tzinfo is not None).all()


def test_signed_addresses_and_secrets_are_only_where_they_are_the_product(
    demo: Dataset, radosgw: Radosgw
) -> None:
    told = [repr(demo.instance.all_logs(run.run_id)) for run in demo.instance.get_runs()]
    assert told
    assert not [text for text in told if "X-Amz" in text or radosgw.secret in text]
    assert "X-Amz-Signature" in read_card(demo)
    root = Path(demo.storage.root.path)
    stored = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert not [body for body in stored if radosgw.secret.encode() in body]
