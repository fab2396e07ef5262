"""``pca_given``: scores in the space of a PCA model that is given as an npz file.

The file holds ``genes`` (ids or symbols, text), ``means`` and ``scales`` (of the lognorm values,
one per gene) and ``components`` ``(n_dims, n_genes)``; no objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal
from zipfile import BadZipFile

import numpy as np
from pydantic import Field

from adata_assets.annotation.genes.stats import lognorm
from adata_assets.embedders import contract
from adata_assets.embedders.base.cells import CellBlock, TrainStream
from adata_assets.embedders.base.given import (
    SHA256_PATTERN,
    count_known,
    find_gene_ids,
    find_given_file,
)
from adata_assets.embedders.base.model import GENE_IDS, FrozenModel
from adata_assets.errors import InputError

GENES, MEANS, SCALES, COMPONENTS = "genes", "means", "scales", "components"


class Settings(contract.EmbedderSettings):
    """Settings of ``pca_given``."""

    model: str = Field(description="npz file: a path, or package://<package>/<file>")
    sha256: str = Field(pattern=SHA256_PATTERN, description="of the file; another one is refused")


class Embedder(contract.Embedder):
    """Scores ``((lognorm - means) / scales) @ components.T``, float32 ``(n_obs, n_dims)``."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "lognorm"
    learns: ClassVar[bool] = False
    settings: Settings

    @property
    def n_dims(self) -> None:
        """Width of the embedding: the model tells it."""
        return None

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the given model; nothing is learnt.

        Returns
        -------
        ``gene_ids``, ``n_matched`` (genes that the dataset has), ``sha256``, and float64 ``means``
        and ``scales`` ``(n_genes,)`` and ``components`` ``(n_dims, n_genes)``.

        Raises
        ------
        InputError
            If the file is another one, holds objects, or its arrays do not fit together.
        """
        stated = self.settings.sha256
        path = find_given_file(self.settings.model, setting="pca_given: model", sha256=stated)
        found = read_pca_model(path)
        gene_ids = find_gene_ids(found.pop(GENES).tolist(), train, setting=f"pca_given: {path}")
        n_matched = count_known(gene_ids, train)
        return FrozenModel(
            {name: array.astype(np.float64) for name, array in found.items()},
            {GENE_IDS: gene_ids, "n_matched": n_matched, "sha256": stated},
        )

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the scores; a missing gene counts as 0.

        Means and scales are taken into the loadings, so that the values stay sparse.
        """
        components, scales = model.arrays[COMPONENTS], model.arrays[SCALES]
        loadings = np.ascontiguousarray((components / scales).T)
        values = lognorm(cells.counts_of(model.gene_ids), cells.totals)
        return (values @ loadings - model.arrays[MEANS] @ loadings).astype(np.float32)


def read_pca_model(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a PCA model.

    Raises
    ------
    InputError
        If the file is no npz, holds objects, lacks an array, or they do not fit together.
    """
    names = (GENES, MEANS, SCALES, COMPONENTS)
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(
            f"{path}: no PCA model ({error}): needed is an npz file with {', '.join(names)}, "
            "without objects (save genes as text: np.array(genes, dtype=str))"
        ) from error
    _require_fit(path, found)
    return found


def _require_fit(path: Path, found: dict[str, np.ndarray]) -> None:
    n_genes = found[GENES].size
    shapes = {name: array.shape for name, array in found.items()}
    n_dims = shapes[COMPONENTS][0] if found[COMPONENTS].ndim else 0
    each = (n_genes,)
    if shapes != {GENES: each, MEANS: each, SCALES: each, COMPONENTS: (n_dims, n_genes)}:
        raise InputError(
            f"{path}: shapes {shapes} do not fit: genes, means and scales are (n_genes,), "
            "components (n_dims, n_genes)"
        )
    if found[GENES].dtype.kind != "U":
        raise InputError(
            f"{path}: genes are {found[GENES].dtype}, expected text (ids or symbols): save them "
            "with dtype=str"
        )
    for name in (MEANS, SCALES, COMPONENTS):
        array = found[name]
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise InputError(f"{path}: {name} ({array.dtype}) holds values that are no numbers")
    if (flat := np.flatnonzero(found[SCALES] <= 0)).size:
        raise InputError(
            f"{path}: {flat.size} scales are 0 or below, the first of gene "
            f"{str(found[GENES][flat[0]])!r}; leave such genes out, or give them the scale 1"
        )
