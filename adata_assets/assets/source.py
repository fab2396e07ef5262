"""``source``: the raw files where they live, observed but never touched."""

from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg

from adata_assets.assets.retries import tried_again
from adata_assets.assets.stage import describe, key_of
from adata_assets.resources import StorageResource
from adata_assets.sources.opening import open_sources
from adata_assets.sources.pinning import look_at_sources, seen_version
from adata_assets.spec import DatasetSpec

STAGE = "source"
SPEC, FOLDER = "spec", "yaml_folder"
DATA_VERSION_TAG = "dagster/data_version"


def seen_source(spec: DatasetSpec, data_version: str) -> dg.AssetObservation:
    """Return the event that says which content of the source was seen."""
    return dg.AssetObservation(key_of(spec, STAGE), tags={DATA_VERSION_TAG: data_version})


def build_source(spec: DatasetSpec, folder: Path | None) -> dg.AssetsDefinition:
    """Build the observable source of a dataset.

    Parameters
    ----------
    folder
        Where relative paths of the YAML begin.

    Raises
    ------
    InputError
        If an address is none, or carries a secret.
    """
    # Before anything of the spec becomes metadata: an address may carry a secret.
    sources = open_sources(spec, folder)

    asset = dg.AssetSpec(
        key_of(spec, STAGE),
        group_name=spec.dataset_id,
        description=describe(
            "The raw cells where they live: " + ", ".join(one.uri for one in sources.values()),
            "The address is not reached, or nothing is there: the error names it. What was made "
            "of it stays as it is; observe it again when the place answers.",
        ),
        kinds={urlsplit(one.uri).scheme or "file" for one in sources.values()},
        owners=list(spec.owners),
        tags={"stage": STAGE},
        metadata={
            SPEC: dg.MetadataValue.json(spec.model_dump(mode="json")),
            FOLDER: str(folder or Path().absolute()),
        },
    )

    @dg.multi_observable_source_asset(specs=[asset], name=f"{spec.dataset_id}__{STAGE}")
    def source(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.ObserveResult:
        raw = storage.open().find(spec.dataset_id, "raw_h5ad")
        with tried_again(context):
            seen = dg.DataVersion(seen_version(look_at_sources(sources, raw)))
        return dg.ObserveResult(asset_key=asset.key, data_version=seen)

    return source
