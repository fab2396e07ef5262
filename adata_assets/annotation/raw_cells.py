"""The raw files of a dataset as one: cells below each other, features beside each other.

Belongs here: ids, obs columns and blocks of counts over all files. What the values mean is decided
elsewhere. Features are not united here: each file has its own stretch of the feature axis, and
``genes.gene_index`` says which features are one gene.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pandas.api.types import union_categoricals

from adata_assets.annotation.counts.reading import CountsPlace, open_counts_reading
from adata_assets.annotation.keys import require_ids
from adata_assets.errors import InputError
from adata_assets.matrix.source import read_obs
from adata_assets.sources.raw import RawFile

# A source's name has no colon, so the first one always ends the prefix.
PREFIX_END = ":"
# Whole numbers up to here are exact as float64.
_EXACT = 2**53


@dataclass(frozen=True)
class RawCells:
    """Every cell of the raw files, in the order of the files and of the cells in them.

    Attributes
    ----------
    files
        The files.
    obs
        Their own columns; one that a file does not have is missing for its cells.
    sample_idx
        Unique id of each cell: its obs name, after the source's name if there are several sources.
    source
        Name of the source of each cell.
    n_obs_of_file
        Cells of each file.
    """

    files: tuple[RawFile, ...]
    obs: pd.DataFrame
    sample_idx: pd.Series
    source: pd.Series
    n_obs_of_file: tuple[int, ...]

    @property
    def label(self) -> str:
        """What errors call the source."""
        return ", ".join(Path(file.path).name for file in self.files)

    def rows_of(self, number: int) -> slice:
        """Return the rows of one file."""
        start = sum(self.n_obs_of_file[:number])
        return slice(start, start + self.n_obs_of_file[number])


def load_raw_cells(files: Sequence[RawFile]) -> RawCells:
    """Load the obs of all files.

    Raises
    ------
    InputError
        If a file has no cells, ids or columns that cannot be used: names the file.
    """
    stored = [read_obs(Path(file.path)) for file in files]
    ids = [require_ids(frame, file.path) for frame, file in zip(stored, files, strict=True)]
    frames = [_with_text(frame, file.path) for frame, file in zip(stored, files, strict=True)]
    if len(files) > 1:
        ids = [
            file.name + PREFIX_END + names.astype(object)
            for file, names in zip(files, ids, strict=True)
        ]
    sizes = tuple(len(frame) for frame in frames)
    source = np.repeat(np.array([file.name for file in files], dtype=object), sizes)
    return RawCells(
        files=tuple(files),
        obs=_concat(frames),
        sample_idx=pd.concat(ids, ignore_index=True),
        source=pd.Series(source, dtype=object),
        n_obs_of_file=sizes,
    )


def _with_text(frame: pd.DataFrame, path: str) -> pd.DataFrame:
    """Column names as text, and values that were stored as bytes too."""
    named = frame.set_axis(frame.columns.astype(str), axis=1)
    if repeated := sorted(set(named.columns[named.columns.duplicated()])):
        raise InputError(
            f"{Path(path).name}: several obs columns are named {repeated}; give each its own name"
        )
    stored = [name for name in named if named[name].dtype == object]
    stored = [name for name in stored if isinstance(named[name].iloc[0], bytes)]
    return named.assign(**{name: _decode(named[name], path) for name in stored})


def _decode(column: pd.Series, path: str) -> pd.Series:
    try:
        texts = [value.decode() if isinstance(value, bytes) else value for value in column]
    except UnicodeDecodeError as error:
        raise InputError(
            f"{Path(path).name}: obs column {column.name!r} holds bytes that are no text "
            f"({error.object[:20]!r}); write it again as text (str in pandas)"
        ) from error
    return pd.Series(texts, index=column.index, dtype=object)


def _concat(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    if len(frames) == 1:
        return frames[0].reset_index(drop=True)
    names = list(dict.fromkeys(name for frame in frames for name in frame))
    shared = {
        name: union_categoricals([frame[name] for frame in frames], ignore_order=True)
        for name in names
        if all(
            isinstance(frame.get(name, pd.Series()).dtype, pd.CategoricalDtype) for frame in frames
        )
        and len({frame[name].cat.categories.dtype for frame in frames}) == 1
    }
    sizes = [len(frame) for frame in frames]
    united = {
        name: shared[name]
        if name in shared
        else _unite([frame.get(name) for frame in frames], sizes)
        for name in names
    }
    return pd.DataFrame(united, index=range(sum(sizes)))


def _unite(columns: Sequence[pd.Series | None], sizes: Sequence[int]) -> pd.Series:
    """One column of those of all files, None where a file lacks it: no value is changed."""
    present = [column for column in columns if column is not None]
    types = {str(column.dtype) for column in present}
    if len(types) == 1 and len(present) == len(columns):
        return pd.concat(present, ignore_index=True)
    as_numbers = all(_is_exact_as_float(column) for column in present)
    kind, nothing = (float, np.nan) if as_numbers else (object, None)
    parts = [
        np.full(size, nothing, dtype=kind) if column is None else column.astype(kind).to_numpy()
        for column, size in zip(columns, sizes, strict=True)
    ]
    return pd.Series(np.concatenate(parts), dtype=kind)


def _is_exact_as_float(column: pd.Series) -> bool:
    if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iuf":
        return False
    return column.dtype.kind == "f" or max(-int(column.min()), int(column.max())) <= _EXACT


class RawCounts:
    """The verified counts of all files as one stream of blocks.

    Parameters
    ----------
    raw
        The cells.
    places
        Where the counts of each file are.
    n_features
        Features of each file; their sum is the width of the blocks.
    totals
        Known total counts per cell, shape ``(n_obs,)``, or None.
    scratch
        Folder for temporary files.

    Attributes
    ----------
    current
        Number of the file that was read last.
    reports
        One per file that was read to its end: what was found in its values.
    """

    def __init__(
        self,
        raw: RawCells,
        places: Sequence[CountsPlace],
        n_features: Sequence[int],
        *,
        totals: np.ndarray | None,
        scratch: Path,
    ) -> None:
        self._raw, self._places, self._n_features = raw, tuple(places), tuple(n_features)
        self._totals, self._scratch = totals, scratch
        self.current = 0
        self.reports: list[Mapping[str, Any]] = []

    def __iter__(self) -> Iterator[tuple[int, sp.csr_matrix]]:
        """Yield ``(first row, int32 CSR)`` in order, over the features of all files."""
        for number, file in enumerate(self._raw.files):
            self.current = number
            rows = self._raw.rows_of(number)
            totals = None if self._totals is None else self._totals[rows]
            with open_counts_reading(
                Path(file.path), self._places[number], totals=totals, scratch=self._scratch
            ) as reading:
                for start, block in reading:
                    yield rows.start + start, self._widen(number, block)
            self.reports.append({"source": file.name, **reading.report})

    def _widen(self, number: int, block: sp.csr_matrix) -> sp.csr_matrix:
        if block.shape[1] != self._n_features[number]:
            raise InputError(
                f"{self._raw.files[number].path}: {block.shape[1]} features where var has "
                f"{self._n_features[number]}; write the file again"
            )
        if len(self._n_features) == 1:
            return block
        first, width = sum(self._n_features[:number]), sum(self._n_features)
        indices = block.indices + np.int32(first)
        return sp.csr_matrix((block.data, indices, block.indptr), shape=(block.shape[0], width))
