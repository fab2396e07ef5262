"""``precomputed``: vectors that come with the raw data, in obsm or in a file by cell id.

The vectors of the published cells are frozen as they are: nothing is learnt from any cell. All of
them are in memory while they are stored (twice) and while a chunk is embedded (once): 4 bytes per
cell and dimension, 2 GB for a million cells of 512 dimensions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from adata_assets.annotation.raw_cells import PREFIX_END
from adata_assets.commit import sha256_of
from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.given import SHA256_PATTERN, find_given_file
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.contract import GivenData
from adata_assets.embedders.vectors.files import open_obsm, open_vectors
from adata_assets.embedders.vectors.found import FoundVectors, take_vectors
from adata_assets.errors import InputError
from adata_assets.sources.files import PACKAGE_SCHEME

VECTORS, IDS, ID_ENDS = "vectors", "ids", "id_ends"
_N_NAMED = 3


class Settings(contract.EmbedderSettings):
    """Settings of ``precomputed``: ``obsm`` of the sources, or ``path`` of a file by cell id."""

    obsm: str | None = Field(
        None, description="key in obsm of the sources, or of the h5ad file that path names"
    )
    path: str | None = Field(
        None,
        description="npz, parquet or h5ad file: a path, relative to the YAML's folder, or "
        "package://<package>/<file>",
    )
    sha256: str | None = Field(
        None, pattern=SHA256_PATTERN, description="of path; another file is refused"
    )
    ids: str | None = Field(
        None, description="npz array or parquet column of the cell ids (default: the usual names)"
    )
    values: str | None = Field(
        None, description="npz array, or parquet column of lists (default: the usual names)"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        is_h5ad = self.path is not None and self.path.endswith(".h5ad")
        if self.path is None and self.obsm is None:
            raise ValueError("give obsm (a key of the sources) or path (npz, parquet, h5ad)")
        if is_h5ad and self.obsm is None:
            raise ValueError("an h5ad path needs obsm, the key of the vectors in it")
        if self.path is not None and not is_h5ad and self.obsm is not None:
            raise ValueError("obsm goes with the sources or an h5ad path; use values for others")
        if self.path is None and (self.sha256 or self.ids or self.values):
            raise ValueError("sha256, ids and values go with path")
        return self


class Embedder(contract.Embedder):
    """The vectors that were given, float32 ``(n_obs, n_dims)``."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "given"
    learns: ClassVar[bool] = False
    settings: Settings

    @property
    def n_dims(self) -> None:
        """Width of the embedding: the vectors tell it."""
        return None

    @property
    def takes_raw_files(self) -> bool:
        """Whether the vectors are in the sources."""
        return self.settings.path is None

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the vectors of the train cells alone; ``freeze`` takes those of all cells."""
        return self.freeze(train, GivenData(train.sample_ids))

    def freeze(self, train: TrainStream, given: GivenData) -> FrozenModel:
        """Return the vectors of the published cells.

        Returns
        -------
        ``vectors`` float32 ``(n_obs, n_dims)`` in dataset order; ``ids`` uint8, their sample ids in
        UTF-8 one after the other, and ``id_ends`` int64 ``(n_obs,)``, where each ends; with the
        facts ``dtype`` (of the given numbers) and either ``obsm`` or ``file`` and its ``sha256``.

        Raises
        ------
        InputError
            If a file is missing, unreadable or another one, a published cell has no vector, an id
            occurs twice, or a value is not finite.
        """
        with self._open(given) as (parts, facts):
            vectors = take_vectors(parts, given.sample_ids)
        text = [str(name).encode() for name in given.sample_ids]
        arrays = {
            VECTORS: vectors,
            IDS: np.frombuffer(b"".join(text), np.uint8),
            ID_ENDS: np.cumsum([len(name) for name in text], dtype=np.int64),
        }
        return FrozenModel(arrays, facts)

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the vector of each cell.

        Raises
        ------
        InputError
            If a cell has none.
        """
        rows = pd.Index(read_ids(model)).get_indexer(pd.Index(cells.sample_ids))
        if (rows < 0).any():
            lacking = list(cells.sample_ids[rows < 0][:_N_NAMED])
            raise InputError(
                f"precomputed: {int((rows < 0).sum())} cells have no vector in the model, such as "
                f"{', '.join(lacking)}; freeze it again with their vectors"
            )
        return np.asarray(model.arrays[VECTORS][rows], np.float32)

    @contextmanager
    def _open(self, given: GivenData) -> Iterator[tuple[list[FoundVectors], dict[str, Any]]]:
        settings = self.settings
        if settings.path is None:
            with ExitStack() as stack:
                parts = [stack.enter_context(part) for part in self._open_sources(given)]
                yield parts, {"obsm": settings.obsm, "dtype": _dtype_of(parts)}
            return
        path = self._find_file(settings.path, given.folder)
        with open_vectors(
            path, ids=settings.ids, values=settings.values, obsm=settings.obsm
        ) as part:
            about = {"file": path.name, "sha256": sha256_of(path), "dtype": _dtype_of([part])}
            yield [part], about

    def _open_sources(self, given: GivenData) -> Iterator[AbstractContextManager[FoundVectors]]:
        for file in given.files:
            prefix = file.name + PREFIX_END if len(given.files) > 1 else ""
            yield open_obsm(Path(file.path), self.settings.obsm or "", prefix=prefix)

    def _find_file(self, stated: str, folder: Path | None) -> Path:
        is_packaged = stated.startswith(PACKAGE_SCHEME)
        uri = stated if is_packaged else str((folder or Path()) / Path(stated).expanduser())
        return find_given_file(uri, setting="precomputed: path", sha256=self.settings.sha256)


def read_ids(model: FrozenModel) -> list[str]:
    """Return the sample ids of a frozen model, in the order of its vectors."""
    text, ends = model.arrays[IDS].tobytes(), model.arrays[ID_ENDS].tolist()
    return [text[start:end].decode() for start, end in itertools.pairwise([0, *ends])]


def _dtype_of(parts: list[FoundVectors]) -> str:
    return ", ".join(sorted({str(np.dtype(part.values.dtype)) for part in parts}))
