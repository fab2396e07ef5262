"""The first pass over the raw files: where the counts are, which genes they are of, every metric.

Belongs here: one reading of all values. A matrix that turns out not to hold counts gives way to the
next candidate of its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.annotation.counts.reading import CountsPlace, NotCountsError, find_counts
from adata_assets.annotation.genes.build import GeneMapping, build_genes
from adata_assets.annotation.measure import CellMetrics, measure_cells
from adata_assets.annotation.raw_cells import RawCells, RawCounts
from adata_assets.matrix.source import read_var
from adata_assets.spec import DatasetSpec


@dataclass(frozen=True)
class FirstPass:
    """What one reading of the raw files told.

    Attributes
    ----------
    places, n_features
        Per file: where its counts are, and how many features they have.
    genes
        Gene table over all files.
    metrics
        Per cell and per feature.
    reports
        Per file: what was found in its values.
    """

    places: tuple[CountsPlace, ...]
    n_features: tuple[int, ...]
    genes: GeneMapping
    metrics: CellMetrics
    reports: tuple[Mapping[str, Any], ...]


def read_once(
    raw: RawCells, spec: DatasetSpec, *, totals: np.ndarray | None, scratch: Path
) -> FirstPass:
    """Read all values of the raw files once, and again only if a candidate held no counts.

    Raises
    ------
    NotCountsError
        If some file has no matrix of counts.
    InputError
        If the genes do not fit together.
    """
    candidates = [
        list(
            find_counts(
                Path(file.path),
                spec.counts,
                totals=None if totals is None else totals[raw.rows_of(number)],
                scratch=scratch,
            )
        )
        for number, file in enumerate(raw.files)
    ]
    while True:
        places = tuple(found[0] for found in candidates)
        try:
            return _read(raw, spec, places, totals=totals, scratch=scratch)
        except _NotHereError as error:
            if len(candidates[error.number]) == 1:
                raise error.reason from None
            candidates[error.number].pop(0)


class _NotHereError(Exception):
    def __init__(self, number: int, reason: NotCountsError) -> None:
        super().__init__(number)
        self.number, self.reason = number, reason


def _read(
    raw: RawCells,
    spec: DatasetSpec,
    places: Sequence[CountsPlace],
    *,
    totals: np.ndarray | None,
    scratch: Path,
) -> FirstPass:
    variables = [
        read_var(Path(file.path), place.slot) for file, place in zip(raw.files, places, strict=True)
    ]
    n_features = tuple(len(var) for var in variables)
    genes = build_genes(
        variables,
        id_key=spec.keys.gene_id,
        symbol_key=spec.keys.gene_symbol,
        species=spec.species,
        organism=_organism(raw),
    )
    counts = RawCounts(raw, places, n_features, totals=totals, scratch=scratch)
    try:
        metrics = measure_cells(counts, genes, n_obs=len(raw.obs))
    except NotCountsError as error:
        raise _NotHereError(counts.current, error) from error
    return FirstPass(tuple(places), n_features, genes, metrics, tuple(counts.reports))


def _organism(raw: RawCells) -> str | None:
    for name in ("organism", "organism_ontology_term_id"):
        if name in raw.obs and len(found := raw.obs[name].dropna().unique()):
            return str(found[0])
    return None
