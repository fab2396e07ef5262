"""``raw_h5ad``: the raw file, found, safe to open and pinned by its hash."""

from pathlib import Path

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.source import seen_source
from adata_assets.assets.stage import asset_options, code_version, key_of, read_fields, to_output
from adata_assets.resources import StorageResource
from adata_assets.sources.files import locate_source, look_at_source, require_sha256
from adata_assets.spec import DatasetSpec

STAGE = "raw_h5ad"


def build_raw_h5ad(spec: DatasetSpec, folder: Path | None) -> dg.AssetsDefinition:
    """Build the asset that pins the raw file."""
    version = code_version("1", read_fields(spec, "sha256"))

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["h5ad"],
            description="The raw file, used in place: safe to open, pinned by the hash of its content.",
        ),
        deps=[key_of(spec, "source")],
    )
    def raw_h5ad(
        context: dg.AssetExecutionContext, storage: StorageResource
    ) -> dg.Output[Artefact]:
        from adata_assets.matrix.safe import require_safe_h5ad
        from adata_assets.share import require_share_store

        store = storage.open()
        # A store that cannot work with this root is told now, not after hours of work.
        require_share_store(spec, store)
        known = store.find(spec.dataset_id, STAGE)
        file = look_at_source(
            locate_source(spec.source, folder=folder), known.metadata if known else None
        )
        require_sha256(file, spec.sha256)
        require_safe_h5ad(Path(file.path))
        with store.draft(spec.dataset_id, STAGE, code_version=version) as draft:
            draft.metadata |= vars(file)
            draft.data_version = file.sha256
        # The next scheduled look at the source must not take this content for new.
        context.log_event(seen_source(spec, file.sha256))
        return to_output(draft.committed, source=file.path, source_bytes=file.n_bytes)

    return raw_h5ad
