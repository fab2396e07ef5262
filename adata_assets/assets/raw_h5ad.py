"""``raw_h5ad``: the raw files, found or fetched, safe to open and pinned by their hashes."""

from pathlib import Path

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.retries import tried_again
from adata_assets.assets.shown import show_paths
from adata_assets.assets.source import seen_source
from adata_assets.assets.stage import asset_options, code_version, key_of, to_output
from adata_assets.resources import StorageResource
from adata_assets.sources.opening import open_sources
from adata_assets.spec import DatasetSpec

STAGE = "raw_h5ad"


def build_raw_h5ad(spec: DatasetSpec, folder: Path | None) -> dg.AssetsDefinition:
    """Build the asset that pins the raw files."""
    sources = open_sources(spec, folder)
    reads = [[name, one.uri, one.spec.sha256, one.spec.query] for name, one in sources.items()]
    version = code_version("2", {"sources": reads})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["h5ad"],
            description="The raw files, those of this machine used in place, others fetched once: "
            "safe to open, pinned by the hash of their content.",
            on_failure="The error names the file and what is wrong with it: not found, another hash than stated, not "
            "safe to open. Mend the file or `source` in the YAML, and materialize again.",
        ),
        deps=[key_of(spec, "source")],
    )
    def raw_h5ad(
        context: dg.AssetExecutionContext, storage: StorageResource
    ) -> dg.Output[Artefact]:
        from adata_assets.matrix.header import count_obs
        from adata_assets.share import require_share_store
        from adata_assets.sources.pinning import (
            content_version,
            look_at_sources,
            pin_sources,
            seen_version,
        )

        store = storage.open()
        # A store that cannot work with this root is told now, not after hours of work.
        require_share_store(spec, store)
        earlier = store.find(spec.dataset_id, STAGE)
        with (
            tried_again(context),
            store.draft(spec.dataset_id, STAGE, code_version=version) as draft,
        ):
            sightings = look_at_sources(sources, earlier)
            files = pin_sources(
                sources, sightings, earlier=earlier, folder=draft.folder, scratch=store.scratch
            )
            # Refuses what is not safe to open. The path of a file used in place is absolute.
            n_raw = sum(count_obs(draft.folder / (file.file or file.path)) for file in files)
            draft.metadata |= {"files": [vars(file) for file in files]}
            draft.data_version = content_version(files)
        # The next scheduled look at the source must not take this content for new.
        context.log_event(seen_source(spec, seen_version(sightings)))
        return to_output(
            draft.committed,
            n_raw=n_raw,
            source=", ".join(file.uri for file in files),
            source_bytes=sum(file.n_bytes for file in files),
            **show_paths({file.name: file.path for file in files if not file.file}),
        )

    return raw_h5ad
