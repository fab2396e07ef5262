"""``hf_release``: the push to the Hub, only for datasets that say ``publish``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.retries import tried_again
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    key_of,
    to_output,
    upstream,
)
from adata_assets.checks import column_schema
from adata_assets.gate import require_green
from adata_assets.resources import StorageResource
from adata_assets.rows.formats import schema_of_rows
from adata_assets.spec import DatasetSpec, Publish

if TYPE_CHECKING:
    from adata_assets.hub.publish import Release

STAGE = "hf_release"


def build_hf_release(
    spec: DatasetSpec, publish: Publish, *, blocked_by: Sequence[dg.AssetCheckKey]
) -> dg.AssetsDefinition:
    """Build the asset that publishes the rows and the card.

    Parameters
    ----------
    blocked_by
        Checks of the dataset; while one of them, its own left out, is red, nothing is published.
    """
    blocking = [key for key in blocked_by if key.asset_key != key_of(spec, STAGE)]
    # When it is looked at changes nothing of the release.
    reads = publish.model_dump(mode="json", exclude={"verify_schedule"})
    version = code_version("2", {"publish": reads})

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["huggingface"],
            description="The rows and the card on the Hugging Face Hub: one commit, read back, then a "
            "tag. Needs HF_TOKEN; content that is there already is not committed again. "
            "Refuses while a blocking check of the dataset is red.",
            on_failure="The error says what the Hub refused, which check is red, or which link ends too soon. Nothing "
            "was published by halves: mend it and materialize again.",
            columns=column_schema(schema_of_rows(spec)),
        ),
        ins={"hf_splits": upstream(spec, "hf_splits")},
    )
    def hf_release(
        context: dg.AssetExecutionContext, storage: StorageResource, hf_splits: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.hub.open_links import require_lasting_links

        require_green(context.instance, blocking)
        end, accepted = hf_splits.metadata["expires_at"], publish.accept_expiring_links
        require_lasting_links(end, accept_expiring=accepted)
        store = storage.open()
        before = store.find(spec.dataset_id, STAGE)
        earlier = before.metadata["shared"] if before else []
        tag = f"v-{hf_splits.data_version[:16]}"
        with (
            tried_again(context),
            store.draft(spec.dataset_id, STAGE, code_version=version, inputs=[hf_splits]) as draft,
        ):
            release = _publish(spec, publish, hf_splits, tag, draft.folder)
            # Tags keep earlier releases alive, and their rows link to files as well.
            draft.metadata["shared"] = sorted({*earlier, *hf_splits.metadata["shared"]})
        return to_output(
            draft.committed,
            page=dg.MetadataValue.url(release.url),
            commit=release.commit,
            tag=tag,
            load=f'load_dataset("{publish.repo_id}", revision="{tag}")',
            **{"dagster/row_count": sum(hf_splits.metadata["n_rows"].values())},
        )

    return hf_release


def _publish(
    spec: DatasetSpec, publish: Publish, hf_splits: Artefact, tag: str, folder: Path
) -> "Release":
    """Publish, and write down in a folder what came of it."""
    from adata_assets.hub.publish import publish_folder, write_release

    release = publish_folder(
        hf_splits.local_folder,
        {name: entry["sha256"] for name, entry in hf_splits.files.items()},
        repo_id=publish.repo_id,
        dataset_id=spec.dataset_id,
        private=publish.private,
        message=f"{spec.title}: {tag}",
        tag=tag,
    )
    write_release(release, folder)
    return release
