"""Refreshes by the command: what depends on a change runs, each once; the old rows stay until then.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with covid's file, that is tried as well.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import pytest
from datasets import load_dataset

from adata_assets.artefact import name_of
from adata_assets.chunk import files as chunk_files
from adata_assets.spec import DatasetSpec
from adata_assets_tests.datasets import Dataset, make_spec, write_cells
from adata_assets_tests.promises.families import donor_cells, donor_spec, make
from adata_assets_tests.promises.published import (
    LINKS,
    bytes_of,
    linked_file,
    read_all_rows,
)

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
CASES = ("generated", *(("covid",) if REAL_DATA else ()))
N_NEW = 200
HVG = {"name": "hvg", "method": "hvg", "n_genes": 20}
HEAD = ("raw_h5ad", "annotated_obs", "ledger", "counts", "gene_stats", "leakage")
PER_CHUNK = ("cell_texts", "chunk_files", "share_links")
COLLECTORS = ("embedding_scorecard", "hf_splits")


def _generated(source: Path) -> DatasetSpec:
    splits = {"train": 0.7, "validation": 0.3, "test": 0, "split_by": "group"}
    return donor_spec(source, chunks={"count": 2}, splits=splits, embedders=(HVG,))


def _covid(source: Path) -> DatasetSpec:
    return make_spec(
        source,
        chunks={"count": 4},
        splits={"train": 0.9, "validation": 0.1, "test": 0},
        keys={"group": "donor_id"},
        qc={},
        embedders=({"name": "pca", "method": "pca"}, {**HVG, "n_genes": 200}),
        sentences={"length": 100},
        n_top_genes=2000,
    )


def _covid_cells() -> ad.AnnData:
    return ad.read_h5ad(Path(str(REAL_DATA)) / "covid_balf_liao2020.h5ad")


CELLS: dict[str, Callable[[], ad.AnnData]] = {
    "generated": lambda: donor_cells(3 * N_NEW, 60),
    "covid": _covid_cells,
}
SPECS: dict[str, Callable[[Path], DatasetSpec]] = {"generated": _generated, "covid": _covid}


# By numbers of embedders and of chunks: 7 + 2 x 4 + 2 and 8 + 4 x 5 + 2.
N_EXPECTED = {(1, 2): 17, (2, 4): 30}


@dataclass
class Refreshed:
    """A dataset whose file grows; the last cells of ``cells`` are not in it yet."""

    cells: ad.AnnData
    source: Path
    dataset: Dataset
    n_held_back: int

    def append(self) -> None:
        """Write the file anew with `N_NEW` more cells at its end."""
        self.n_held_back -= N_NEW
        _write(self.cells, self.source, self.n_held_back)

    def ran(self) -> Counter[str]:
        """How often each asset and partition was materialized on the instance."""
        graph, found = self.dataset.graph, Counter[str]()
        for stage in graph.stages:
            records = self.dataset.instance.fetch_materializations(graph.key_of(stage), limit=999)
            found.update(name_of(stage, r.partition_key) for r in records.records)
        return found

    @property
    def n_raw(self) -> int:
        """How many raw cells the dataset was last made of."""
        return int(self.dataset.load("annotated_obs").metadata["n_raw"])


def _write(cells: ad.AnnData, source: Path, n_held_back: int) -> None:
    # Beside it and renamed: an HDF5 file is not written in place.
    write_cells(source.parent, cells[: cells.n_obs - n_held_back].copy(), "next.h5ad")
    os.replace(source.parent / "next.h5ad", source)


@pytest.fixture(scope="module", params=CASES)
def refreshed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Refreshed:
    """A dataset that is up to date; each test leaves it so."""
    root = tmp_path_factory.mktemp(f"refreshed-{request.param}")
    cells, source = CELLS[request.param](), root / "raw.h5ad"
    n_held_back = 2 * N_NEW
    _write(cells, source, n_held_back)
    return Refreshed(cells, source, make(SPECS[request.param](source), root), n_held_back)


def each_once(dataset: Dataset) -> Counter[str]:
    """Return one for every asset and partition.

    6 head stages and a model per embedder; 3 stages and an embedding per embedder in each chunk;
    2 collectors.
    """
    names = [embedder.name for embedder in dataset.spec.embedders]
    head = [*HEAD, *(f"models/{name}" for name in names)]
    per_chunk = [*PER_CHUNK, *(f"embeddings/{name}" for name in names)]
    keys = dataset.graph.chunk_keys
    expected = Counter([*head, *COLLECTORS, *(f"{s}@{key}" for s in per_chunk for key in keys)])
    assert expected.total() == N_EXPECTED[len(names), len(keys)]
    return expected


def _full_for(bad: str) -> Callable[..., None]:
    """Return a writer whose disk is full when it comes to one chunk."""
    write = chunk_files.write_chunk_zarr_zip

    def write_or_fail(adata: ad.AnnData, path: Path, **options: Path) -> None:
        if bad in path.parts:
            raise OSError(f"no room left for {path.name}")
        write(adata, path, **options)

    return write_or_fail


def _published(found: dict[str, str]) -> dict[str, str]:
    return {name: sha256 for name, sha256 in found.items() if name.startswith("hf_splits/")}


def _require_readable(dataset: Dataset, n_rows: int, cache: Path) -> None:
    """Read the published folder as a stranger does, to the files that its rows link to."""
    loaded = load_dataset(str(dataset.published), cache_dir=str(cache))
    assert sum(loaded.num_rows.values()) == n_rows
    rows = read_all_rows(dataset)
    assert all(linked_file(dataset, url).is_file() for kind in LINKS for url in rows[kind].unique())


def test_a_file_that_was_only_touched_runs_nothing(refreshed: Refreshed) -> None:
    before, published = refreshed.ran(), bytes_of(refreshed.dataset)
    os.utime(refreshed.source)
    assert refreshed.dataset.materialize() == []
    assert refreshed.ran() == before
    assert bytes_of(refreshed.dataset) == published


def test_new_cells_run_all_that_depends_on_them_once(refreshed: Refreshed) -> None:
    """Slices shift, so every chunk runs, not only the last: 17 materializations, of covid 30."""
    before, n_raw = refreshed.ran(), refreshed.n_raw
    refreshed.append()
    refreshed.dataset.succeed()
    ran = refreshed.ran() - before
    assert ran == each_once(refreshed.dataset)
    assert refreshed.n_raw == n_raw + N_NEW
    assert refreshed.dataset.materialize() == []
    print(f"{refreshed.n_raw} cells: {ran.total()} materializations of {len(ran)} nodes")


def test_a_chunk_that_fails_keeps_the_old_rows_and_one_command_recovers(
    refreshed: Refreshed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset, before = refreshed.dataset, refreshed.ran()
    old_bytes, old_rows = bytes_of(dataset), read_all_rows(dataset)
    bad = dataset.graph.chunk_keys[1]
    refreshed.append()
    with monkeypatch.context() as patch:
        patch.setattr(chunk_files, "write_chunk_zarr_zip", _full_for(bad))
        assert "no room left" in dataset.fail()
    behind = {f"chunk_files@{bad}", f"share_links@{bad}", "hf_splits"}
    expected = each_once(dataset)
    assert refreshed.ran() - before == Counter({n: 1 for n in expected if n not in behind})
    assert _published(old_bytes).items() <= bytes_of(dataset).items()
    _require_readable(dataset, len(old_rows), tmp_path / "old")
    between = refreshed.ran()
    dataset.succeed()
    assert refreshed.ran() - between == Counter(behind)
    assert refreshed.ran() - before == expected
    assert _published(bytes_of(dataset)) != _published(old_bytes)
    _require_readable(dataset, len(read_all_rows(dataset)), tmp_path / "new")
