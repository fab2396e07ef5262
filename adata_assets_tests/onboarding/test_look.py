"""A look into a file: what a person would want to know first, from awkward files too."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.errors import InputError
from adata_assets.matrix.header import list_obsm
from adata_assets.onboarding.columns import ColumnLook, describe_columns
from adata_assets.onboarding.look import look_at_source, look_into
from adata_assets.onboarding.proposal import propose
from adata_assets.onboarding.roles import find_roles
from adata_assets.spec import DatasetSpec
from adata_assets_tests.annotation.small_files import Column, SmallFile, write_small
from adata_assets_tests.datasets import make_cells, write_cells
from adata_assets_tests.matrix.files import write_zarr

DEMO = "package://scanpy/datasets/10x_pbmc68k_reduced.h5ad"


@pytest.fixture(scope="module")
def demo_look():
    """The look into the file that ships with scanpy."""
    return look_at_source(DEMO)


def test_the_demo_needs_its_totals(demo_look):
    assert demo_look.counts.place.slot == "raw/X"
    assert demo_look.counts.place.form == "log1p"
    assert demo_look.counts.totals == "n_counts"
    assert [matrix.slot for matrix in demo_look.matrices] == ["raw/X", "X"]
    assert [matrix.encoding for matrix in demo_look.matrices] == ["csr", "dense"]


def test_the_demo_has_labels_and_no_donor(demo_look):
    assert demo_look.roles["cell_type"] == "bulk_labels"
    assert demo_look.roles["donor"] is None
    assert demo_look.obsm == {"X_pca": (700, 50), "X_umap": (700, 2)}
    assert (demo_look.genes.species, demo_look.genes.species_by) == ("human", "symbols")
    assert not demo_look.problems


def test_everything_is_plain_json(demo_look):
    told = json.loads(json.dumps(demo_look.to_json(), allow_nan=False))
    assert told["n_obs"] == 700
    assert told["counts"]["place"] == {"slot": "raw/X", "form": "log1p"}
    labels = next(column for column in told["columns"] if column["name"] == "bulk_labels")
    assert labels["levels"][0] == ["Dendritic", 240]


def test_the_demo_is_proposed_as_it_ships(demo_look):
    attributes = propose(demo_look, source=DEMO).attributes
    spec = DatasetSpec(dataset_id="mine", **attributes)
    assert (spec.keys.cell_type, spec.keys.totals) == ("bulk_labels", "n_counts")
    assert (spec.format, spec.splits.split_by, spec.species) == ("multiplets", "cell", "human")
    assert attributes["source"] == DEMO


def test_columns_are_described():
    obs = pd.DataFrame(
        {
            "label": pd.Categorical(["a", "b", None, "unknown"], categories=["a", "b", "unknown"]),
            "depth": [1, 2, 3, 3],
            "share": [0.5, np.nan, 0.25, 1.0],
            "nothing": [np.nan] * 4,
            "is_ok": [True, False, True, True],
            "contact": ["a@b.org", "c@d.org", "c@d.org", None],
        }
    )
    found = {column.name: column for column in describe_columns(obs)}
    assert (found["label"].kind, found["label"].n_distinct, found["label"].n_missing) == (
        "category",
        2,
        2,
    )
    assert found["depth"].value_range == (1.0, 3.0)
    assert (found["share"].kind, found["share"].n_missing) == ("number", 1)
    assert (found["nothing"].kind, found["nothing"].n_missing) == ("empty", 4)
    assert found["is_ok"].kind == "yes/no"
    assert found["contact"].identifier
    assert found["contact"].levels == ()


def _texts(name, *values):
    return ColumnLook(name, "category", len(values), 0, tuple((value, 3) for value in values))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("CellType", "cell_type"),
        ("Author Cell Type", "cell_type"),
        ("majority_voting", "cell_type"),
        ("patient", "donor"),
        ("Donor.ID", "donor"),
        ("orig.ident", "sample"),
        ("sequencing_batch", "batch"),
        ("organ", "tissue"),
        ("Diagnosis", "disease"),
        ("gender", "sex"),
        ("10x_chemistry", "assay"),
        ("leiden", None),
    ],
)
def test_columns_are_recognised_by_their_names(name, role):
    found = find_roles([_texts(name, "one", "two")])
    assert {key for key, column in found.items() if column} == ({role} if role else set())


def test_numbers_are_no_cell_types_but_can_be_donors():
    numbered = find_roles([_texts("cell_type", "0", "1"), _texts("patient", "1", "2")])
    assert numbered["cell_type"] is None
    assert numbered["donor"] == "patient"


def test_the_cellxgene_name_goes_before_the_others():
    found = find_roles([_texts("labels", "a", "b"), _texts("cell_type", "B cell", "T cell")])
    assert found["cell_type"] == "cell_type"


def test_scaled_values_are_a_problem(tmp_path):
    adata = make_cells()
    adata.X = sp.csr_matrix(adata.X.toarray() - 1.5)
    look = look_into(write_cells(tmp_path, adata), scratch=tmp_path)
    assert look.counts.place is None
    assert "holds no raw counts" in look.problems[0]
    assert look.say_counts() == "none were found"


def test_a_file_without_any_column(tmp_path):
    adata = ad.AnnData(make_cells().X)
    look = look_into(write_cells(tmp_path, adata), scratch=tmp_path)
    assert look.columns == ()
    assert not any(look.roles.values())
    assert [
        problem for problem in look.problems if "features of source file 1 are numbered" in problem
    ]


def test_names_that_repeat_are_a_problem_and_the_rest_is_told(tmp_path):
    columns = {"donor": Column("text", ("a", "a", "b"))}
    small = SmallFile("raw", np.ones((3, 4), int) * 2, ["c", "c", "d"], ["CD4", "CD8A", "x", "y"])
    file = write_small(SmallFile(**{**vars(small), "obs": columns}), tmp_path)
    look = look_at_source(file.path)
    assert "2 cells share their obs name" in look.problems[0]
    assert look.roles["donor"] == "donor"


def test_mouse_genes_are_recognised(tmp_path):
    names = ["Cd4", "Cd8a", "Gapdh", "Actb", "Ptprc", "Nkg7"]
    file = write_small(SmallFile("raw", np.arange(24).reshape(4, 6), list("abcd"), names), tmp_path)
    look = look_at_source(file.path)
    assert (look.genes.species, look.genes.names) == ("mouse", "symbols")


def test_a_zarr_folder_is_looked_into_like_a_file(tmp_path):
    adata = make_cells()
    adata.obsm["X_given"] = np.zeros((60, 3))
    look = look_at_source(str(write_zarr(adata, tmp_path / "cells.zarr")))
    assert (look.n_obs, look.n_vars, look.obsm) == (60, 80, {"X_given": (60, 3)})
    assert look.counts.place.slot == "X"
    assert look.n_bytes > 0


def test_obsm_of_other_kinds_have_shapes_too(tmp_path):
    adata = make_cells()
    adata.obsm["frame"] = pd.DataFrame({"a": 1.0, "b": 2.0}, index=adata.obs_names)
    adata.obsm["sparse"] = sp.csr_matrix((60, 7))
    assert list_obsm(write_cells(tmp_path, adata)) == {"frame": (60, 2), "sparse": (60, 7)}


def test_a_folder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        look_at_source(str(tmp_path))
