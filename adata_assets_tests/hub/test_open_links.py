"""Which links may be published: those that lead away from this machine (S14, P16)."""

from __future__ import annotations

import pytest

from adata_assets.hub.open_links import is_open_link


@pytest.mark.parametrize(
    "link",
    [
        *(
            "http://[::1]/a",
            "http://[::ffff:127.0.0.1]/a",
            "http://0x7f000001/a",
            "http://0.0.0.0/a",
        ),
        *("http://a.localhost./a", "https://169.254.1.1/a", "http://[x/a", "file:///a", "a.h5ad"),
        *("s3://bucket/a.h5ad", "https:///a", "", None),
    ],
)
def test_links_that_others_cannot_open(link: str | None) -> None:
    assert not is_open_link(link)


@pytest.mark.parametrize(
    "link", ["https://example.org/a", "http://10.1.2.3/a", "https://[2a00::1]/a"]
)
def test_links_that_others_can_open(link: str) -> None:
    assert is_open_link(link)
