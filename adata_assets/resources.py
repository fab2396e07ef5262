"""What a run is given from outside: where artefacts live. Nothing about datasets belongs here.

Every run of a dataset opens the storage first, so this is also where it says which process it is.
"""

from pathlib import Path

import dagster as dg
from upath import UPath

from adata_assets.processes import describe_process
from adata_assets.storage import Storage


class StorageResource(dg.ConfigurableResource):
    """The storage root and the scratch folder.

    Empty fields are taken from ``ADATA_ASSETS_STORAGE`` and ``ADATA_ASSETS_SCRATCH`` when a run
    starts, never at import.
    """

    root: str = ""
    scratch: str = ""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Write into the run's tags which process executes it, for ``dead_runs``."""
        if context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, describe_process(context.run.run_id))

    def open(self) -> Storage:
        """Return the storage that the fields and the environment name."""
        found = Storage.from_environment()
        return Storage(
            UPath(self.root) if self.root else found.root,
            Path(self.scratch) if self.scratch else found.scratch,
        )
