"""Spaces through the graph: one dataset in the space of another, and never two spaces in one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import dagster as dg
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.embedders.base.apply import find_space_breaches
from adata_assets.freshness import DatasetGraph, find_stale
from adata_assets.project import with_resources
from adata_assets.resources import StorageResource
from adata_assets.runs import Run, execute
from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells

KEYS = ("0001-of-0002", "0002-of-0002")
TEST_ONLY = {"train": 0, "validation": 0, "test": 1, "split_by": "cell"}
THEIRS = np.random.default_rng(3).normal(size=(60, 4)).astype(np.float16)


def spec_of_exam(source: Path) -> DatasetSpec:
    """Return a dataset without train cells: two spaces of ``cells``, and vectors of its own."""
    return make_spec(
        source,
        dataset_id="exam",
        chunks={"count": 2},
        splits=TEST_ONLY,
        embedders=(
            {"name": "pca", "method": "pca", "n_dims": 5, "artefact": {"dataset": "cells"}},
            {"name": "genes", "method": "hvg", "artefact": {"dataset": "cells", "name": "hvg"}},
            {"name": "theirs", "method": "precomputed", "obsm": "X_theirs"},
        ),
    )


def make_both(specs: list[DatasetSpec], root: Path) -> list[Dataset]:
    """Build datasets of one project over one storage and one instance."""
    alone = [Dataset.make(spec, root) for spec in specs]
    resource = StorageResource(root=str(root / "storage"), scratch=str(root / "scratch"))
    defs = with_resources(dg.Definitions.merge(*map(build_dataset_defs, specs)), resource)
    first = alone[0]
    return [
        Dataset(spec, DatasetGraph(defs, spec.dataset_id), first.storage, first.instance)
        for spec in specs
    ]


def vectors_of(dataset: Dataset, name: str) -> pd.DataFrame:
    """Return the vectors of all cells by id."""
    tables = [
        read_table(dataset.load(f"embeddings/{name}", key).local("embedding.parquet"))
        for key in dataset.graph.chunk_keys
    ]
    return pd.concat(tables).set_index("sample_idx")["embedding"]


def reasons_of(dataset: Dataset) -> dict[str, str]:
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    return {node.name: reason for node, reason in stale.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two raw files of the same cells; one of them has vectors of its own."""
    folder = tmp_path_factory.mktemp("spaces")
    adata = make_cells()
    write_cells(folder, adata, "cells.h5ad")
    adata.obsm["X_theirs"] = THEIRS
    write_cells(folder, adata, "exam.h5ad")
    return folder


@dataclass(frozen=True)
class Pair:
    """The dataset ``cells``, ``exam`` in its spaces, and what was said before there were any."""

    cells: Dataset
    exam: Dataset
    reasons: dict[str, str]
    errors: str


@pytest.fixture(scope="module")
def both(folder: Path) -> Pair:
    """The second dataset was asked for first, which failed; then both in turn."""
    specs = [make_spec(folder / "cells.h5ad"), spec_of_exam(folder / "exam.h5ad")]
    cells, exam = make_both(specs, folder / "root")
    reasons, errors = reasons_of(exam), exam.fail()
    return Pair(cells.succeed(), exam.succeed(), reasons, errors)


def test_without_the_other_datasets_model_it_is_said_what_to_do(both):
    reasons, errors = both.reasons, both.errors
    assert (
        reasons["models/pca"] == "needs cells/models/pca: run adata-assets materialize cells first"
    )
    assert reasons["models/theirs"] == "missing"
    assert "exam/models/genes: cells/models/hvg is not in" in errors
    assert "materialize it first (adata-assets materialize cells)" in errors
    assert "models/theirs" not in errors


def test_lineage_leads_to_the_other_dataset(both):
    node = both.exam.graph.defs.resolve_asset_graph().get(dg.AssetKey(["exam", "models", "genes"]))
    assert node.parent_keys == {dg.AssetKey(["cells", "models", "hvg"])}


@pytest.mark.parametrize(("name", "theirs"), [("pca", "pca"), ("genes", "hvg")])
def test_equal_cells_have_equal_vectors(both, name, theirs):
    cells, exam = both.cells, both.exam
    ours, reference = vectors_of(exam, name), vectors_of(cells, theirs)
    assert len(ours) == len(reference) > 40
    np.testing.assert_allclose(
        np.stack(ours), np.stack(reference.loc[ours.index]), rtol=0, atol=1e-6
    )


def test_the_model_is_the_same_and_says_where_it_comes_from(both):
    cells, exam = both.cells, both.exam
    given, taken = cells.load("models/hvg"), exam.load("models/genes")
    assert taken.data_version == given.data_version
    assert taken.files == given.files
    assert taken.inputs == {"cells/models/hvg": given.data_version}
    assert taken.metadata["origin"]["generation"] == given.generation
    for key in KEYS:
        embedding = exam.load("embeddings/genes", key)
        assert embedding.metadata["fit_scope"] == "other_dataset"
        assert embedding.metadata["gene_match"] == 1
        assert embedding.generation["counts"] == exam.load("counts").data_version
        assert find_space_breaches(embedding, taken) == ([], 1)
    card = (exam.published / "README.md").read_text()
    lines = {line[:8]: line for line in card.splitlines() if line.startswith("- `X_")}
    assert lines["- `X_gen"].endswith("fitted on another dataset")
    assert lines["- `X_the"].endswith("a model from elsewhere, not fitted here")
    assert given.data_version in lines["- `X_gen"]


def test_precomputed_vectors_of_the_source_are_published(both):
    exam = both.exam
    found = vectors_of(exam, "theirs")
    rows = [int(name.removeprefix("cell")) for name in found.index]
    assert np.array_equal(np.stack(found), THEIRS[rows].astype(np.float32))
    assert set(exam.load("models/theirs").inputs) == {
        *("annotated_obs", "counts", "gene_stats", "raw_h5ad")
    }
    assert exam.load("embeddings/theirs", KEYS[0]).metadata["gene_match"] is None


def test_both_are_fresh(both):
    assert [both.cells.materialize(), both.exam.materialize()] == [[], []]


def test_a_changed_chunk_of_another_space_is_refused(both, tmp_path):
    """The YAML names another model; until all chunks are in its space nothing is published."""
    cells = both.cells
    folders = {name: str(cells.load(f"models/{name}").local_folder) for name in ("pca", "hvg")}
    hashes = {name: cells.load(f"models/{name}").data_version for name in folders}
    other = _fit_elsewhere(tmp_path)

    def spec(path: str, sha256: str) -> DatasetSpec:
        artefact = {"path": path, "sha256": sha256}
        embedders = ({"name": "pca", "method": "pca", "artefact": artefact},)
        source = Path(cells.spec.sources[0].uri)
        return make_spec(source, dataset_id="mixed", chunks={"count": 2}, splits=TEST_ONLY,
                         embedders=embedders)  # fmt: skip

    mixed = Dataset.make(spec(folders["pca"], hashes["pca"]), tmp_path).succeed()
    assert mixed.load("models/pca").data_version == hashes["pca"]
    assert mixed.load("models/pca").inputs == {}
    edited = Dataset.make(spec(*other), tmp_path, mixed.instance)
    chunk = ("embeddings/pca", "chunk_files", "share_links")
    for run in (Run("mixed", ("models/pca",)), Run("mixed", chunk, KEYS[0])):
        assert execute(edited.graph.defs, edited.instance, run).errors == ()
    breaches, _ = find_space_breaches(
        edited.load("embeddings/pca", KEYS[1]), edited.load("models/pca")
    )
    assert "two spaces would be mixed" in breaches[0]
    (error,) = execute(edited.graph.defs, edited.instance, Run("mixed", ("hf_splits",))).errors
    assert "generations are mixed" in error
    assert other[1][:12] in error
    assert hashes["pca"][:12] in error
    edited.succeed()
    wrong = Dataset.make(spec(folders["hvg"], hashes["hvg"]), tmp_path, mixed.instance)
    assert "the model of" in (error := wrong.fail())
    assert "is of hvg" in error


def _fit_elsewhere(folder: Path) -> tuple[str, str]:
    """Return folder and hash of a model of other cells."""
    source = write_cells(folder, make_cells(seed=9), "elsewhere.h5ad")
    other = Dataset.make(make_spec(source, dataset_id="elsewhere"), folder)
    stages = ("raw_h5ad", "annotated_obs", "counts", "gene_stats", "models/pca")
    assert execute(other.graph.defs, other.instance, Run("elsewhere", stages)).errors == ()
    model = other.load("models/pca")
    return str(model.local_folder), model.data_version


def test_other_train_cells_give_another_model_and_the_other_dataset_follows(both, folder):
    """Values of train cells change, those of the test-only dataset do not."""
    cells, exam = both.cells, both.exam
    before: dict[str, Any] = {name: cells.load(f"models/{name}") for name in ("pca", "hvg")}
    taken = exam.load("models/genes").data_version
    adata = ad.read_h5ad(folder / "cells.h5ad")
    obs = read_table(cells.load("annotated_obs").local("obs.parquet"))
    counts, is_train = adata.X.toarray(), obs["split"].eq("train").to_numpy()
    counts[is_train, 2:] = counts[is_train, :1:-1]
    adata.X = sp.csr_matrix(counts)
    adata.write_h5ad(folder / "cells.h5ad")
    cells.succeed()
    for name, model in before.items():
        assert cells.load(f"models/{name}").data_version != model.data_version
    assert reasons_of(exam)["models/genes"] == "stale: cells/models/hvg changed"
    assert exam.load("models/genes").data_version == taken
    ran = {stage for outcome in exam.materialize() for stage in outcome.run.stages}
    assert ran >= {"models/pca", "models/genes", "embeddings/genes", "hf_splits"}
    assert not ran & {"counts", "models/theirs", "embeddings/theirs"}
    assert exam.load("models/genes").data_version == cells.load("models/hvg").data_version
    assert both.exam.materialize() == []
