"""Small files with counts or what was made of them, and short ways to read them."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp

from adata_assets.annotation.counts.reading import NotCountsError, find_counts, open_counts_reading
from adata_assets.spec import CountsRules

EXPECTED = CountsRules(allow_expected=True)


def places_of(path, tmp_path, totals=None, rules=None):
    return find_counts(path, rules or CountsRules(), totals=totals, scratch=tmp_path)


def read(path, place, tmp_path, totals=None):
    with open_counts_reading(path, place, totals=totals, scratch=tmp_path) as reading:
        matrix = sp.vstack([block for _, block in reading]).tocsr()
    assert matrix.dtype == np.int32
    assert (matrix.data > 0).all()
    json.dumps(reading.report, allow_nan=False)
    return matrix.toarray(), reading.report


def counts_of(path, tmp_path, totals=None, rules=None):
    place = places_of(path, tmp_path, totals, rules)[0]
    return place, *read(path, place, tmp_path, totals)


def write(tmp_path, matrix, **slots):
    path = tmp_path / "raw.h5ad"
    ad.AnnData(sp.csr_matrix(matrix), **slots).write_h5ad(path)
    return path


def refusal(path, tmp_path, totals=None, rules=None):
    with pytest.raises(NotCountsError) as told:
        places_of(path, tmp_path, totals, rules)
    return str(told.value)


def rates_of(counts, target=1e4):
    return counts / counts.sum(axis=1, keepdims=True) * target


def make_counts():
    """Return 60 cells, each of which has a gene with one count, as real ones have."""
    rng = np.random.default_rng(0)
    found = rng.poisson(rng.gamma(0.7, 4, size=(1, 50)), size=(60, 50)).astype(np.float64)
    found[:, 0] = 1
    return found
