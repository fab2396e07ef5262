"""Raw files that cannot be used: a clear error, nothing left behind, what was published untouched.

One dataset is published; then its raw file is replaced by a bad one, or its spec asks for what the
file does not hold. What the errors say is part of the promise: thing, place, way out.
"""

from __future__ import annotations

import os
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pytest

import adata_assets.annotation.annotate
import adata_assets.annotation.store
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells
from adata_assets_tests.projects import footprint


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A published dataset; tests replace its raw file and never what was published."""
    folder = tmp_path_factory.mktemp("published")
    return Dataset.make(make_spec(write_cells(folder)), folder).succeed()


def folder_of(dataset: Dataset) -> Path:
    """Return the folder that holds the raw file, the storage and the scratch folder."""
    return Path(dataset.spec.source).parent


def again(dataset: Dataset, **fields: object) -> Dataset:
    """Return the same dataset with another spec, over the same storage and instance."""
    spec = make_spec(dataset.spec.source, **fields)
    return Dataset.make(spec, folder_of(dataset), dataset.instance)


def require_refused(dataset: Dataset, *words: str, stored: tuple[str, ...] = ()) -> None:
    """Materialize; require an error with all words, and that only ``stored`` stages changed."""
    places = (folder_of(dataset) / "storage", folder_of(dataset) / "scratch")
    before = footprint(*places)
    errors = dataset.fail()
    for word in words:
        assert word in errors
    after = footprint(*places)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    allowed = tuple(f"storage/{dataset.spec.dataset_id}/{stage}" for stage in stored)
    left = sorted(path for path in changed if not path.startswith(allowed or "-"))
    assert not left
    assert not [path for path in after if "/.draft-" in path or path.startswith("scratch/")]


def write_text(path: Path) -> None:
    path.write_text("cell,gene\n")


def truncate(path: Path) -> None:
    write_cells(path.parent)
    os.truncate(path, path.stat().st_size - 1000)


def link_out(path: Path) -> None:
    write_cells(path.parent)
    with h5py.File(path, "r+") as file:
        del file["obs/tissue"]
        file["obs/tissue"] = h5py.ExternalLink("/etc/hostname", "/")


def store_outside(path: Path) -> None:
    write_cells(path.parent)
    (path.parent / "outside.bin").write_bytes(bytes(800))
    with h5py.File(path, "r+") as file:
        outside = [(str(path.parent / "outside.bin"), 0, 800)]
        file["uns"].create_dataset("more", (100,), dtype="f8", external=outside)


def forget_obs(path: Path) -> None:
    write_cells(path.parent)
    with h5py.File(path, "r+") as file:
        del file["obs"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (write_text, ("raw.h5ad is not HDF5", "b'cell,gen'", "give an .h5ad file")),
        (truncate, ("raw.h5ad is truncated", "bytes as its header says", "copy it again")),
        (
            link_out,
            ("/obs/tissue is a link out of the file", "/etc/hostname", "write the file again"),
        ),
        (store_outside, ("/uns/more keeps its values in another file", "outside.bin", "write the")),
        (forget_obs, ("raw.h5ad has no 'obs'", "give an .h5ad file")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_unsafe_files_are_refused_before_they_are_read(published, spoil, words):
    spoil(Path(published.spec.source))
    require_refused(published, "cells/raw_h5ad", *words)


def without_counts(adata: ad.AnnData) -> None:
    adata.X = adata.X.multiply(0.37).tocsr()


def repeat_ids(adata: ad.AnnData) -> None:
    adata.obs_names = ["cell00000", *adata.obs_names[:1], *adata.obs_names[2:]]


def no_cells(adata: ad.AnnData) -> None:
    adata._inplace_subset_obs(np.zeros(adata.n_obs, bool))


def reserved_id(adata: ad.AnnData) -> None:
    adata.obs_names = ["omics:1", *adata.obs_names[1:]]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_counts, ("raw.h5ad holds no raw counts", "X, cell 0: value", "layers['counts']")),
        (repeat_ids, ("2 cells share their obs name", "cell00000", "obs_names_make_unique")),
        (no_cells, ("raw.h5ad holds no cells",)),
        (reserved_id, ("'omics:1' at row 0", "reserve")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_cells_that_cannot_be_used_are_named(published, spoil, words):
    """P2, P9: equal ids and values that are no counts stop the dataset, never silently."""
    adata = make_cells()
    spoil(adata)
    write_cells(folder_of(published), adata)
    require_refused(published, "cells/annotated_obs", *words, stored=("raw_h5ad",))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"keys": {"caption": "text"}},
            ("keys.caption names", "'text'", "obs columns are", "tissue"),
        ),
        ({"keys": {"group": "patient"}}, ("keys.group names", "'patient'", "donor_id")),
        ({"keys": {"totals": "score"}}, ("keys.totals", "'score'", "row ", "positive integers")),
        ({"qc": {"min_genes": 10**6}}, ("no cells are left of 60", "min_genes", "under qc")),
        ({"splits": {"split_by": "group"}, "keys": {"group": "tissue"}}, ("1 ", "split_by")),
    ],
    ids=["caption", "group", "totals", "qc", "too_few_groups"],
)
def test_what_the_spec_asks_for_must_be_in_the_file(published, fields, words):
    write_cells(folder_of(published))
    dataset = again(published, **fields)
    require_refused(dataset, "cells/annotated_obs", *words, stored=("raw_h5ad",))


def test_more_chunks_than_cells_that_are_left(tmp_path):
    fields = {"chunks": {"count": 9}, "embedders": (), "format": "single"}
    splits = {"train": 1, "validation": 0, "test": 0, "split_by": "cell"}
    adata = make_cells()
    adata.obs["is_primary_data"] = np.arange(adata.n_obs) < 6
    dataset = Dataset.make(
        make_spec(write_cells(tmp_path, adata), splits=splits, **fields), tmp_path
    )
    head = ("raw_h5ad", "annotated_obs", "counts", "gene_stats")
    words = ("9 chunks cannot hold 6 cells in 1 splits", "set chunks.count between 1 and 6")
    (tmp_path / "storage" / "cells").mkdir(parents=True)
    for stage in ("cell_texts", "chunk_files"):
        for key in dataset.graph.chunk_keys:
            (tmp_path / "storage" / "cells" / stage / key).mkdir(parents=True)
    require_refused(dataset, *words, stored=head)


def change_after(patch: pytest.MonkeyPatch, module: object, function: str, path: Path) -> None:
    """Let another file stand at ``path`` once a function has returned for the first time."""
    original = getattr(module, function)

    def changing(*args, **options):
        result = original(*args, **options)
        write_cells(path.parent, make_cells(seed=1))
        return result

    patch.setattr(module, function, changing)


@pytest.mark.parametrize(
    ("module", "function", "stage", "moment", "stored"),
    [
        (adata_assets.annotation.annotate, "annotate", "annotated_obs", "after", ("raw_h5ad",)),
        (
            adata_assets.annotation.store,
            "write_annotated",
            "counts",
            "before",
            ("raw_h5ad", "annotated_obs", "ledger"),
        ),
    ],
    ids=["during a pass", "between two passes"],
)
def test_a_source_that_changes_while_it_is_read(
    published, monkeypatch, module, function, stage, moment, stored
):
    source = Path(published.spec.source)
    write_cells(source.parent)
    with monkeypatch.context() as patch:
        # The seed makes annotation stale although the raw file is the published one again.
        dataset = again(published, seed=7)
        change_after(patch, module, function, source)
        words = (
            f"cells/{stage}",
            "raw.h5ad",
            f"content changed {moment}",
            "materialize the dataset",
        )
        require_refused(dataset, *words, stored=stored)
    # The way out that the error names.
    again(published, seed=7).succeed()
