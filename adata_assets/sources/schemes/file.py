"""A path on this machine: an h5ad file or a zarr folder, used in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adata_assets.sources import contract
from adata_assets.sources.contract import Sighting, SourceChangedError
from adata_assets.sources.files import locate_source, look_at_file


class Source(contract.Source):
    """A file or zarr folder; its version is the sha256 of its content."""

    @property
    def path(self) -> Path:
        """Where it is.

        Raises
        ------
        InputError
            If it is not there.
        """
        return locate_source(self.spec.uri, folder=self.folder)

    def look(self, known: Mapping[str, Any] | None = None) -> Sighting:
        """Hash the content when size or mtime differ from ``known``."""
        found = look_at_file(self.path, known)
        return Sighting(self.uri, found.sha256, found.n_bytes, vars(found))

    def fetch(self, sighting: Sighting, *, folder: Path, scratch: Path) -> Path:
        """Return the path where it is, if its content is still the one that was seen."""
        now = look_at_file(self.path, sighting.details)
        if now.sha256 != sighting.version:
            raise SourceChangedError(
                f"{now.path}: its content changed while it was looked at (sha256 "
                f"{sighting.version[:12]} -> {now.sha256[:12]}); materialize again when it is no "
                "longer written to"
            )
        return self.path

    def count_obs(self) -> int:
        """Return the number of cells, read from the header only."""
        from adata_assets.matrix.header import count_obs

        return count_obs(self.path)
