"""What a run is given from outside: where artefacts live. Nothing about datasets belongs here."""

from pathlib import Path

import dagster as dg
from upath import UPath

from adata_assets.storage import Storage


class StorageResource(dg.ConfigurableResource):
    """The storage root and the scratch folder.

    Empty fields are taken from ``ADATA_ASSETS_STORAGE`` and ``ADATA_ASSETS_SCRATCH`` when a run
    starts, never at import.
    """

    root: str = ""
    scratch: str = ""

    def open(self) -> Storage:
        """Return the storage that the fields and the environment name."""
        found = Storage.from_environment()
        return Storage(
            UPath(self.root) if self.root else found.root,
            Path(self.scratch) if self.scratch else found.scratch,
        )
