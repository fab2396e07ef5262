"""How much the sources hold, before anything is fetched.

Belongs here: cells, values and bytes, exact from headers on this machine, else expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adata_assets.artefact import Artefact
from adata_assets.matrix.header import count_largest_nonzeros, count_most_vars, count_obs
from adata_assets.sources.contract import Source, UncountableError
from adata_assets.sources.pinning import find_change, look_at_sources
from adata_assets.sources.raw import read_raw_files
from adata_assets.spec import DatasetSpec

# Upper ends: gzip keeps a count and its column in 1.5 bytes at best, a cell that is worth keeping
# has 200 genes and up to some thousand, and no annotation has more features.
_BYTES_PER_NONZERO = 1.5
_BYTES_PER_OBS = 300
_NONZEROS_PER_OBS = 4_000
_MOST_VARS = 65_000


@dataclass(frozen=True)
class SourceSizes:
    """What the sources hold together, before anything is removed.

    Attributes
    ----------
    n_obs
        Cells, all of them.
    n_nonzeros
        Stored values of the largest matrix of each.
    n_vars
        Features of the source that has most.
    n_bytes_to_fetch
        What is still to be downloaded.
    """

    n_obs: int
    n_nonzeros: int
    n_vars: int
    n_bytes_to_fetch: int


def count_raw_obs(spec: DatasetSpec, sources: Mapping[str, Source]) -> int:
    """Return the number of raw cells that a dataset begins with, a subset taken into account.

    Raises
    ------
    InputError
        If a header cannot be read.
    """
    return cap_obs(spec, sum(source.count_obs() for source in sources.values()))


def cap_obs(spec: DatasetSpec, n_obs: int) -> int:
    """Return how many of the raw cells the spec's subset leaves."""
    return n_obs if spec.subset is None else min(n_obs, spec.subset.n_obs)


def measure_sources(sources: Mapping[str, Source], raw: Artefact | None) -> SourceSizes:
    """Return what the sources hold together.

    Parameters
    ----------
    raw
        The last ``raw_h5ad``; if it is still the same, its files are read instead.

    Raises
    ------
    InputError
        If one cannot be reached or its header cannot be read.
    """
    sightings = look_at_sources(sources, raw)
    paths: dict[str, str] = {}
    if raw is not None and find_change(sightings, raw) is None:
        paths = {file.name: file.path for file in read_raw_files(raw)}
    found = []
    for label, sighting in sightings.items():
        path = paths.get(label) or sighting.details.get("path")
        if path:
            found.append(_measure(Path(path)))
        else:
            found.append(_expect(sources[label], sighting.n_bytes))
    return SourceSizes(
        n_obs=sum(each.n_obs for each in found),
        n_nonzeros=sum(each.n_nonzeros for each in found),
        n_vars=max(each.n_vars for each in found),
        n_bytes_to_fetch=sum(each.n_bytes_to_fetch for each in found),
    )


def _measure(path: Path) -> SourceSizes:
    return SourceSizes(count_obs(path), count_largest_nonzeros(path), count_most_vars(path), 0)


def _expect(source: Source, n_bytes: int | None) -> SourceSizes:
    try:
        n_obs = source.count_obs()
    except UncountableError:
        n_obs = (n_bytes or 0) // _BYTES_PER_OBS
    by_cells = _NONZEROS_PER_OBS * n_obs
    by_bytes = by_cells if n_bytes is None else int(n_bytes / _BYTES_PER_NONZERO)
    return SourceSizes(n_obs, min(by_cells, by_bytes), _MOST_VARS, n_bytes or 2 * by_bytes)
