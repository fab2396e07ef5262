"""The number of chunks changes names and links only; a second run changes nothing at all.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with the two files below, they are tried as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.promises.families import MIXED, donor_cells, donor_spec, make
from adata_assets_tests.promises.published import LINKS, bytes_of, obsm_of, read_rows, values_of

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
CASES = ("generated", *(("pbmc3k", "covid") if REAL_DATA else ()))
CHUNKS = (3, 5, 9)
Runs = tuple[str, dict[int, Dataset], Dataset]


def _generated(folder: Path, **fields: object) -> DatasetSpec:
    return donor_spec(write_cells(folder, donor_cells()), negatives=MIXED, **fields)


def _real(file: str, splits: dict[str, object], **fields: object) -> DatasetSpec:
    embedders = (
        {"name": "pca", "method": "pca"},
        {"name": "hvg", "method": "hvg", "n_genes": 200},
    )
    return make_spec(
        Path(str(REAL_DATA)) / file,
        splits=splits,
        qc={},
        embedders=embedders,
        sentences={"length": 100},
        n_top_genes=2000,
        share={"store": "local", "base_url": "http://127.0.0.1:8765"},
        **fields,
    )


def _pbmc3k(folder: Path, **fields: object) -> DatasetSpec:
    by_cell = {"train": 0.8, "validation": 0.1, "test": 0.1, "split_by": "cell"}
    return _real("pbmc3k_raw.h5ad", by_cell, **fields)


def _covid(folder: Path, **fields: object) -> DatasetSpec:
    by_donor = {"train": 0.9, "validation": 0.1, "test": 0}
    keys = {"group": "donor_id"}
    return _real("covid_balf_liao2020.h5ad", by_donor, keys=keys, **fields)


SPECS: dict[str, Callable[..., DatasetSpec]] = {
    "generated": _generated,
    "pbmc3k": _pbmc3k,
    "covid": _covid,
}


@pytest.fixture(scope="module", params=CASES)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The dataset of one case for every number of chunks, and the first once more elsewhere."""

    def run(n_chunks: int) -> Dataset:
        root = tmp_path_factory.mktemp(f"{request.param}-{n_chunks}")
        spec = SPECS[request.param](root, chunks={"count": n_chunks})
        return make(spec, root)

    if request.param == "generated":
        own = {n: run(n) for n in (3, 9)} | {5: request.getfixturevalue("donors_in_five")}
        return request.param, own, request.getfixturevalue("donors")
    return request.param, {n: run(n) for n in CHUNKS}, run(CHUNKS[0])


def test_values_do_not_depend_on_the_chunks(runs: Runs) -> None:
    """P3, P4, C6: rows without links, order, counts, obs and var are equal for 3, 5 and 9 chunks."""
    _, datasets, _ = runs
    first, *others = [values_of(datasets[n]) for n in CHUNKS]
    for other in others:
        assert other == first


def test_embeddings_do_not_depend_on_the_chunks(runs: Runs) -> None:
    """P4, S9: obsm of every cell agrees to 1e-6."""
    case, datasets, _ = runs
    first, *others = [obsm_of(datasets[n]) for n in CHUNKS]
    for other in others:
        assert sorted(other) == sorted(first) == ["X_hvg", "X_pca"]
        for key, expected in first.items():
            np.testing.assert_allclose(other[key], expected, rtol=0, atol=1e-6)
            print(f"{case} {key}: largest difference {np.abs(other[key] - expected).max():g}")


def test_chunk_names_and_links_do_differ(runs: Runs) -> None:
    """S12: the comparison above is of really different files."""
    _, datasets, _ = runs
    links = [
        set(rows[k]) for n in CHUNKS for rows in read_rows(datasets[n]).values() for k in LINKS
    ]
    assert sum(map(len, links)) == 2 * sum(CHUNKS) == len(set().union(*links))


def test_a_second_run_elsewhere_gives_the_same_bytes(runs: Runs) -> None:
    """C11, P3: parquet, card, h5ad and zarr zip are byte-identical in another root."""
    _, datasets, again = runs
    first = datasets[CHUNKS[0]]
    assert first.storage.root != again.storage.root
    found = bytes_of(first)
    assert found == bytes_of(again)
    suffixes = [".parquet", ".h5ad", ".zarr.zip", "README.md"]
    assert all(any(name.endswith(suffix) for name in found) for suffix in suffixes)


def test_every_raw_cell_is_accounted_for(runs: Runs) -> None:
    """P2, P5: the ledger sums to the raw cells; no group is in two splits."""
    case, datasets, _ = runs
    annotated = datasets[CHUNKS[0]].load("annotated_obs")
    ledger = read_table(datasets[CHUNKS[0]].load("ledger").local("ledger.parquet"))
    sizes = {split: len(rows) for split, rows in read_rows(datasets[CHUNKS[0]]).items()}
    published = ledger[ledger["outcome"] == "published"].set_index("rule")["n_obs"].to_dict()
    assert published == sizes == annotated.metadata["split_sizes"]
    assert ledger["n_obs"].sum() == annotated.metadata["n_raw"]
    print(f"{case}: {ledger.set_index('rule')['n_obs'].to_dict()}")
    obs = read_table(annotated.local("obs.parquet"), ["group", "split"]).dropna()
    if annotated.metadata["split_by"] == "group":
        assert obs.groupby("group")["split"].nunique().eq(1).all()
    if case == "covid":
        assert obs.groupby("split")["group"].unique().map(sorted).to_dict() == {
            "train": ["S3", "S5"],
            "validation": ["M3"],
        }
