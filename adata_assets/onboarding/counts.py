"""Where the raw counts of a file seem to be, and how deep its first cells are.

Belongs here: the matrices of a file by their headers, and the first values of each. Whether every
value is a count is found out when the dataset is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from adata_assets.annotation.counts.reading import CountsPlace, NotCountsError, find_counts
from adata_assets.annotation.keys import read_totals
from adata_assets.errors import InputError
from adata_assets.matrix.source import list_matrices, open_source_matrix
from adata_assets.spec import CountsRules

# As many values of each matrix as `find_counts` reads.
N_NONZEROS_READ = 200_000
_TOTALS = (
    "n_counts",
    "total_counts",
    "ncount_rna",
    "n_umi",
    "n_umis",
    "numi",
    "total_umis",
    "umis",
)


@dataclass(frozen=True)
class MatrixLook:
    """One matrix as its header tells it; ``encoding`` is csr, csc or dense."""

    slot: str
    encoding: str
    dtype: str
    n_obs: int
    n_vars: int


@dataclass(frozen=True)
class CountsLook:
    """Where the counts seem to be.

    Attributes
    ----------
    place
        The best matrix, None if none holds counts.
    reason
        Why there are none, for people.
    totals
        obs column of stated totals, where the counts come back with it only.
    allow_expected
        Whether they are expected counts that would be rounded.
    n_obs_read
        Cells whose values were looked at.
    n_genes_high
        Genes with a count of the deepest twentieth of these cells, at least so many.
    """

    place: CountsPlace | None
    reason: str = ""
    totals: str | None = None
    allow_expected: bool = False
    n_obs_read: int = 0
    n_genes_high: int = 0


def describe_matrices(path: Path, *, scratch: Path) -> tuple[MatrixLook, ...]:
    """Describe the matrices of a file by their headers, in the order of `list_matrices`.

    Raises
    ------
    InputError
        If the parts of a matrix contradict each other.
    """
    found = []
    for slot in list_matrices(path):
        with open_source_matrix(path, slot, scratch=scratch) as matrix:
            encoding = type(matrix).__name__.removesuffix("Matrix").lower()
            found.append(MatrixLook(slot, encoding, str(matrix.dtype), matrix.n_obs, matrix.n_vars))
    return tuple(found)


def look_for_counts(path: Path, obs: pd.DataFrame, *, scratch: Path) -> CountsLook:
    """Find the counts as a build would, with the settings that a YAML could add.

    Stated totals are preferred for logarithms: without them a gene subset cannot be told from
    whole cells.
    """
    plain = _try(path, CountsRules(), None, scratch)
    found = CountsLook(plain) if isinstance(plain, CountsPlace) else None
    if not isinstance(plain, CountsPlace) or plain.form == "log1p":
        found = _try_totals(path, obs, scratch) or found
    if found is None:
        rounded = _try(path, CountsRules(allow_expected=True), None, scratch)
        if isinstance(rounded, CountsPlace):
            found = CountsLook(rounded, allow_expected=True)
    if found is None:
        return CountsLook(None, str(plain))
    return _measure(path, found, scratch)


def _try(
    path: Path, rules: CountsRules, totals: np.ndarray | None, scratch: Path
) -> CountsPlace | NotCountsError:
    try:
        return find_counts(path, rules, totals=totals, scratch=scratch)[0]
    except NotCountsError as error:
        return error


def _try_totals(path: Path, obs: pd.DataFrame, scratch: Path) -> CountsLook | None:
    by_name = {str(name).lower().replace(".", "_"): str(name) for name in obs.columns}
    for name in (by_name[usual] for usual in _TOTALS if usual in by_name):
        try:
            totals = read_totals(obs, name)
        except InputError:
            continue
        place = _try(path, CountsRules(), totals, scratch)
        if isinstance(place, CountsPlace):
            return CountsLook(place, totals=name)
    return None


def _measure(path: Path, found: CountsLook, scratch: Path) -> CountsLook:
    assert found.place is not None
    with open_source_matrix(path, found.place.slot, scratch=scratch) as matrix:
        blocks = matrix.iter_blocks(max_nonzeros=N_NONZEROS_READ)
        n_genes = np.diff(next((block.indptr for _, block in blocks), np.zeros(1, np.int64)))
    high = int(np.quantile(n_genes, 0.95)) if len(n_genes) else 0
    return CountsLook(found.place, "", found.totals, found.allow_expected, len(n_genes), high)
