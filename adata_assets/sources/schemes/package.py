"""``package://<package>/<file>``: a file inside an installed Python package, used in place."""

from __future__ import annotations

from adata_assets.sources.schemes import file


class Source(file.Source):
    """A file of an installed package; finding it does not import the package."""
