"""``https://``: as ``http://``, and never led away to where nothing is encrypted."""

from __future__ import annotations

from typing import ClassVar

from adata_assets.sources.schemes import http


class Source(http.Source):
    """A file on a web server; a redirect to http is refused."""

    schemes: ClassVar[tuple[str, ...]] = ("https",)
