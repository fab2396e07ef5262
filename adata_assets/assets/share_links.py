"""``share_links``: the two files of a chunk, put into the share store and read back."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.retries import tried_again
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    tell,
    to_output,
    upstream,
)
from adata_assets.checks import artefact_type, column_schema
from adata_assets.expiry import earliest_end
from adata_assets.resources import StorageResource
from adata_assets.schemas.chunked import ShareLinkSchema
from adata_assets.share import load_dataset_settings
from adata_assets.spec import DatasetSpec

if TYPE_CHECKING:
    import pandas as pd

STAGE = "share_links"
TABLE = "share_links.parquet"
_SHORTEST_WINDOW = timedelta(minutes=1)


def build_share_links(spec: DatasetSpec, chunks: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset that shares the files of every chunk.

    Raises
    ------
    InputError
        If the share store is unknown or its settings are wrong.
    """
    # Settings that the environment gives, such as the base url, stand in the links too.
    settings = load_dataset_settings(spec)
    version = code_version("2", {"store": spec.share.store, **settings.model_dump(mode="json")})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["link"],
            description="Public links of the chunk's h5ad and zarr zip, each read back through the link.",
            on_failure="The store was not reached, or served other bytes: the error says which, without secrets. "
            "Materialize this chunk again; what is stored already is not sent again.",
            columns=column_schema(ShareLinkSchema),
            partitions_def=chunks,
            dagster_type=artefact_type(TABLE, ShareLinkSchema),
        ),
        freshness_policy=_freshness(spec, getattr(settings, "link_lifetime_s", None)),
        ins={"chunk_files": upstream(spec, "chunk_files")},
    )
    def share_links(
        context: dg.AssetExecutionContext, storage: StorageResource, chunk_files: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.share.chunk_links import share_chunk
        from adata_assets.tables import write_table

        store, place = storage.open(), (spec.dataset_id, STAGE, context.partition_key)
        with (
            tried_again(context),
            store.draft(*place, code_version=version, inputs=[chunk_files]) as draft,
        ):
            links = share_chunk(spec, chunk_files, root=store.root, say=tell(context))
            write_table(links, draft.folder / TABLE)
            draft.metadata |= {
                "about": chunk_files.metadata["about"],
                "expires_at": earliest_end(links["expires_at"]),
                "shared": sorted(links["remote_name"]),
            }
        return to_output(
            draft.committed,
            tables=[TABLE],
            n_obs=chunk_files.metadata["n_obs"],
            expires_at=draft.metadata["expires_at"] or "never",
            **_show(links),
        )

    return share_links


def _show(links: "pd.DataFrame") -> dict[str, Any]:
    from adata_assets.share.base.readback import without_query

    # A presigned link lets everybody in who sees it, and the UI is read by others.
    urls = [dg.MetadataValue.url(without_query(url)) for url in links["url"]]
    return dict(zip(links["kind"], urls, strict=True))


def _freshness(spec: DatasetSpec, lifetime_s: int | None) -> dg.FreshnessPolicy | None:
    # The UI's own word for it; each link's own end is looked at as well. Dagster counts in minutes.
    fail = timedelta(seconds=lifetime_s or 0)
    warn = fail - timedelta(seconds=spec.share.refresh_before_s)
    if warn < _SHORTEST_WINDOW:
        return None
    return dg.FreshnessPolicy.time_window(
        fail_window=fail, warn_window=warn if warn < fail else None
    )
