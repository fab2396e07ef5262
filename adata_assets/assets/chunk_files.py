"""``chunk_files``: the chunk with all its embeddings as h5ad and as zarr zip."""

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.assets.chunk import chunk_of
from adata_assets.assets.stage import (
    asset_options,
    code_version,
    read_fields,
    to_output,
    upstream,
)
from adata_assets.checks import slots_schema
from adata_assets.resources import StorageResource
from adata_assets.spec import DatasetSpec

STAGE = "chunk_files"


def build_chunk_files(spec: DatasetSpec, chunks: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset that writes the two files of every chunk."""
    names = [embedder.name for embedder in spec.embedders]
    version = code_version(
        "1", {"embeddings": names, **read_fields(spec, "publish_obs", "drop_obs", "title")}
    )
    inputs = ["annotated_obs", "counts", *(f"embeddings/{name}" for name in names)]

    @dg.asset(
        **asset_options(
            spec,
            STAGE,
            version=version,
            kinds=["h5ad", "zarr"],
            description="Counts, obs, var and embeddings of the chunk's cells, twice: an h5ad file and "
            "a zip of a zarr store. The same input gives the same bytes.",
            on_failure="The error names the chunk and the file. Materialize this chunk again; when generations are "
            "mixed, materialize what it names first. A full disk is the usual reason.",
            columns=slots_schema(names),
            partitions_def=chunks,
        ),
        ins={stage.replace("/", "_"): upstream(spec, stage) for stage in inputs},
    )
    def chunk_files(
        context: dg.AssetExecutionContext, storage: StorageResource, **given: Artefact
    ) -> dg.Output[Artefact]:
        from adata_assets.chunk.files import write_chunk_files

        annotated, counts = given["annotated_obs"], given["counts"]
        embeddings = {name: given[f"embeddings_{name}"] for name in names}
        chunk = chunk_of(context, annotated)
        with storage.open().draft(
            spec.dataset_id,
            STAGE,
            context.partition_key,
            code_version=version,
            inputs=given.values(),
        ) as draft:
            draft.metadata |= write_chunk_files(
                draft.folder, spec, chunk, annotated, counts, embeddings
            )
        return to_output(draft.committed, n_obs=chunk.n_obs, split=chunk.split)

    return chunk_files
