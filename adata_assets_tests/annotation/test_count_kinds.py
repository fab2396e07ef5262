"""Values that are no counts are named in words; expected counts are rounded when allowed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.annotation.counts.kinds import recognise_values
from adata_assets.annotation.counts.reading import CountsPlace
from adata_assets_tests.annotation.count_files import (
    EXPECTED,
    counts_of,
    make_counts,
    rates_of,
    refusal,
    write,
)


@pytest.fixture
def counts():
    return make_counts()


def with_value(counts, value):
    counts = counts.copy()
    counts[2, 0] = value
    return counts


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: with_value(c, np.nan), ("cell 2: value nan", "missing (NaN) or infinite")),
        (lambda c: with_value(c, np.inf), ("cell 2: value inf", "missing (NaN) or infinite")),
        (lambda c: with_value(c, 3e9), ("cell 2: value 3e+09", "above 2,147,483,647")),
        (lambda c: -c, ("value -1 is not a count (below 0)", "scaled (z-scored)", "100 %")),
        (lambda c: (c - c.mean(0)) / (c.std(0) + 1), ("scaled (z-scored) or batch-corrected",)),
        (rates_of, ("normalised values: those of each cell sum to 10,000",)),
        (lambda c: rates_of(c, 1e6), ("sum to 1,000,000 (CPM or TPM)",)),
        (lambda c: rates_of(c, 2197), ("those of each cell sum to 2,197",)),
        (lambda c: np.log1p(rates_of(c, 1e6)), ("log1p of normalised", "CPM or TPM")),
        (lambda c: np.log2(1 + rates_of(c, 1e6)), ("log2(x + 1) of normalised", "CPM or TPM")),
        (lambda c: np.log10(1 + rates_of(c)), ("log10(x + 1) of normalised", "10,000")),
        (lambda c: c / np.linspace(0.7, 2, 60)[:, None], ("divided by a factor of each cell",)),
        (
            lambda c: np.log2(1 + c / np.linspace(0.7, 2, 60)[:, None]),
            ("log2(x + 1) of counts divided by a factor of each cell",),
        ),
        (
            lambda c: np.log1p(c * 99 / np.linspace(0.7, 2, 60)[:, None]),
            ("log1p of counts divided by a factor of each cell", "its smallest value as 1"),
        ),
        (lambda c: np.sqrt(c * 0.37), ("logarithms or other transformed values",)),
        (lambda c: np.rint(rates_of(c * 9, 1e6)), ("normalised values that were rounded",)),
        (lambda c: c * 40 + (c > 1) * 0.37, ("expected counts (RSEM", "counts.allow_expected")),
    ],
)
def test_what_is_no_count_is_named(tmp_path, counts, spoil, words):
    """P9, P10: each refusal says value, cell, slot, what the matrix holds and the way out."""
    told = refusal(write(tmp_path, spoil(counts)), tmp_path)
    for word in ("raw.h5ad holds no raw counts", "raw.h5ad, X", "layers['counts']", *words):
        assert word in told


def test_expected_counts_are_rounded_when_allowed(tmp_path, counts):
    """RSEM: the nearest whole number; 0.3 becomes a zero, which is not stored."""
    stored = counts * 40 + (counts > 1) * 0.63
    stored[:, 7] = 0.3
    place, found, report = counts_of(write(tmp_path, stored), tmp_path, rules=EXPECTED)
    assert place == CountsPlace("X", "expected")
    assert np.array_equal(found, np.rint(stored))
    assert report["n_dropped"] == 60
    assert report["n_rounded"] == (stored != np.rint(stored)).sum()
    assert report["largest_error"] == pytest.approx(0.37)
    assert (report["total_stored"], report["total_rounded"]) == pytest.approx(
        (stored.sum(), np.rint(stored).sum())
    )
    assert "expected counts" in report["warnings"][0]


@pytest.mark.parametrize(
    "spoil",
    [
        rates_of,
        lambda c: np.log1p(rates_of(c, 1e6)),
        lambda c: np.log2(1 + c * 0.3),
        lambda c: np.log2(1 + c),
        lambda c: c / np.linspace(0.7, 2, 60)[:, None],
        lambda c: np.sqrt(c * 0.37),
        lambda c: -c - 0.5,
    ],
)
def test_p9_allowing_expected_counts_rounds_nothing_else(tmp_path, counts, spoil):
    assert "X, cell 0: value" in refusal(write(tmp_path, spoil(counts)), tmp_path, rules=EXPECTED)


def test_downsampled_cells_of_one_total_are_counts():
    rng = np.random.default_rng(1)
    same = rng.multinomial(2000, np.full(60, 1 / 60), size=30)
    assert recognise_values(sp.csr_matrix(same)).kind == "counts"
