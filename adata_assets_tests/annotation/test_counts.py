"""Counts are found, verified on every stored value, recovered when exact, else refused."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.annotation.counts.forms import WholeNumbers
from adata_assets.annotation.counts.reading import CountsPlace, NotCountsError
from adata_assets.errors import InputError
from adata_assets.sources.files import locate_source
from adata_assets.spec import CountsRules
from adata_assets_tests.annotation.count_files import (
    counts_of,
    make_counts,
    places_of,
    rates_of,
    read,
    refusal,
    write,
)

DEMO = "package://scanpy/datasets/10x_pbmc68k_reduced.h5ad"


@pytest.fixture
def counts():
    return make_counts()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1", "i4", "i8", "u2", "u8"])
def test_whole_numbers_of_any_type_are_counts(tmp_path, counts, dtype):
    place, found, report = counts_of(write(tmp_path, counts.astype(dtype)), tmp_path)
    assert place == CountsPlace("X", "counts")
    assert np.array_equal(found, counts)
    assert report["n_nonzeros"] == (counts > 0).sum()
    assert (report["form"], report["n_rounded"], report["warnings"]) == ("counts", 0, [])


@pytest.mark.parametrize("encode", [sp.csc_matrix, np.asarray], ids=["csc", "dense"])
@pytest.mark.parametrize("is_logged", [True, False])
def test_every_encoding_gives_the_same_counts(tmp_path, counts, encode, is_logged):
    path = tmp_path / "raw.h5ad"
    stored = np.log1p(rates_of(counts)) if is_logged else counts
    ad.AnnData(encode(stored)).write_h5ad(path)
    assert np.array_equal(counts_of(path, tmp_path)[1], counts)


@pytest.mark.parametrize(
    ("dtype", "noise"), [("f8", 1e-11), ("f8", -1e-11), ("f4", 2e-7), ("f4", -2e-7)]
)
def test_float_noise_is_rounded_never_truncated_and_said(tmp_path, counts, dtype, noise):
    """P9: 2.99999999999 is 3. In float32 noise grows with the number."""
    counts[3, 4] = 12_345
    stored = counts * (1 + noise) if dtype == "f4" else np.where(counts, counts + noise, 0)
    place, found, report = counts_of(write(tmp_path, stored.astype(dtype)), tmp_path)
    assert place.form == report["form"] == "noisy"
    assert np.array_equal(found, counts)
    assert 0 < report["n_rounded"] <= report["n_nonzeros"]
    assert "float noise" in report["warnings"][0]


def test_noise_around_zero_is_no_count(tmp_path, counts):
    stored = np.where(counts, counts, np.where(np.arange(50) % 2, 1e-12, -1e-12))
    _, found, _ = counts_of(write(tmp_path, stored), tmp_path)
    assert np.array_equal(found, counts)


def test_noise_that_begins_far_down_is_reported(tmp_path, counts):
    path = write(tmp_path, np.vstack([counts, counts + 1e-9]))
    _, report = read(path, CountsPlace("X", "counts"), tmp_path)
    assert (report["form"], report["n_rounded"]) == ("noisy", counts.size)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("is_stated", [True, False])
def test_demo_counts_are_recovered_exactly(tmp_path, is_stated):
    """Stored to three decimals; with the stated totals and from the smallest values alike."""
    path = locate_source(DEMO)
    adata = ad.read_h5ad(path)
    stated = adata.obs["n_counts"].to_numpy(float)
    place, found, report = counts_of(path, tmp_path, stated if is_stated else None)
    expected = np.rint(np.expm1(adata.raw.X.toarray().astype(float)) * stated[:, None] / 1e4)
    assert place == CountsPlace("raw/X", "log1p")
    assert report["n_nonzeros"] == 174_400
    assert np.array_equal(found, expected)
    assert report["largest_error"] < 1e-3 < 3e-3 < report["nearest_neighbour"]
    assert report["n_subset_cells"] == (0 if is_stated else 700)


def test_log_values_without_totals_are_recovered_by_the_smallest_value(tmp_path, counts):
    path = write(tmp_path, np.log1p(rates_of(counts)).astype("f4"))
    place, found, report = counts_of(path, tmp_path)
    assert place.form == "log1p"
    assert np.array_equal(found, counts)
    assert report["n_subset_cells"] == 0


@pytest.mark.parametrize("to_rates", [lambda c: c, lambda c: rates_of(c, 25)])
def test_other_logarithms_that_come_back_exactly_are_no_gene_subset(tmp_path, counts, to_rates):
    """Logged without normalising, or normalised to a small sum: every value proves its count."""
    _, found, report = counts_of(write(tmp_path, np.log1p(to_rates(counts))), tmp_path)
    assert np.array_equal(found, counts)
    assert report["n_subset_cells"] == 0


def test_log_values_of_a_gene_subset_say_that_totals_are_lacking(tmp_path, counts):
    logs = np.log1p(rates_of(counts))[:, :30]
    _, found, report = counts_of(write(tmp_path, logs), tmp_path)
    assert np.array_equal(found, counts[:, :30])
    assert report["n_subset_cells"] == 60
    assert "keys.totals" in report["warnings"][1]


def test_a_smallest_value_that_is_no_single_count_is_refused(tmp_path, counts):
    """Twice and three times a count without once: no total makes all of them whole."""
    counts[counts == 1] = 2
    counts[:, 1:4] = [2, 3, 5]
    told = refusal(write(tmp_path, np.log1p(rates_of(counts))), tmp_path)
    assert "its smallest value as 1" in told
    assert "no count gives it" in told


def test_equal_values_are_no_evidence_of_logarithms(tmp_path, counts):
    """0.37 everywhere could be one count per 10,000 of any total."""
    told = refusal(write(tmp_path, (counts > 0) * 0.37), tmp_path)
    assert "only 0 values are multiples of the smallest value of their cell" in told


def test_an_error_that_comes_late_makes_earlier_values_ambiguous(tmp_path):
    """P9: every value is judged by the largest error of all, not of those before it."""
    counts = np.array([[1000.0, 1.0], [1.0, 3.0]])
    totals = counts.sum(axis=1)
    logs = np.log1p(counts / totals[:, None] * 1e4)
    logs[1, 1] += 9e-4
    path = write(tmp_path, logs)
    assert "cell 0: more than one count fits a value" in refusal(path, tmp_path, totals)
    with pytest.raises(NotCountsError, match="cell 0: more than one count fits a value"):
        read(path, CountsPlace("X", "log1p"), tmp_path, totals)


def test_best_candidates_come_first(tmp_path, counts):
    """Whole numbers before what must be turned back, nothing but ones last."""
    logs = np.log1p(rates_of(counts))
    layers = {
        "counts": sp.csr_matrix(logs),
        "presence": sp.csr_matrix(counts > 0).astype(np.int8),
        "umis": sp.csr_matrix(counts),
        "scaled": sp.csr_matrix(counts - 3),
    }
    path = write(tmp_path, logs, layers=layers)
    assert places_of(path, tmp_path) == (
        CountsPlace("layers/umis", "counts"),
        CountsPlace("layers/counts", "log1p"),
        CountsPlace("X", "log1p"),
        CountsPlace("layers/presence", "counts"),
    )


def test_a_layer_named_counts_wins(tmp_path, counts):
    path = write(tmp_path, counts * 2, layers={"counts": sp.csr_matrix(counts)})
    place, found, _ = counts_of(path, tmp_path)
    assert place == CountsPlace("layers/counts", "counts")
    assert np.array_equal(found, counts)


def test_a_part_of_the_counts_is_taken_only_when_it_is_named(tmp_path, counts):
    path = write(tmp_path, counts * 0.3 + 1, layers={"spliced": sp.csr_matrix(counts)})
    assert "layers/spliced: by its name a part of the counts" in refusal(path, tmp_path)
    rules = CountsRules(slot="layers/spliced")
    assert places_of(path, tmp_path, rules=rules) == (CountsPlace("layers/spliced", "counts"),)


def test_a_named_slot_is_the_only_candidate(tmp_path, counts):
    path = write(tmp_path, counts, layers={"counts": sp.csr_matrix(counts)})
    rules = CountsRules(slot="X")
    assert places_of(path, tmp_path, rules=rules) == (CountsPlace("X", "counts"),)
    with pytest.raises(InputError, match=r"no matrix 'raw/X'; choose one of"):
        places_of(path, tmp_path, rules=CountsRules(slot="raw/X"))


def test_a_wrong_value_far_down_is_found_while_streaming(tmp_path, counts):
    """A file whose first cells look like counts is refused with the cell that does not."""
    counts[59, 19] = 2.5
    with pytest.raises(
        NotCountsError, match=r"raw\.h5ad, X, cell 59: value 2\.5 .*not a whole"
    ) as e:
        read(write(tmp_path, counts), CountsPlace("X", "counts"), tmp_path)
    assert "layers['counts']" in str(e.value)


def test_matrices_of_ones_are_accepted_with_a_warning(tmp_path, counts):
    _, _, report = counts_of(write(tmp_path, counts > 0), tmp_path)
    assert "every count is 1" in report["warnings"][0]


def test_a_matrix_of_zeros_is_no_candidate(tmp_path, counts):
    path = write(tmp_path, counts, layers={"counts": sp.csr_matrix(counts.shape)})
    assert places_of(path, tmp_path) == (CountsPlace("X", "counts"),)
    assert "X: only zeros" in refusal(write(tmp_path, counts * 0), tmp_path)


def test_converting_leaves_the_block_as_it_is(counts):
    stored = sp.csr_matrix(counts + 1e-12)
    before = stored.copy()
    WholeNumbers("x").convert(0, stored)
    assert (stored != before).nnz == 0
    assert stored.nnz == before.nnz


def old_raw_counts_rule(matrix):
    """The older pipeline: at most 1 % of *all* entries may be non-integer; then cast to int."""
    if (matrix != np.rint(matrix)).mean() > 0.01:
        raise ValueError("not raw")
    return matrix.astype(int)


def test_p9_zeros_do_not_hide_log_values(tmp_path):
    rng = np.random.default_rng(1)
    logs = np.where(rng.random((100, 200)) < 0.008, rng.random((100, 200)) * 3 + 0.1, 0)
    assert old_raw_counts_rule(logs).sum() < logs.sum()
    assert "not a count" in refusal(write(tmp_path, logs), tmp_path)


def old_is_logged(matrix):
    """The older pipeline: small maximum and small spread mean that the data are logged."""
    return matrix.max() < 50 and matrix.std() / matrix.mean() < 10


def test_p10_small_counts_are_counts(tmp_path, counts):
    counts = np.minimum(counts, 38)
    assert old_is_logged(counts)
    place, found, _ = counts_of(write(tmp_path, counts), tmp_path)
    assert place.form == "counts"
    assert found.max() == counts.max()
