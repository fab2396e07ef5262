"""Slots contract of the AnnData in a chunk file: what a reader may rely on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

UNS_KEY = "adata_assets"


def describe_slots(embedders: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return name, type and meaning of each slot of a chunk file.

    Examples
    --------
    >>> [name for name, _, _ in describe_slots(["pca"])]
    ['X', 'obs', 'var', "obsm['X_pca']", "uns['adata_assets']"]
    """
    return [
        ("X", "int CSR", "raw counts of the chunk's cells over all genes"),
        (
            "obs",
            "table",
            "the file's own columns that are published, and harmonised ones beside them",
        ),
        ("var", "table", "one row per gene: id, symbol, biotype, class"),
        *(
            (f"obsm['X_{name}']", "float32 (n_obs, n_dims)", f"embedding {name}")
            for name in embedders
        ),
        (f"uns['{UNS_KEY}']", "dict", "dataset, title, split, and how each embedding was made"),
    ]


@dataclass(frozen=True)
class ChunkSlots:
    """What the AnnData of one chunk holds.

    Attributes
    ----------
    obs_names
        The cells, in dataset order.
    obsm
        Keys of the embeddings, ``X_<name>``.
    """

    obs_names: Sequence[str]
    obsm: Sequence[str]

    def find_breaches(self, adata: AnnData) -> list[str]:
        """Name every breach of the contract; an empty list is a pass."""
        breaches = []
        if list(adata.obs_names) != list(self.obs_names):
            breaches.append(
                f"obs_names: {adata.n_obs} cells are not the chunk's {len(self.obs_names)}"
            )
        if not adata.var_names.is_unique:
            breaches.append("var_names: gene ids are not unique")
        stored = adata.X.data if hasattr(adata.X, "data") else np.asarray(adata.X)
        if stored.dtype.kind not in "iu" or (stored.size and stored.min() < 1):
            breaches.append(f"X: stored values must be positive integers, found {stored.dtype}")
        for key in self.obsm:
            breaches += _breaches_of_embedding(key, adata)
        if UNS_KEY not in adata.uns:
            breaches.append(f"uns: {UNS_KEY!r} is missing")
        return breaches


def _breaches_of_embedding(key: str, adata: AnnData) -> list[str]:
    if key not in adata.obsm:
        return [f"obsm: {key!r} is missing, found {sorted(adata.obsm)}"]
    values = adata.obsm[key]
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype != np.float32:
        return [f"obsm[{key!r}]: must be a dense 2-D float32 array"]
    return [] if np.isfinite(values).all() else [f"obsm[{key!r}]: holds values that are not finite"]
