"""The two files of one chunk: artefacts in, h5ad and zarr zip out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, read_cells, read_genes
from adata_assets.artefact import Artefact
from adata_assets.chunk.adata import build_chunk_adata
from adata_assets.matrix.counts import open_counts
from adata_assets.matrix.write import write_chunk_h5ad, write_chunk_zarr_zip
from adata_assets.schemas.slots import UNS_KEY
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table

H5AD = "chunk.h5ad"
ZARR_ZIP = "chunk.zarr.zip"
_ABOUT_EMBEDDING = ("method", "n_dims", "version", "model_hash", "fit_scope")


def write_chunk_files(
    folder: Path,
    spec: DatasetSpec,
    chunk: ChunkSlice,
    annotated: Artefact,
    counts: Artefact,
    embeddings: Mapping[str, Artefact],
) -> dict[str, Any]:
    """Write ``chunk.h5ad`` and ``chunk.zarr.zip``; return what the h5ad says about itself."""
    tables = annotated.local(OBS).parent
    about = {
        "dataset_id": spec.dataset_id,
        "title": spec.title,
        "split": chunk.split,
        "embeddings": {
            name: {fact: artefact.metadata[fact] for fact in _ABOUT_EMBEDDING}
            for name, artefact in embeddings.items()
        },
    }
    adata = build_chunk_adata(
        open_counts(counts.local(COUNTS)).rows(chunk.start, chunk.stop),
        read_cells(tables, chunk.start, chunk.stop),
        read_genes(tables).var,
        {f"X_{name}": _read_vectors(artefact) for name, artefact in embeddings.items()},
        publish_obs=spec.publish_obs,
        drop_obs=spec.drop_obs,
        about=about,
    )
    write_chunk_h5ad(adata, folder / H5AD)
    write_chunk_zarr_zip(adata, folder / ZARR_ZIP, scratch=folder)
    return {"n_obs": chunk.n_obs, "about": read_about(folder / H5AD)}


def read_about(path: Path) -> dict[str, Any]:
    """Return ``uns['adata_assets']`` of an h5ad file as plain values."""
    import h5py
    from anndata.io import read_elem

    with h5py.File(path) as file:
        return _plain(read_elem(file["uns"])[UNS_KEY])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _read_vectors(artefact: Artefact) -> np.ndarray:
    table = read_table(artefact.local("embedding.parquet"), ["embedding"])
    return np.stack(table["embedding"].to_list()).astype(np.float32, copy=False)
