"""Counts: refusal of what is no count or does not fit together; memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from adata_assets.errors import InputError
from adata_assets.matrix.counts import open_counts
from adata_assets_tests.matrix.files import (
    make_adata,
    make_counts,
    read_dense,
    write_adata,
    write_blocks,
)


@pytest.mark.parametrize("value", [0.5, 1.0986123, -1, np.nan, np.inf, 2.0**31])
@pytest.mark.parametrize("in_order", [True, False])
def test_what_is_no_count_is_refused(tmp_path: Path, value: float, in_order: bool) -> None:
    """P9: never truncated, and the scratch folder is left clean."""
    matrix = csr_matrix(make_counts(20, 8, dtype="f8"))
    at = matrix.indptr[13]
    matrix.data[at] = value
    place = f"source row 13, column {matrix.indices[at]}: value .* is not a count"
    with pytest.raises(InputError, match=place):
        write_blocks(matrix, tmp_path, position=np.arange(20)[:: 1 if in_order else -1])
    assert not (tmp_path / "scratch").exists() or not list((tmp_path / "scratch").iterdir())
    with pytest.raises(InputError, match="no complete counts"):
        open_counts(tmp_path / "counts")


def old_raw_counts(values: np.ndarray) -> np.ndarray | None:
    """The old rule: at most 1 % of all entries, zeros included, may be no integers; then cast."""
    is_raw = np.mean(values % 1 != 0) <= 0.01
    return values.astype(np.int64) if is_raw else None


def test_log_values_that_the_old_rule_took_for_counts(tmp_path: Path) -> None:
    """P9: zeros vouch for nothing; the old way turned log values into other integers."""
    values = np.zeros((40, 50))
    values[::4, 7] = np.log1p(5.0)
    truncated = old_raw_counts(values)
    assert truncated is not None
    assert truncated.sum() != 10 * 5
    with pytest.raises(InputError, match="is not a count"):
        write_blocks(csr_matrix(values), tmp_path)


def test_values_of_rows_that_are_not_kept_do_not_matter(tmp_path: Path) -> None:
    matrix = csr_matrix([[1.0, 0.0], [0.5, 2.0], [0.0, 3.0]])
    write_blocks(matrix, tmp_path, position=np.array([0, -1, 1]))
    np.testing.assert_array_equal(read_dense(tmp_path), [[1, 0], [0, 3]])


def test_a_sum_that_overflows_is_refused(tmp_path: Path) -> None:
    matrix = csr_matrix(np.array([[2**30, 2**30]], np.int64))
    write_blocks(matrix, tmp_path)
    with pytest.raises(InputError, match="sum of the columns of one gene 2147483648"):
        write_blocks(matrix, tmp_path, gene_index=np.zeros(2, np.int32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": np.array([0, 1, 1, 2])}, "place 1 is given to 2 rows"),
        ({"position": np.array([0, 1, 5, 2])}, "place 3 is given to 0 rows"),
        ({"position": np.arange(3)}, "a block of 4 rows begins at row 0"),
        ({"position": np.arange(5)}, "the blocks end at row 4 of 5"),
        ({"gene_index": np.array([0, 4, 1])}, "column 1 goes to gene 4 of 3"),
        ({"gene_index": np.array([0, 1])}, "3 columns, but gene_index has 2"),
    ],
)
def test_what_does_not_fit_together(
    tmp_path: Path, changes: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_blocks(make_counts(4, 3), tmp_path, **changes)


_MEASURE = """
import sys
from pathlib import Path
import anndata, h5py, numpy as np
from adata_assets.matrix.counts import write_counts
from adata_assets.matrix.source import open_source_matrix

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

way, path, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
before = peak()
if way == "dense":
    adata = anndata.read_h5ad(path)
    rows = np.random.default_rng(0).permutation(adata.n_obs)
    dense = adata.X.toarray()[rows]
else:
    with open_source_matrix(path, "X", scratch=out) as matrix:
        write_counts(
            matrix.iter_blocks(max_nonzeros=100_000),
            position=np.random.default_rng(0).permutation(matrix.n_obs),
            gene_index=np.arange(matrix.n_vars), n_genes=matrix.n_vars,
            path=out / "counts", scratch=out,
        )
print(peak() - before)
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    """P19: the old way makes everything dense; a shuffled stream takes a fraction of that."""
    rng = np.random.default_rng(0)
    n_obs, n_vars, per_row = 10_000, 6_000, 60
    columns = np.sort(rng.integers(0, n_vars // per_row, (n_obs, per_row)), axis=1)
    columns += np.arange(per_row) * (n_vars // per_row)
    indptr = np.arange(0, n_obs * per_row + 1, per_row)
    values = np.ones(n_obs * per_row, "f4")
    adata = make_adata(2, n_vars)
    matrix = csr_matrix((values, columns.ravel(), indptr), shape=(n_obs, n_vars))
    path = write_adata(type(adata)(matrix, var=adata.var), tmp_path / "a.h5ad")
    peaks = {}
    for way in ("dense", "streamed"):
        command = [sys.executable, "-c", _MEASURE, way, str(path), str(tmp_path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[way] = int(done.stdout)
    raise SystemError(peaks)
    assert peaks["streamed"] * 4 < peaks["dense"]
