"""Counts are found, verified on every stored value, recovered when exact, else refused."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.annotation.counts import (
    CountsPlace,
    NotCountsError,
    find_counts,
    open_counts_reading,
)
from adata_assets.sources.files import locate_source

DEMO = "package://scanpy/datasets/10x_pbmc68k_reduced.h5ad"


def counts_of(path, tmp_path, totals=None):
    place = find_counts(path, totals=totals, scratch=tmp_path)
    with open_counts_reading(path, place, totals=totals, scratch=tmp_path) as blocks:
        return place, sp.vstack([block for _, block in blocks]).tocsr()


def write(tmp_path, matrix, **slots):
    path = tmp_path / "raw.h5ad"
    ad.AnnData(sp.csr_matrix(matrix), **slots).write_h5ad(path)
    return path


@pytest.fixture
def counts():
    return np.random.default_rng(0).poisson(1.5, size=(30, 20)).astype(np.float64)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::PendingDeprecationWarning")
def test_demo_counts_are_recovered_exactly(tmp_path):
    path = locate_source(DEMO)
    adata = ad.read_h5ad(path)
    totals = adata.obs["n_counts"].to_numpy(float)
    place, found = counts_of(path, tmp_path, totals)
    expected = np.rint(np.expm1(adata.raw.X.toarray().astype(float)) * totals[:, None] / 1e4)
    assert place == CountsPlace("raw/X", "log1p")
    assert found.nnz == 174_400
    assert np.array_equal(found.toarray(), expected)


def test_log_values_without_totals_are_recovered_by_the_smallest_value(tmp_path, counts):
    counts[:, 0] = 1
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    _, found = counts_of(write(tmp_path, logs), tmp_path)
    assert np.array_equal(found.toarray(), counts)


def test_float_noise_around_integers_is_rounded(tmp_path, counts):
    place, found = counts_of(write(tmp_path, np.where(counts, counts + 1e-11, 0)), tmp_path)
    assert place.form == "counts"
    assert np.array_equal(found.toarray(), counts)


def test_a_layer_named_counts_wins(tmp_path, counts):
    path = write(tmp_path, np.log1p(counts * 0.7), layers={"counts": sp.csr_matrix(counts)})
    place, found = counts_of(path, tmp_path)
    assert place == CountsPlace("layers/counts", "counts")
    assert np.array_equal(found.toarray(), counts)


def test_expected_counts_are_refused_with_cell_and_value(tmp_path, counts):
    with pytest.raises(NotCountsError, match=r"raw\.h5ad, X, cell 0: value .* not a count") as told:
        counts_of(write(tmp_path, np.where(counts, counts + 0.37, 0)), tmp_path)
    assert "layers['counts']" in str(told.value)


def test_a_wrong_value_far_down_is_found_while_streaming(tmp_path, counts):
    counts[29, 19] = 2.5
    path = write(tmp_path, counts)
    with (
        open_counts_reading(path, CountsPlace("X", "counts"), totals=None, scratch=tmp_path) as b,
        pytest.raises(NotCountsError, match=r"cell 29: value 2\.5"),
    ):
        list(b)


def old_raw_counts_rule(matrix):
    """The older pipeline: at most 1 % of *all* entries may be non-integer; then cast to int."""
    if (matrix != np.rint(matrix)).mean() > 0.01:
        raise ValueError("not raw")
    return matrix.astype(int)


def test_p9_zeros_do_not_hide_log_values(tmp_path):
    rng = np.random.default_rng(1)
    logs = np.where(rng.random((100, 200)) < 0.008, rng.random((100, 200)) * 3 + 0.1, 0)
    assert old_raw_counts_rule(logs).sum() < logs.sum()
    with pytest.raises(NotCountsError):
        counts_of(write(tmp_path, logs), tmp_path)


def old_is_logged(matrix):
    """The older pipeline: small maximum and small spread mean that the data are logged."""
    return matrix.max() < 50 and matrix.std() / matrix.mean() < 10


def test_p10_small_counts_are_counts(tmp_path, counts):
    counts[0, 0] = 38
    assert old_is_logged(counts)
    place, found = counts_of(write(tmp_path, counts), tmp_path)
    assert place.form == "counts"
    assert found.max() == 38


def test_negative_values_are_refused(tmp_path, counts):
    with pytest.raises(NotCountsError, match="value -1"):
        counts_of(write(tmp_path, -counts), tmp_path)
