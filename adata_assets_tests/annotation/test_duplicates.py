"""Copies of a cell within a file and across files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from adata_assets.annotation.genes.build import Genes
from adata_assets.annotation.measure import measure_cells
from adata_assets.annotation.quality.duplicates import (
    MIN_GENES_OF_DUPLICATES,
    find_duplicates,
    name_copies,
)

N_GENES = 250


def random_cells(n_obs, seed=0):
    return np.random.default_rng(seed).integers(1, 9, (n_obs, N_GENES)).astype(np.int32)


def measure(matrix, names=None):
    ids = names or [f"G{i}" for i in range(N_GENES)]
    var = pd.DataFrame(
        {"gene_id": ids, "is_mt": False, "feature_class": "gene", "in_all_sources": True}
    )
    genes = Genes(var, np.arange(N_GENES, dtype=np.int32))
    return measure_cells([(0, sp.csr_matrix(matrix))], genes, n_obs=len(matrix))


def find(matrix, ids, *, source=None, labels=None):
    return find_duplicates(
        measure(matrix),
        sample_idx=pd.Series(ids, dtype=object),
        source=pd.Series(source or ["file"] * len(ids), dtype=object),
        labels=None if labels is None else pd.Series(labels, dtype=object),
    )


def test_the_smallest_id_of_a_file_stays():
    cell, near = random_cells(2)
    near[:] = cell
    near[3] += 1
    found = find(np.array([cell, near, cell, cell]), ["c2", "c3", "c1", "c4"])
    assert found.earlier.tolist() == ["c1", None, None, "c1"]
    assert found.conflicts.empty


def test_p2_across_files_the_smallest_source_goes_before_the_smallest_id():
    cells = np.repeat(random_cells(2), 2, axis=0)
    found = find(cells, ["b:1", "a:2", "b:3", "a:4"], source=["b", "a", "b", "a"])
    assert found.earlier.tolist() == ["a:2", None, "a:4", None]


def test_the_order_of_the_cells_does_not_matter():
    cells = random_cells(30)[np.random.default_rng(1).integers(0, 10, 60)]
    ids, source = [f"c{i:02d}" for i in range(60)], ["ab"[i % 2] for i in range(60)]
    straight = find(cells, ids, source=source).earlier
    turned = find(cells[::-1], ids[::-1], source=source[::-1]).earlier
    assert turned[::-1].tolist() == straight.tolist()
    assert straight.isna().sum() == len(np.unique(cells, axis=0))


def test_labels_that_differ_are_reported_with_all_their_cells():
    cells = np.repeat(random_cells(3), 3, axis=0)
    labels = ["B cell", "T cell", None, "B cell", None, None, "NK", "NK", "NK"]
    found = find(cells, list("abcdefghi"), labels=labels)
    assert found.conflicts.to_dict("list") == {
        "kept": ["a", "a", "a"],
        "sample_idx": ["a", "b", "c"],
        "source": ["file"] * 3,
        "label": ["B cell", "T cell", None],
    }


def test_cells_with_few_genes_are_never_called_copies():
    few = np.zeros((2, N_GENES), np.int32)
    few[:, : MIN_GENES_OF_DUPLICATES - 1] = 1
    assert find(few, ["a", "b"]).earlier.isna().all()
    few[:, MIN_GENES_OF_DUPLICATES - 1] = 1
    assert find(few, ["a", "b"]).earlier.tolist() == [None, "a"]


def test_the_order_of_the_genes_does_not_matter():
    cell, names = random_cells(1), [f"G{i}" for i in range(N_GENES)]
    turned = measure(cell[:, ::-1], names[::-1])
    assert np.array_equal(turned.fingerprint, measure(cell, names).fingerprint)


def test_swapped_counts_of_two_genes_are_another_cell():
    cells = np.repeat(random_cells(1), 2, axis=0)
    cells[0, :2], cells[1, :2] = [3, 7], [7, 3]
    assert find(cells, ["a", "b"]).earlier.isna().all()


def test_no_cells_have_no_copies():
    found = find(np.zeros((0, N_GENES), np.int32), [])
    assert len(found.earlier) == len(found.conflicts) == 0


def test_equal_cells_of_files_with_other_gene_sets_are_found():
    """The second file lacks 20 genes: the same cell has other counts, and equal shared ones."""
    cells = random_cells(3)
    cells[1] = cells[0]
    cells[1, :20] = 0
    ids, rows = pd.Series(["a:1", "b:1", "b:2"], dtype=object), np.arange(3)
    genes = Genes(
        pd.DataFrame(
            {
                "gene_id": [f"G{i}" for i in range(N_GENES)],
                "is_mt": False,
                "feature_class": "gene",
                "in_all_sources": np.arange(N_GENES) >= 20,
            }
        ),
        np.arange(N_GENES, dtype=np.int32),
    )
    metrics = measure_cells([(0, sp.csr_matrix(cells))], genes, n_obs=3)
    assert name_copies(metrics, ids, rows).tolist() == ["a:1", "a:1", None]
    assert name_copies(metrics, ids[1:], rows[1:]).isna().all()
    assert name_copies(measure(cells), ids, rows).isna().all()


def test_few_genes_make_no_equal_cells():
    cells = np.repeat(random_cells(1), 2, axis=0)
    cells[:, MIN_GENES_OF_DUPLICATES - 1 :] = 0
    ids = pd.Series(["a", "b"], dtype=object)
    assert name_copies(measure(cells), ids, np.arange(2)).isna().all()
