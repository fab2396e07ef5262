"""One look into a raw file: what is there, what it may be used for, what stands in the way.

Belongs here: the order of the look. obs and var are read whole, of each matrix the header and the
first values; nothing becomes dense.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets.annotation.raw_cells import load_raw_cells
from adata_assets.errors import InputError
from adata_assets.matrix.header import list_obsm
from adata_assets.matrix.safe import require_safe_h5ad
from adata_assets.matrix.source import read_obs, read_var
from adata_assets.onboarding.columns import ColumnLook, describe_columns
from adata_assets.onboarding.counts import (
    CountsLook,
    MatrixLook,
    describe_matrices,
    look_for_counts,
)
from adata_assets.onboarding.genes import GenesLook, describe_genes
from adata_assets.onboarding.roles import find_roles
from adata_assets.sources.files import locate_source
from adata_assets.sources.raw import RawFile

# Fewer features than any annotation of a genome has: a selection.
_FEW_GENES = 5_000


_FORMS = {
    "counts": "whole numbers",
    "noisy": "whole numbers with float noise",
    "expected": "expected counts",
    "log1p": "log1p of counts per 10,000, turned back exactly",
}


@dataclass(frozen=True)
class FileLook:
    """What a look into a raw file told.

    Attributes
    ----------
    n_bytes
        Of the file; of a zarr folder the sum of its files.
    obsm
        Keys of obsm with their shapes.
    genes
        None if the features cannot be used; ``problems`` says why.
    roles
        Role to the obs column that looks most like it.
    problems
        What stops a dataset of this file.
    warnings
        What its owner should know.
    obs
        The file's obs, for whoever goes on with it.
    """

    path: Path
    n_bytes: int
    n_obs: int
    n_vars: int
    matrices: tuple[MatrixLook, ...]
    counts: CountsLook
    genes: GenesLook | None
    columns: tuple[ColumnLook, ...]
    obsm: dict[str, tuple[int, ...]]
    roles: dict[str, str | None]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    obs: pd.DataFrame = field(repr=False)

    def column(self, role: str) -> ColumnLook | None:
        """Return the column of a role, None where no column looks like it."""
        name = self.roles[role]
        return next((column for column in self.columns if column.name == name), None)

    def say_counts(self) -> str:
        """Say in words where the counts are."""
        place = self.counts.place
        if place is None:
            return "none were found"
        words = f"{place.slot}, {_FORMS[place.form]}"
        if self.counts.totals:
            words += f", with the totals of {self.counts.totals}"
        return f"{words} (the first {self.counts.n_obs_read:,} cells were looked at)"

    def say_genes(self) -> str:
        """Say in words what the features are called."""
        genes = self.genes
        if genes is None:
            return "they cannot be used as they are"
        columns = f", Ensembl ids in {', '.join(genes.id_columns)}" if genes.id_columns else ""
        known = f"{genes.n_mapped:,} of {genes.n_features:,} have an Ensembl id"
        whose = f"{genes.species}, by {genes.species_by}"
        return f"{genes.names} ({', '.join(genes.examples)}, …){columns}; {whose}; {known}"

    def to_json(self) -> dict[str, Any]:
        """Return all but the table itself, as plain values."""
        found = {name: value for name, value in vars(self).items() if name not in ("obs", "path")}
        plain = {
            name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
            for name, value in found.items()
        }
        for name in ("matrices", "columns"):
            plain[name] = [asdict(one) for one in found[name]]
        return {"path": str(self.path), **plain}


def look_into(path: Path, *, scratch: Path) -> FileLook:
    """Look into an h5ad file or zarr folder.

    Parameters
    ----------
    scratch
        Folder for temporary files: a matrix that is stored by columns is read whole, through it.

    Raises
    ------
    InputError
        If the file must not be read, or its obs, var or matrices cannot be.
    """
    require_safe_h5ad(path)
    obs, problems = _load_obs(path)
    columns = describe_columns(obs)
    roles = find_roles(columns)
    matrices = describe_matrices(path, scratch=scratch)
    counts = look_for_counts(path, obs, scratch=scratch)
    if counts.place is None:
        problems.append(counts.reason)
    genes = None
    slot = counts.place.slot if counts.place else next((m.slot for m in matrices), "X")
    var = read_var(path, slot)
    try:
        genes = describe_genes(var, _organism(obs))
    except InputError as error:
        problems.append(str(error))
    found = FileLook(
        path=path,
        n_bytes=_measure(path),
        n_obs=len(obs),
        n_vars=len(var),
        matrices=matrices,
        counts=counts,
        genes=genes,
        columns=columns,
        obsm=list_obsm(path),
        roles=roles,
        problems=tuple(problems),
        warnings=(),
        obs=obs,
    )
    return FileLook(**{**vars(found), "warnings": tuple(_warn(found))})


def look_at_source(uri: str) -> FileLook:
    """Look into a source on this machine; temporary files go to ``ADATA_ASSETS_SCRATCH``.

    Raises
    ------
    InputError
        If it is not on this machine, and as `look_into`.
    """
    path = locate_source(uri)
    with tempfile.TemporaryDirectory(dir=os.environ.get("ADATA_ASSETS_SCRATCH") or None) as scratch:
        return look_into(path, scratch=Path(scratch))


def _load_obs(path: Path) -> tuple[pd.DataFrame, list[str]]:
    raw = RawFile(path.stem, str(path), "", str(path), None, 0, 0, "")
    try:
        return load_raw_cells([raw]).obs, []
    except InputError as error:
        # Still worth a look: what else is wrong is told at once.
        stored = read_obs(path)
        named = stored.set_axis(stored.columns.astype(str), axis=1).reset_index(drop=True)
        return named.loc[:, ~named.columns.duplicated()], [str(error)]


def _organism(obs: pd.DataFrame) -> str | None:
    for name in ("organism", "organism_ontology_term_id"):
        if name in obs and len(found := obs[name].dropna().unique()):
            return str(found[0])
    return None


def _measure(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _warn(look: FileLook) -> Iterator[str]:
    cell_type, donor = look.column("cell_type"), look.column("donor")
    if cell_type is None:
        yield "no column looks like a cell type: without one there are no captions (format single)"
    elif cell_type.n_missing:
        yield (
            f"{cell_type.n_missing:,} of {look.n_obs:,} cells have no {cell_type.name}: pairs and "
            "multiplets are made of the others"
        )
    if donor is None:
        yield "no column looks like a donor: cells of one donor can stand in two splits"
    elif donor.n_distinct == 1:
        yield f"{donor.name} has one value: cells are dealt one by one, not by donor"
    if look.counts.totals is None and look.n_vars < _FEW_GENES:
        yield (
            f"only {look.n_vars:,} features: if others were left out, give keys.totals, the obs "
            "column of each cell's total counts over all genes"
        )
    if look.counts.allow_expected:
        yield "the counts are no whole numbers and would be rounded (counts.allow_expected)"
    if look.genes and look.genes.species == "other":
        yield "the genes are neither human nor mouse as far as names tell: they keep their names"
    for column in look.columns:
        if column.identifier:
            yield f"{column.name} looks like a direct identifier: {column.identifier}"
