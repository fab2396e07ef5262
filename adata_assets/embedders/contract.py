"""What an embedder promises, and how one is found by its name.

Belongs here: the contract and the streams that methods read. A method is a module of this folder
with a class ``Embedder``; nobody keeps a list of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

import adata_assets.embedders as _folder
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp

    from adata_assets.matrix.counts import Counts

# Blocks of a fit have edges of their own, so that a fit does not depend on the chunks.
FIT_BLOCK_NONZEROS = 4_000_000
_NOT_METHODS = ("contract", "apply")


class EmbedderSettings(BaseModel):
    """Base of the settings that a method takes from the dataset's YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class CellBlock:
    """Some cells in dataset order.

    Attributes
    ----------
    counts
        int32 CSR ``(n_obs, n_vars)`` over all genes.
    totals
        ``total_counts_source`` of the cells, ``(n_obs,)``.
    """

    counts: sp.csr_matrix
    totals: np.ndarray

    def lognorm(self, genes: np.ndarray) -> np.ndarray:
        """Return ``log1p(count / total * 1e4)`` of some genes, dense float64 ``(n_obs, n_genes)``."""
        from adata_assets.annotation.gene_stats import lognorm

        picked = self.counts[:, genes]
        return lognorm(picked, self.totals).toarray()


@dataclass(frozen=True)
class TrainStream:
    """The train cells, read block by block; a fit sees nothing else.

    Attributes
    ----------
    counts
        The dataset's counts.
    totals
        ``total_counts_source`` in dataset order.
    n_train
        Cells ``0 … n_train`` of the dataset order are the train cells.
    gene_stats
        ``GeneStatsSchema``.
    """

    counts: Counts
    totals: np.ndarray
    n_train: int
    gene_stats: pd.DataFrame

    def blocks(self) -> Iterator[CellBlock]:
        """Yield the train cells in dataset order."""
        for start, block in self.counts.iter_blocks(
            0, self.n_train, max_nonzeros=FIT_BLOCK_NONZEROS
        ):
            yield CellBlock(block, self.totals[start : start + block.shape[0]])

    def variable_genes(self, n_genes: int) -> np.ndarray:
        """Return the columns of the highly variable genes, most variable first.

        Raises
        ------
        InputError
            If fewer genes were ranked than are asked for.
        """
        ranked = self.gene_stats["hvg_rank"].to_numpy()
        columns = (ranked >= 0).nonzero()[0]
        if n_genes > len(columns):
            raise InputError(
                f"{n_genes} highly variable genes are asked for, {len(columns)} are ranked: lower "
                "the embedder's n_genes, or raise n_top_genes"
            )
        return columns[ranked[columns].argsort()][:n_genes]


@runtime_checkable
class Embedder(Protocol):
    """One method: fitted once on the train cells, applied to every chunk.

    ``fit`` returns named arrays (no objects), which are stored and hashed; ``embed`` gets them
    back and returns float32 ``(n_obs, n_dims)``, finite, independent of which cells come together.
    """

    version: ClassVar[str]
    citation: ClassVar[str | None]
    settings_model: ClassVar[type[EmbedderSettings]]

    def __init__(self, settings: EmbedderSettings) -> None:
        """Keep the validated settings."""

    @property
    def n_dims(self) -> int:
        """Width of the embedding."""
        ...

    def fit(self, train: TrainStream) -> dict[str, np.ndarray]:
        """Learn from the train cells; return what is frozen."""

    def embed(self, cells: CellBlock, model: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the embedding of the cells."""


def embedder_names() -> list[str]:
    """Return the methods that there are: the modules of this folder that hold one.

    Examples
    --------
    >>> {"hvg", "pca"} <= set(embedder_names())
    True
    """
    return sorted(
        m.name for m in pkgutil.iter_modules(_folder.__path__) if m.name not in _NOT_METHODS
    )


def load_embedder(spec: EmbedderSpec) -> Embedder:
    """Return the method that a spec names, with its settings validated.

    Raises
    ------
    InputError
        For an unknown method (lists the known ones) or a wrong setting (names it).
    """
    if spec.method not in embedder_names():
        raise InputError(
            f"embedder {spec.name!r}: unknown method {spec.method!r}; known: {embedder_names()}"
        )
    method: Any = importlib.import_module(f"{_folder.__name__}.{spec.method}").Embedder
    try:
        return method(method.settings_model(**spec.settings))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r})"
            for e in error.errors()
        )
        raise InputError(
            f"embedder {spec.name!r} ({spec.method}): {wrong}; settings are "
            f"{sorted(method.settings_model.model_fields)}"
        ) from error
