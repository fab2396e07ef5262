"""``gene_set``: the lognorm values of a listed panel of genes, in the order of the list.

A panel is a text file with one id or symbol per line; ``#`` begins a comment.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

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


class Settings(contract.EmbedderSettings):
    """Settings of ``gene_set``: either ``panel`` or ``genes``."""

    panel: str | None = Field(
        None, description="text file: a path, or package://<package>/<file>; one gene per line"
    )
    sha256: str | None = Field(
        None, pattern=SHA256_PATTERN, description="of the panel's file; checked when stated"
    )
    genes: tuple[str, ...] = Field((), description="ids or symbols, listed in the YAML itself")

    @model_validator(mode="after")
    def _one_of_them(self) -> Settings:
        if (self.panel is None) == (not self.genes):
            raise ValueError("give either panel (a text file) or genes (a list), not both")
        return self


class Embedder(contract.Embedder):
    """Values of the listed genes, float32 ``(n_obs, n_genes)``; a missing gene is 0."""

    version: ClassVar[str] = "1"
    settings_model: ClassVar[type[contract.EmbedderSettings]] = Settings
    reads: ClassVar[Literal["counts", "lognorm", "given"]] = "lognorm"
    learns: ClassVar[bool] = False
    settings: Settings

    @property
    def n_dims(self) -> int | None:
        """Width of the embedding; None for a panel, which is read when it is needed."""
        return len(self.settings.genes) or None

    def fit(self, train: TrainStream) -> FrozenModel:
        """Return the ids of the listed genes.

        Returns
        -------
        ``gene_ids``, ``listed`` (the names as they were listed) and ``n_matched``, the number of
        them that the dataset has.

        Raises
        ------
        InputError
            If the panel cannot be read, a gene is listed twice, or the dataset has none of them.
        """
        listed = list(self.settings.genes) or self._read_panel()
        gene_ids = find_gene_ids(listed, train, setting="gene_set")
        n_matched = count_known(gene_ids, train)
        if not n_matched:
            raise InputError(
                f"gene_set: the dataset has none of the {len(listed)} listed genes, the first of "
                f"which is {listed[0]!r}; its own ids look like {train.gene_ids[0]!r}"
            )
        return FrozenModel(facts={GENE_IDS: gene_ids, "listed": listed, "n_matched": n_matched})

    def embed(self, cells: CellBlock, model: FrozenModel) -> np.ndarray:
        """Return the lognorm values of the genes."""
        return cells.lognorm_of(model.gene_ids).astype(np.float32)

    def _read_panel(self) -> list[str]:
        path = find_given_file(
            self.settings.panel or "", setting="gene_set: panel", sha256=self.settings.sha256
        )
        return read_panel(path)


def read_panel(path: Path) -> list[str]:
    """Return the names that a panel lists.

    Raises
    ------
    InputError
        If it is no text, lists nothing, or a line holds more than one name.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"panel {path}: not a text file in UTF-8 ({error.reason})") from error
    names = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if len(words) > 1:
            raise InputError(
                f"panel {path}, line {number}: {line.strip()!r} is more than one name; list one "
                "gene per line, comments after #"
            )
        names += words
    if not names:
        raise InputError(f"panel {path}: lists no gene; list one id or symbol per line")
    return names
