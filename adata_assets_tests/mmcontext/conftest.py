"""The demo in further share stores, and as mmcontext's training reads it.

``consume.py`` and ``train.py`` run in another environment; here they cannot even be imported.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.families import copy_of
from adata_assets_tests.servers.nextcloud import running_nextcloud
from adata_assets_tests.servers.radosgw import BUCKET, Radosgw
from adata_assets_tests.share.conftest import aws_environment

collect_ignore = ["consume.py", "train.py"]
USER, PASSWORD = "mm.context", "Tq4Zr-b8Wka-Yp2Ls-6DjVe-cM5Gn"


@pytest.fixture(scope="module")
def s3_demo(demo: Dataset, radosgw: Radosgw, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demo, shared by presigned links; afterwards the environment holds no keys."""
    share = {"store": "s3", "bucket": BUCKET, "prefix": "mmcontext", "endpoint_url": radosgw.url}
    share |= {"links": "presigned", "lifetime_s": 3600, "refresh_before_s": 600}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(radosgw).items():
            patch.setenv(name, value)
        return copy_of(demo, tmp_path_factory.mktemp("s3_demo"), share=share).succeed()


@pytest.fixture(scope="module")
def nextcloud_demo(demo: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    """The demo in a folder of a Nextcloud server; the login is gone again."""
    with running_nextcloud(USER, PASSWORD) as cloud:
        share = {"store": "nextcloud", "url": cloud.url}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ADATA_ASSETS_NEXTCLOUD_USER", USER)
            patch.setenv("ADATA_ASSETS_NEXTCLOUD_PASSWORD", PASSWORD)
            made = copy_of(demo, tmp_path_factory.mktemp("nextcloud_demo"), share=share).succeed()
        yield made


@pytest.fixture(scope="module")
def demo_of_texts(demo: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The demo with texts as negatives, behind the same links."""
    root = tmp_path_factory.mktemp("demo_of_texts")
    return copy_of(demo, root, negatives={"form": "text"}).succeed()
