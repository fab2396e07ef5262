"""Markers equal scanpy's t-test, are learnt from the stream they are given, and from nothing else."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.sparse as sp

from adata_assets.annotation.genes.markers import MIN_CELLS_PER_TYPE, rank_markers
from adata_assets.schemas.chunked import MarkerSchema
from adata_assets_tests.datasets import make_cells

N_OBS, N_VARS = 300, 120


@pytest.fixture(scope="module")
def cells():
    return make_cells(N_OBS, N_VARS, seed=5)


def rank(adata, *, labels=None, n_rows=N_OBS, n_markers=N_VARS, is_eligible=None, **options):
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    blocks = ((i, adata.X[i : i + n_rows].astype(np.int32)) for i in range(0, adata.n_obs, n_rows))
    if labels is None:
        labels = adata.obs["cell_type"].to_numpy(dtype=object)
    return rank_markers(
        blocks,
        totals,
        labels,
        gene_ids=pd.Series(adata.var_names.to_numpy(dtype=object)),
        is_eligible=np.ones(adata.n_vars, bool) if is_eligible is None else is_eligible,
        n_markers=n_markers,
        **options,
    )


def scanpy_scores(adata):
    theirs = adata.copy()
    sc.pp.normalize_total(theirs, target_sum=1e4)
    sc.pp.log1p(theirs)
    sc.tl.rank_genes_groups(theirs, "cell_type", method="t-test", n_genes=theirs.n_vars)
    names, scores = (
        pd.DataFrame(theirs.uns["rank_genes_groups"][key]).melt(var_name="cell_type")
        for key in ("names", "scores")
    )
    return names.rename(columns={"value": "gene_id"}).assign(score=scores["value"].astype(float))


def test_scores_and_ranks_equal_scanpys(cells):
    ours, theirs = rank(cells), scanpy_scores(cells)
    MarkerSchema.validate(ours)
    theirs = theirs[theirs["score"] > 0].reset_index(drop=True)
    assert ours["cell_type"].tolist() == theirs["cell_type"].tolist()
    assert (ours["gene_id"] == theirs["gene_id"]).mean() > 0.99
    both = ours.merge(theirs, on=["cell_type", "gene_id"])
    assert len(both) == len(ours)
    np.testing.assert_allclose(both["score_x"], both["score_y"], rtol=1e-4, atol=1e-4)
    assert ours.groupby("cell_type")["rank"].agg(lambda r: r.tolist() == list(range(len(r)))).all()


def test_blocks_change_nothing(cells):
    whole = rank(cells, n_markers=9)
    pd.testing.assert_frame_equal(rank(cells, n_rows=37, n_markers=9), whole)
    assert whole.groupby("cell_type").size().le(9).all()


def test_only_eligible_genes_are_ranked(cells):
    is_eligible = np.arange(N_VARS) % 3 == 0
    some, whole = rank(cells, is_eligible=is_eligible), rank(cells)
    assert set(some["gene_id"]) <= set(cells.var_names[is_eligible])
    expected = whole[whole["gene_id"].isin(cells.var_names[is_eligible])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some.drop(columns="rank"), expected.drop(columns="rank"))


def test_unlabelled_cells_are_in_no_group(cells):
    """A cell without a label may be of the type: it is not counted against it."""
    labels = cells.obs["cell_type"].to_numpy(dtype=object).copy()
    labels[::4] = None
    kept = pd.notna(labels)
    pd.testing.assert_frame_equal(
        rank(cells, labels=labels), rank(cells[kept], labels=labels[kept])
    )


def test_rare_types_get_no_markers_but_count_among_the_others(cells):
    labels = cells.obs["cell_type"].to_numpy(dtype=object).copy()
    labels[: MIN_CELLS_PER_TYPE - 1] = "rare"
    found = rank(cells, labels=labels)
    assert "rare" not in set(found["cell_type"])
    left = labels != "rare"
    assert not found.equals(rank(cells[left], labels=labels[left]))
    assert "rare" in set(rank(cells, labels=labels, min_cells=5)["cell_type"])


@pytest.mark.parametrize("label", ["B cell", None])
def test_one_type_or_none_has_no_markers(cells, label):
    found = rank(cells, labels=np.full(N_OBS, label, dtype=object))
    MarkerSchema.validate(found)
    assert found.empty


def test_ties_go_to_the_smaller_id_and_unexpressed_genes_are_no_markers(cells):
    twice = sp.hstack([cells.X, cells.X, sp.csr_matrix((N_OBS, 1))], format="csr")
    names = [*(f"b{i}" for i in range(N_VARS)), *(f"a{i}" for i in range(N_VARS)), "nothing"]
    found = rank(ad.AnnData(twice, obs=cells.obs, var=pd.DataFrame(index=names)), n_markers=50)
    for _, of_type in found.groupby("cell_type"):
        first, second = of_type["gene_id"].iloc[::2], of_type["gene_id"].iloc[1::2]
        assert first.str.startswith("a").all()
        assert first.str[1:].tolist()[: len(second)] == second.str[1:].tolist()
    assert "nothing" not in set(found["gene_id"])
