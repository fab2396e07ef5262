"""Write an h5ad file of generated raw counts, block by block: any number of cells in little memory.

Run from the repository's root:

    python -m benchmarks.generate_cells cells.h5ad --n-obs 200000

Each cell draws its counts from the gene popularities of its cell type, which are as skewed as those
of real cells: few genes hold most counts, most genes are seen in few cells. The layout is that of
``AnnData.write_h5ad(compression="gzip")``. The same arguments give the same cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

OBS_PER_BLOCK = 2_000
# What h5py chooses for arrays of some hundred MB; a resizable array would get 1,024.
ITEMS_PER_CHUNK = 1 << 14
N_DONORS, N_CELL_TYPES, N_TISSUES, N_MT_GENES = 40, 12, 4, 13
# Popularities that spread like this give one gene per two counts, as shallow 10x data does.
POPULARITY_SIGMA, TYPE_SIGMA = 2.7, 0.8
COUNTS_PER_GENE = 2.0
MISSING_CELL_TYPE = 0.05


def make_popularity(n_vars: int, rng: np.random.Generator) -> np.ndarray:
    """Return cumulative gene probabilities, float64 ``(N_CELL_TYPES, n_vars)``."""
    base = rng.normal(0, POPULARITY_SIGMA, n_vars)
    rates = np.exp(base + rng.normal(0, TYPE_SIGMA, (N_CELL_TYPES, n_vars)))
    nuclear = rates[:, N_MT_GENES:]
    # Mitochondrial genes hold 4 % of the counts, so that few cells fail the rule on them.
    rates[:, :N_MT_GENES] *= (
        0.04 * nuclear.sum(1, keepdims=True) / rates[:, :N_MT_GENES].sum(1, keepdims=True)
    )
    return np.cumsum(rates / rates.sum(1, keepdims=True), axis=1)


def draw_block(
    cell_types: np.ndarray, popularity: np.ndarray, nonzeros_per_obs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row lengths, gene indices (rising in each row) and counts of some cells."""
    n_vars = popularity.shape[1]
    depth = rng.lognormal(np.log(COUNTS_PER_GENE * nonzeros_per_obs), 0.3, len(cell_types))
    n_counts = depth.astype(np.int64)
    rows = np.repeat(np.arange(len(cell_types)), n_counts)
    genes = np.empty(len(rows), np.int64)
    uniform = rng.random(len(rows))
    types = np.repeat(cell_types, n_counts)
    for cell_type in range(N_CELL_TYPES):
        own = types == cell_type
        genes[own] = np.searchsorted(popularity[cell_type], uniform[own])
    places, counts = np.unique(rows * n_vars + np.minimum(genes, n_vars - 1), return_counts=True)
    lengths = np.bincount(places // n_vars, minlength=len(cell_types))
    return lengths, (places % n_vars).astype(np.int32), counts.astype(np.float32)


def _resizable(group: h5py.Group, name: str, dtype: object) -> h5py.Dataset:
    found = group.create_dataset(
        name,
        shape=(0,),
        maxshape=(None,),
        dtype=dtype,
        chunks=(ITEMS_PER_CHUNK,),
        compression="gzip",
    )
    is_text = h5py.check_string_dtype(found.dtype) is not None
    encoding = "string-array" if is_text else "array"
    found.attrs.update({"encoding-type": encoding, "encoding-version": "0.2.0"})
    return found


def _append(dataset: h5py.Dataset, items: np.ndarray | list[str]) -> None:
    n_before = len(dataset)
    dataset.resize((n_before + len(items),))
    dataset[n_before:] = items


def _frame(file: h5py.File, name: str, columns: list[str]) -> h5py.Group:
    group = file.create_group(name)
    group.attrs.update(
        {"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"}
    )
    group.attrs["column-order"] = np.array(columns, dtype=h5py.string_dtype())
    return group


def _categorical(frame: h5py.Group, name: str, categories: list[str]) -> h5py.Dataset:
    group = frame.create_group(name)
    group.attrs.update(
        {"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False}
    )
    _append(_resizable(group, "categories", h5py.string_dtype()), categories)
    return _resizable(group, "codes", np.int8)


def _write_var(file: h5py.File, n_vars: int) -> None:
    var = _frame(file, "var", ["feature_name"])
    ids = _resizable(var, "_index", h5py.string_dtype())
    _append(ids, [f"ENSG{i:011d}" for i in range(n_vars)])
    symbols = [f"MT-{i}" if i < N_MT_GENES else f"GENE{i}" for i in range(n_vars)]
    _append(_resizable(var, "feature_name", h5py.string_dtype()), symbols)


def _open_obs(file: h5py.File) -> dict[str, tuple[h5py.Dataset, int]]:
    """Make the obs columns; each with the number of its categories."""
    names = {
        "donor_id": [f"donor{i:02d}" for i in range(N_DONORS)],
        "cell_type": [f"cell type {i}" for i in range(N_CELL_TYPES)],
        "tissue": [f"tissue {i}" for i in range(N_TISSUES)],
        "assay": ["10x 3' v2", "10x 3' v3"],
    }
    obs = _frame(file, "obs", list(names))
    return {name: (_categorical(obs, name, found), len(found)) for name, found in names.items()}


def _iter_sizes(n_obs: int) -> Iterator[tuple[int, int]]:
    for first in range(0, n_obs, OBS_PER_BLOCK):
        yield first, min(OBS_PER_BLOCK, n_obs - first)


def write_cells(
    path: Path, *, n_obs: int, n_vars: int, nonzeros_per_obs: int = 400, seed: int = 0
) -> int:
    """Write the file and return the number of its non-zeros.

    Parameters
    ----------
    nonzeros_per_obs
        About so many genes with a count per cell.
    """
    rng = np.random.default_rng(seed)
    popularity = make_popularity(n_vars, rng)
    n_nonzeros = 0
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        x.attrs["shape"] = np.array([n_obs, n_vars])
        data, indices = _resizable(x, "data", np.float32), _resizable(x, "indices", np.int32)
        indptr = _resizable(x, "indptr", np.int64)
        _append(indptr, np.zeros(1, np.int64))
        _write_var(file, n_vars)
        columns = _open_obs(file)
        obs_names = _resizable(file["obs"], "_index", h5py.string_dtype())
        for first, size in _iter_sizes(n_obs):
            drawn = {name: rng.integers(0, n, size) for name, (_, n) in columns.items()}
            lengths, genes, counts = draw_block(
                drawn["cell_type"], popularity, nonzeros_per_obs, rng
            )
            # Code -1 is a missing value; its counts are those of the type that nobody named.
            drawn["cell_type"][rng.random(size) < MISSING_CELL_TYPE] = -1
            for name, (codes, _) in columns.items():
                _append(codes, drawn[name].astype(np.int8))
            _append(obs_names, [f"cell-{i:09d}-1" for i in range(first, first + size)])
            _append(data, counts)
            _append(indices, genes)
            _append(indptr, n_nonzeros + np.cumsum(lengths))
            n_nonzeros += len(genes)
    return n_nonzeros


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--n-obs", type=int, default=50_000)
    parser.add_argument("--n-vars", type=int, default=20_000)
    parser.add_argument("--nonzeros-per-obs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    n_nonzeros = write_cells(
        given.path,
        n_obs=given.n_obs,
        n_vars=given.n_vars,
        nonzeros_per_obs=given.nonzeros_per_obs,
        seed=given.seed,
    )
    n_bytes = given.path.stat().st_size
    print(
        f"{given.path}: {given.n_obs} cells x {given.n_vars} genes, {n_nonzeros} non-zeros, "
        f"{n_bytes} bytes"
    )


if __name__ == "__main__":
    main()
