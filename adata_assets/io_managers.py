"""How artefacts travel between assets: by manifest, never by value.

An asset commits its artefact itself; storing it again is nothing to do, loading it is reading the
manifest. A collector gets one artefact per partition key, and a missing one is an error.
"""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.resources import StorageResource


class ArtefactIOManager(dg.ConfigurableIOManager):
    """Loads the manifests of upstream artefacts."""

    storage: dg.ResourceDependency[StorageResource]

    def handle_output(self, context: dg.OutputContext, obj: Artefact) -> None:
        """Do nothing: the asset has committed ``obj``."""

    def load_input(self, context: dg.InputContext) -> Artefact | dict[str, Artefact]:
        """Return the upstream artefact, or one per partition key where the input collects them."""
        dataset_id, *stage = context.asset_key.path
        storage, name = self.storage.open(), "/".join(stage)
        if not context.has_asset_partitions:
            return storage.load(dataset_id, name)
        if (context.definition_metadata or {}).get("collect"):
            return {
                key: storage.load(dataset_id, name, key) for key in context.asset_partition_keys
            }
        return storage.load(dataset_id, name, context.asset_partition_key)
