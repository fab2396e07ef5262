"""Small generated matrices and files that several tests share."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import zarr
from scipy.sparse import csc_matrix, csr_matrix

from adata_assets.matrix.counts import CountsSummary, open_counts, write_counts

FORMATS = {"csr": csr_matrix, "csc": csc_matrix, "dense": lambda matrix: matrix.toarray()}


def make_counts(n_obs: int, n_vars: int, *, seed: int = 0, dtype: str = "f4") -> csr_matrix:
    """Return counts of which two thirds are zero, with empty rows and columns among them."""
    rng = np.random.default_rng(seed)
    values = rng.geometric(0.4, (n_obs, n_vars)) * (rng.random((n_obs, n_vars)) < 0.33)
    values[:: max(n_obs // 3, 1)] = 0
    values[:, :1] = 0
    return csr_matrix(values.astype(dtype))


def make_adata(n_obs: int = 40, n_vars: int = 12, *, encoding: str = "csr") -> ad.AnnData:
    """Return an AnnData with different counts in X, raw/X and two layers."""
    to_format = FORMATS[encoding]
    obs = pd.DataFrame(
        {
            "donor_id": pd.Categorical(["a", "b"] * (n_obs // 2)),
            "note": ["x", None] * (n_obs // 2),
            "caption": [f"cell {i}" for i in range(n_obs)],
            "score": np.linspace(0, 1, n_obs),
        },
        index=[f"cell{i}" for i in range(n_obs)],
    )
    var = pd.DataFrame({"symbol": [f"G{i}" for i in range(n_vars)]})
    var.index = [f"ENSG{i}" for i in range(n_vars)]
    raw = ad.AnnData(to_format(make_counts(n_obs, n_vars, seed=1)), obs=obs, var=var)
    adata = ad.AnnData(to_format(make_counts(n_obs, n_vars)), obs=obs, var=var)
    adata.raw = raw
    adata.layers["counts"] = to_format(make_counts(n_obs, n_vars, seed=2, dtype="i8"))
    adata.layers["another"] = to_format(make_counts(n_obs, n_vars, seed=3, dtype="f8"))
    return adata


def write_adata(adata: ad.AnnData, path: Path, **options: object) -> Path:
    """Write with anndata's own writer and return the path."""
    adata.write_h5ad(path, **options)
    return path


def write_zarr(adata: ad.AnnData, path: Path, *, zarr_format: int = 3, chunks: int = 0) -> Path:
    """Write with anndata's own writer; `chunks` sets the length of chunks of X where it is CSR."""
    with warnings.catch_warnings(), ad.settings.override(zarr_write_format=zarr_format):
        # About what the next release of anndata will do, and consolidated metadata.
        warnings.simplefilter("ignore")
        adata.write_zarr(path)
        if chunks:
            group = zarr.open_group(path, use_consolidated=False)["X"]
            for name in ("data", "indices", "indptr"):
                values = group[name][...]
                del group[name]
                group.create_array(name, data=values, chunks=(chunks,))
    return path


def cut(matrix: csr_matrix, n_rows: int) -> Iterator[tuple[int, csr_matrix]]:
    """Yield a matrix as blocks of so many rows."""
    for first in range(0, matrix.shape[0], n_rows):
        yield first, matrix[first : first + n_rows]


def write_blocks(
    matrix: csr_matrix,
    folder: Path,
    *,
    position: np.ndarray | None = None,
    gene_index: np.ndarray | None = None,
    n_genes: int | None = None,
    rows_per_block: int = 7,
) -> CountsSummary:
    """Write with defaults: every row in its place, every column its own gene."""
    n_rows, n_columns = matrix.shape
    shutil.rmtree(folder / "counts", ignore_errors=True)
    return write_counts(
        cut(matrix, rows_per_block),
        position=np.arange(n_rows) if position is None else position,
        gene_index=np.arange(n_columns) if gene_index is None else gene_index,
        n_genes=n_columns if n_genes is None else n_genes,
        path=folder / "counts",
        scratch=folder / "scratch",
    )


def read_dense(folder: Path) -> np.ndarray:
    counts = open_counts(folder / "counts")
    return counts.rows(0, counts.n_obs).toarray()
