"""How large a dataset will be, before it is made.

Belongs here: cells, chunks and bytes predicted from the spec and the headers of the raw files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adata_assets.embedders.contract import load_embedder
from adata_assets.errors import InputError
from adata_assets.freshness import DatasetGraph
from adata_assets.sources.sizes import cap_obs, measure_sources
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import deal_chunks
from adata_assets.storage import Storage

# Upper ends of what was measured on pbmc3k, covid and generated cells (407 to 1,684 non-zeros per
# cell): per non-zero counts.zarr takes 1.8 to 1.9 bytes, X of an h5ad 1.5 to 1.6, X of a zarr zip
# 1.8 to 2.0.
COUNTS_BYTES = 2.2
FILES_BYTES = 4.0
# PCA scores do not compress; values of variable genes take a twentieth of it.
VECTOR_BYTES = 4
# Width of an embedding that only its weights tell.
WIDEST = 1024
# Both files of every chunk carry var, whose texts HDF5 does not compress: 76 bytes per gene there.
VAR_BYTES = 100
# Entries on the way to dataset order, and before that those of a file stored by columns.
SCRATCH_BYTES = 28
# Per cell and table: 25 to 230 bytes with few obs columns.
OBS_BYTES = 300
# A sentence of 100 genes takes 200 to 250 bytes of parquet.
WORD_BYTES = 3
_FOLDER_PROTOCOLS = ("", "file", "local")


@dataclass(frozen=True)
class Forecast:
    """What a dataset will hold.

    Attributes
    ----------
    n_obs
        Published cells; before annotation all raw cells.
    is_exact
        Whether ``n_obs`` and the splits are known, not expected.
    split_sizes, n_chunks
        Cells and chunks of each split.
    n_bytes_disk, n_bytes_upload, n_bytes_scratch
        Predicted bytes under the storage root, to the share store, and of temporary files.
    """

    dataset_id: str
    n_obs: int
    is_exact: bool
    split_sizes: dict[str, int]
    n_chunks: dict[str, int]
    n_bytes_disk: int
    n_bytes_upload: int
    n_bytes_scratch: int

    def lines(self) -> Iterator[str]:
        """Yield the forecast in words."""
        word = "" if self.is_exact else "at most "
        yield f"{self.dataset_id}: {word}{self.n_obs:,} cells"
        for split, size in self.split_sizes.items():
            yield f"  {split}: {word}{size:,} cells in {self.n_chunks[split]} chunk(s)"
        yield (
            f"  predicted: {_megabytes(self.n_bytes_disk)} on disk, of which "
            f"{_megabytes(self.n_bytes_upload)} to upload; {_megabytes(self.n_bytes_scratch)} scratch"
        )


def forecast(graph: DatasetGraph, storage: Storage) -> Forecast:
    """Predict cells, chunks and bytes of a dataset.

    Raises
    ------
    InputError
        If a source cannot be found or read.
    """
    spec = graph.spec
    raw = measure_sources(graph.sources, storage.find(spec.dataset_id, "raw_h5ad"))
    annotated = storage.find(spec.dataset_id, "annotated_obs")
    n_raw = cap_obs(spec, raw.n_obs)
    is_exact = annotated is not None and annotated.metadata["n_raw"] in (raw.n_obs, n_raw)
    sizes = annotated.metadata["split_sizes"] if is_exact and annotated else _expected(spec, n_raw)
    slices = deal_chunks(sizes, len(graph.chunk_keys))
    n_obs, n_nonzeros = sum(sizes.values()), raw.n_nonzeros * n_raw // max(raw.n_obs, 1)
    vectors = VECTOR_BYTES * n_obs * sum(_width(spec))
    upload = int(FILES_BYTES * n_nonzeros + 2 * vectors + 2 * OBS_BYTES * n_obs)
    upload += VAR_BYTES * raw.n_vars * len(slices)
    n_sentences = len(spec.sentences.keys) - 1
    texts = 2 * WORD_BYTES * n_sentences * spec.sentences.length * n_obs
    return Forecast(
        dataset_id=spec.dataset_id,
        n_obs=n_obs,
        is_exact=is_exact,
        split_sizes=dict(sizes),
        n_chunks={split: sum(s.split == split for s in slices) for split in sizes},
        n_bytes_disk=raw.n_bytes_to_fetch
        + int(COUNTS_BYTES * n_nonzeros + upload + vectors + texts + OBS_BYTES * raw.n_obs),
        n_bytes_upload=upload,
        n_bytes_scratch=max(SCRATCH_BYTES * n_nonzeros, raw.n_bytes_to_fetch),
    )


def require_space(expected: Forecast, storage: Storage) -> None:
    """Refuse to start what the disks cannot hold.

    Raises
    ------
    InputError
        Naming the folder, the bytes that are free and those that are needed.
    """
    needs = [("ADATA_ASSETS_SCRATCH", Path(storage.scratch), expected.n_bytes_scratch)]
    if storage.root.protocol in _FOLDER_PROTOCOLS:
        needs.append(("ADATA_ASSETS_STORAGE", Path(storage.root.path), expected.n_bytes_disk))
    for variable, folder, n_bytes in needs:
        existing = next(p for p in [folder, *folder.parents] if p.exists())
        free = shutil.disk_usage(existing).free
        if free < n_bytes:
            raise InputError(
                f"{expected.dataset_id}: {folder} has {_megabytes(free)} free, "
                f"{_megabytes(n_bytes)} are needed: free some, or set {variable} to another disk"
            )


def _expected(spec: DatasetSpec, n_raw: int) -> dict[str, int]:
    fractions = spec.splits.fractions
    sizes = {split: max(1, round(n_raw * fraction)) for split, fraction in fractions.items()}
    return sizes


def _width(spec: DatasetSpec) -> list[int]:
    return [load_embedder(embedder).n_dims or WIDEST for embedder in spec.embedders]


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
