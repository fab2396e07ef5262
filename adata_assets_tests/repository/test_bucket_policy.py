"""The bucket policy of ``docs/share_on_s3.md``, on a Ceph gateway: what it lets anybody do."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
import yaml
from upath import UPath

from adata_assets.share import open_share_store
from adata_assets.share.contract import remote_name, sha256_of
from adata_assets_tests.repository.source_code import ROOT
from adata_assets_tests.repository.test_docs import blocks_of
from adata_assets_tests.servers.radosgw import Radosgw
from adata_assets_tests.share.conftest import aws_environment

PAGE = ROOT / "docs" / "share_on_s3.md"


def test_anybody_may_read_below_the_prefix_and_nothing_more(
    radosgw: Radosgw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(radosgw).items():
        monkeypatch.setenv(name, value)
    settings = yaml.safe_load(blocks_of(PAGE, "yaml")[0])["share"]
    bucket, client = settings["bucket"], radosgw.client
    bucket_url = settings["base_url"].replace(settings["endpoint_url"], radosgw.url)
    settings |= {"endpoint_url": radosgw.url, "base_url": bucket_url}
    file = tmp_path / "chunk.h5ad"
    file.write_bytes(b"cells")
    [policy] = blocks_of(PAGE, "json")
    client.put_bucket_policy(Bucket=bucket, Policy=policy)
    try:
        store = open_share_store(
            settings.pop("store"), settings, root=UPath("memory://"), dataset_id="lung"
        )
        link = store.put(file, remote_name("0001-of-0001", sha256_of(file), ".h5ad"))
        client.put_object(Bucket=bucket, Key="private.h5ad", Body=b"cells")
        assert requests.get(link.url).content == b"cells"
        assert requests.get(f"{bucket_url}/private.h5ad").status_code == 403
        assert requests.get(bucket_url).status_code == 403
        assert requests.put(link.url, b"other").status_code == 403
        assert requests.delete(link.url).status_code == 403
    finally:
        client.delete_bucket_policy(Bucket=bucket)
        radosgw.empty(bucket)
