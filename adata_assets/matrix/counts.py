"""The stage artefact ``counts``: raw counts of the kept cells in dataset order, as zarr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from scipy.sparse import csr_matrix
from upath import UPath
from zarr.storage import FsspecStore

from adata_assets.errors import InputError
from adata_assets.matrix.blocks import Array, iter_block_edges
from adata_assets.matrix.spill import RowSpill, spill_folder
from adata_assets.matrix.streams import CountsStream

_MAX_COUNT = np.iinfo(np.int32).max
# More buckets than this mean writes too small for a disk; fewer rows make files too many.
_MAX_BUCKETS = 512
_MIN_ROWS_PER_BUCKET = 1024


@dataclass(frozen=True)
class CountsSummary:
    """What `write_counts` wrote.

    Attributes
    ----------
    n_obs, n_vars, n_nonzeros
        Shape and number of stored values; none of them is zero.
    total_counts
        Sum of all values.
    content_hash
        sha256 (hex) of the content: equal for equal counts, whatever the blocks, the zarr chunks
        or the compression.
    """

    n_obs: int
    n_vars: int
    n_nonzeros: int
    total_counts: int
    content_hash: str


def write_counts(
    blocks: Iterable[tuple[int, csr_matrix]],
    *,
    position: np.ndarray,
    gene_index: np.ndarray,
    n_genes: int,
    path: Path,
    scratch: Path,
) -> CountsSummary:
    """Write the kept rows in dataset order, over the dataset's genes, as a zarr v3 group.

    One pass over the blocks, in bounded memory. Rows that arrive in their final order are written
    straight through; others go through files on scratch (12 bytes per non-zero), which are removed
    afterwards, also after an error.

    Parameters
    ----------
    blocks
        ``(first source row, rows)``, sequential over all source rows.
    position
        int64 ``(n_source_rows,)``: the place of each row in the dataset order, -1 where the row is
        not kept. The others are a permutation of ``0 .. n_kept - 1``.
    gene_index
        int32 ``(n_source_vars,)``: the gene of each source column. Columns of one gene are summed.
    n_genes
        Number of genes.
    path
        The folder to make; it must not hold a group yet.
    scratch
        Folder for temporary files.

    Raises
    ------
    InputError
        If a value of a kept row is not a whole number from 0 to 2**31 - 1 (nothing is ever
        rounded or cut), or the scratch disk is full.
    ValueError
        If `position`, `gene_index` and the blocks do not fit together.
    """
    n_kept = _require_permutation(position)
    merger = _GeneMerger(gene_index, n_genes)
    kept = _iter_kept(blocks, position, merger)
    places = position[position >= 0]
    stream = CountsStream(path, n_genes)
    if np.array_equal(places, np.arange(n_kept)):
        for _, block in kept:
            stream.append(block)
    else:
        _write_through_spill(kept, stream, shape=(n_kept, n_genes), scratch=scratch)
    content_hash = stream.close()
    return CountsSummary(
        stream.n_obs, n_genes, stream.n_nonzeros, stream.total_counts, content_hash
    )


def _write_through_spill(
    kept: Iterable[tuple[Array, csr_matrix]],
    stream: CountsStream,
    *,
    shape: tuple[int, int],
    scratch: Path,
) -> None:
    with spill_folder(scratch) as folder:
        spill = RowSpill(
            folder,
            n_rows=shape[0],
            n_columns=shape[1],
            rows_per_bucket=max(_MIN_ROWS_PER_BUCKET, -(-shape[0] // _MAX_BUCKETS)),
            dtype=np.dtype("<i4"),
        )
        for places, block in kept:
            rows = np.repeat(places.astype(np.int32), np.diff(block.indptr))
            spill.append(rows, block.indices, block.data)
        for _, block in spill.iter_blocks():
            stream.append(block)


def _require_permutation(position: np.ndarray) -> int:
    kept = position[position >= 0]
    seen = np.bincount(kept, minlength=len(kept))
    wrong = np.flatnonzero(seen != 1)
    if len(wrong):
        raise ValueError(
            f"position: place {wrong[0]} is given to {seen[wrong[0]]} rows; the {len(kept)} kept "
            "rows need each place once"
        )
    return len(kept)


def _iter_kept(
    blocks: Iterable[tuple[int, csr_matrix]], position: np.ndarray, merger: _GeneMerger
) -> Iterator[tuple[Array, csr_matrix]]:
    expected = 0
    for first, block in blocks:
        if first != expected or first + block.shape[0] > len(position):
            raise ValueError(
                f"a block of {block.shape[0]} rows begins at row {first}, expected {expected}, of "
                f"{len(position)} rows"
            )
        expected += block.shape[0]
        places = position[first:expected]
        rows = np.flatnonzero(places >= 0)
        whole = len(rows) == block.shape[0]
        yield places[rows], merger.merge(block if whole else block[rows], first + rows)
    if expected != len(position):
        raise ValueError(f"the blocks end at row {expected} of {len(position)}")


class _GeneMerger:
    """Source columns to genes, by name of their index."""

    def __init__(self, gene_index: np.ndarray, n_genes: int) -> None:
        outside = (gene_index < 0) | (gene_index >= n_genes)
        if outside.any():
            at = int(np.argmax(outside))
            raise ValueError(f"gene_index: column {at} goes to gene {gene_index[at]} of {n_genes}")
        self._genes = gene_index.astype(np.int32)
        self._n_genes = n_genes
        self._any_shared = len(np.unique(gene_index)) < len(gene_index)

    def merge(self, block: csr_matrix, rows: Array) -> csr_matrix:
        """Return the block over the genes, int32, in canonical form; `rows` are for messages."""
        if block.shape[1] != len(self._genes):
            raise ValueError(f"{block.shape[1]} columns, but gene_index has {len(self._genes)}")
        _require_counts(block, rows, "value")
        values = block.data.astype(np.int64 if self._any_shared else np.int32)
        merged = csr_matrix(
            (values, self._genes[block.indices], block.indptr.copy()),
            shape=(block.shape[0], self._n_genes),
        )
        merged.sum_duplicates()
        merged.eliminate_zeros()
        if self._any_shared:
            _require_counts(merged, rows, "sum of the columns of one gene")
            merged.data = merged.data.astype(np.int32)
        return merged


def _require_counts(block: csr_matrix, rows: Array, what: str) -> None:
    values = block.data
    # 2**31 is exact in every float type, 2**31 - 1 is not.
    is_count = (values >= 0) & (values < _MAX_COUNT + 1)
    if values.dtype.kind == "f":
        is_count &= values == np.rint(values)
    if not is_count.all():
        at = int(np.argmin(is_count))
        row = rows[int(np.searchsorted(block.indptr, at, side="right")) - 1]
        raise InputError(
            f"source row {row}, column {block.indices[at]}: {what} {values[at]} is not a count "
            f"(a whole number from 0 to {_MAX_COUNT}); use the slot with raw counts"
        )


class Counts:
    """The counts of a dataset, read by ranges of rows; nothing is loaded before it is asked for.

    Attributes
    ----------
    n_obs, n_vars, n_nonzeros
        Shape and number of stored values.
    """

    def __init__(self, group: zarr.Group) -> None:
        attrs: dict[str, Any] = dict(group.attrs)
        self.n_obs = int(attrs["n_obs"])
        self.n_vars = int(attrs["n_vars"])
        self.n_nonzeros = int(attrs["n_nonzeros"])
        self._data, self._indices, self._indptr = (
            _array(group, name) for name in ("data", "indices", "indptr")
        )

    def rows(self, start: int, stop: int) -> csr_matrix:
        """Return rows ``start:stop`` as int32, columns rising in each row.

        Raises
        ------
        ValueError
            If the range is not inside ``0 .. n_obs``.
        """
        return self._read(self._load_indptr(start, stop))

    def iter_blocks(
        self, start: int, stop: int, *, max_nonzeros: int = 4_000_000
    ) -> Iterator[tuple[int, csr_matrix]]:
        """Yield ``(first row, block)`` over rows ``start:stop`` in order.

        Where blocks end depends on the row lengths, `start` and `max_nonzeros` alone.
        """
        indptr = self._load_indptr(start, stop)
        for first, last in iter_block_edges(indptr, max_nonzeros=max_nonzeros):
            yield start + first, self._read(indptr[first : last + 1])

    def _load_indptr(self, start: int, stop: int) -> Array:
        if not 0 <= start <= stop <= self.n_obs:
            raise ValueError(f"rows {start} to {stop} are not within 0 to {self.n_obs}")
        return np.asarray(self._indptr[start : stop + 1])

    def _read(self, indptr: Array) -> csr_matrix:
        low, high = int(indptr[0]), int(indptr[-1])
        shape = (len(indptr) - 1, self.n_vars)
        if low == high:
            return csr_matrix(shape, dtype=np.int32)
        data, indices = self._data[low:high], self._indices[low:high]
        return csr_matrix((data, indices, indptr - low), shape=shape)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(f"{name} is no array")
    return found


def open_counts(path: Path | UPath) -> Counts:
    """Open counts that `write_counts` wrote: a local folder, or a copy in an object store.

    Raises
    ------
    InputError
        If there are none, or they were cut short.
    """
    if getattr(path, "protocol", "") in ("", "file", "local"):
        store: Any = Path(path.path if isinstance(path, UPath) else path)
    else:
        options = dict(getattr(path, "storage_options", {}))
        store = FsspecStore.from_url(str(path), storage_options=options, read_only=True)
    try:
        return Counts(zarr.open_group(store, mode="r", zarr_format=3))
    except (FileNotFoundError, KeyError) as error:
        raise InputError(
            f"{path} holds no complete counts ({error}); materialize counts again"
        ) from error
