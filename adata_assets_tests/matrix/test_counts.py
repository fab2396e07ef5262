"""Counts: order, merging, hash, refusal of what is no count, memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from upath import UPath

from adata_assets.matrix import counts as counts_module
from adata_assets.matrix import spill, streams
from adata_assets.matrix.counts import open_counts, write_counts
from adata_assets.matrix.source import open_source_matrix
from adata_assets_tests.matrix.files import (
    FORMATS,
    make_adata,
    make_counts,
    read_dense,
    write_adata,
    write_blocks,
)


def expected_counts(
    matrix: csr_matrix, position: np.ndarray, gene_index: np.ndarray, n_genes: int
) -> np.ndarray:
    """The slow, obvious way."""
    expected = np.zeros(((position >= 0).sum(), n_genes), np.int64)
    for row, place in enumerate(position):
        for column, gene in enumerate(gene_index):
            if place >= 0:
                expected[place, gene] += int(matrix[row, column])
    return expected


def shuffled(n_rows: int, n_kept: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    position = np.full(n_rows, -1)
    position[rng.permutation(n_rows)[:n_kept]] = np.arange(n_kept)
    return position


@pytest.mark.parametrize("in_order", [True, False])
def test_rows_are_placed_and_genes_summed(tmp_path: Path, in_order: bool) -> None:
    """P13: columns of one gene are summed and no count is lost."""
    matrix = make_counts(50, 12)
    position = shuffled(50, 41)
    if in_order:
        position[position >= 0] = np.arange(41)
    gene_index = np.array([3, 0, 0, 5, 1, 1, 1, 2, 9, 8, 7, 3])
    summary = write_blocks(matrix, tmp_path, position=position, gene_index=gene_index, n_genes=11)
    found = read_dense(tmp_path)
    np.testing.assert_array_equal(found, expected_counts(matrix, position, gene_index, 11))
    kept_sum = matrix[position >= 0].sum()
    assert summary.total_counts == kept_sum == found.sum()
    assert (summary.n_obs, summary.n_vars) == (41, 11)
    assert summary.n_nonzeros == np.count_nonzero(found)
    assert not (tmp_path / "scratch").exists() or not list((tmp_path / "scratch").iterdir())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_and_mapping_conserves_counts(tmp_path: Path, data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(0, 12), "n_rows")
    n_columns = data.draw(st.integers(1, 6), "n_columns")
    n_genes = data.draw(st.integers(1, 6), "n_genes")
    cells = st.lists(st.integers(0, 3), min_size=n_columns, max_size=n_columns)
    rows = data.draw(st.lists(cells, min_size=n_rows, max_size=n_rows), "rows")
    matrix = csr_matrix(np.array(rows, "f8").reshape(n_rows, n_columns))
    genes = st.lists(st.integers(0, n_genes - 1), min_size=n_columns, max_size=n_columns)
    gene_index = np.array(data.draw(genes, "genes"), np.int32)
    order = data.draw(st.permutations(range(n_rows)), "order")
    n_kept = data.draw(st.integers(0, n_rows), "n_kept")
    position = np.array([place if place < n_kept else -1 for place in order], np.int64)
    sizes = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    first, second = (
        write_blocks(
            matrix,
            tmp_path,
            position=position,
            gene_index=gene_index,
            n_genes=n_genes,
            rows_per_block=size,
        )
        for size in sizes
    )
    expected = expected_counts(matrix, position, gene_index, n_genes)
    np.testing.assert_array_equal(read_dense(tmp_path), expected)
    assert first == second
    assert first.total_counts == expected.sum()


def stated_hash(matrix: csr_matrix) -> str:
    """The definition in the docstring of `CountsStream.close`, once more."""
    streams_ = (np.diff(matrix.indptr).astype("<i8"), matrix.indices.astype("<i4"))
    content = np.array([*matrix.shape, matrix.nnz], "<i8").tobytes()
    for stream in (*streams_, matrix.data.astype("<i4")):
        content += hashlib.sha256(stream.tobytes()).digest()
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("encoding", FORMATS)
def test_content_hash_depends_on_content_only(tmp_path: Path, encoding: str) -> None:
    """The same counts have one hash, however they were stored, blocked, sharded."""
    path = write_adata(make_adata(encoding=encoding), tmp_path / "a.h5ad")
    position = shuffled(40, 33)
    hashes = set()
    for max_nonzeros in (5, 60, 4_000_000):
        with open_source_matrix(path, "layers/counts", scratch=tmp_path / "s") as source:
            summary = write_counts(
                source.iter_blocks(max_nonzeros=max_nonzeros),
                position=position,
                gene_index=np.arange(12)[::-1],
                n_genes=12,
                path=tmp_path / f"counts{max_nonzeros}",
                scratch=tmp_path / "s",
            )
        hashes.add(summary.content_hash)
    assert hashes == {stated_hash(open_counts(tmp_path / "counts5").rows(0, 33))}


def test_content_hash_sees_every_change(tmp_path: Path) -> None:
    matrix = make_counts(30, 8)
    changed = matrix.copy()
    changed.data[0] += 1
    summaries = [
        write_blocks(matrix, tmp_path),
        write_blocks(changed, tmp_path),
        write_blocks(matrix, tmp_path, n_genes=9),
        write_blocks(matrix, tmp_path, position=np.arange(30)[::-1]),
        write_blocks(matrix, tmp_path, gene_index=np.arange(8)[::-1]),
    ]
    assert len({summary.content_hash for summary in summaries}) == 5


def test_many_shards_and_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P19: what does not fit at once goes through many files and many shards."""
    matrix, position = make_counts(300, 20), shuffled(300, 280)
    plain = write_blocks(matrix, tmp_path, position=position)
    expected = read_dense(tmp_path)
    for module, name, value in (
        (streams, "SHARD_BYTES", 256),
        (streams, "_CHUNK_BYTES", 64),
        (spill, "BUCKET_BYTES", 300),
        (spill, "_PIECE_RECORDS", 13),
        (counts_module, "_MIN_ROWS_PER_BUCKET", 9),
    ):
        monkeypatch.setattr(module, name, value)
    assert write_blocks(matrix, tmp_path, position=position) == plain
    np.testing.assert_array_equal(read_dense(tmp_path), expected)


def test_written_twice_gives_the_same_files(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        write_blocks(make_counts(30, 8), tmp_path / name, position=shuffled(30, 30))
        root = tmp_path / name / "counts"
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        files.append({path.relative_to(root): path.read_bytes() for path in paths})
    assert files[0] == files[1]


@pytest.mark.parametrize("dtype", ["i1", "u2", "i8", "u8", "f4", "f8", "?"])
def test_any_numeric_type(tmp_path: Path, dtype: str) -> None:
    write_blocks(csr_matrix(np.array([[0, 1], [1, 0]], dtype)), tmp_path)
    assert read_dense(tmp_path).tolist() == [[0, 1], [1, 0]]


def test_ranges_and_blocks(tmp_path: Path) -> None:
    matrix = make_counts(60, 9)
    write_blocks(matrix, tmp_path)
    counts = open_counts(tmp_path / "counts")
    assert (counts.n_obs, counts.n_vars, counts.n_nonzeros) == (60, 9, matrix.nnz)
    for start, stop in ((0, 60), (13, 14), (20, 20), (0, 0), (60, 60), (17, 55)):
        found = counts.rows(start, stop)
        assert found.dtype == np.int32
        assert found.has_canonical_format
        assert (found != matrix[start:stop]).nnz == 0
    whole = dict(counts.iter_blocks(5, 55, max_nonzeros=40))
    shorter = dict(counts.iter_blocks(5, 50, max_nonzeros=40))
    assert set(shorter) <= set(whole)
    assert all(block.nnz <= 40 for block in whole.values())
    assert sum(block.shape[0] for block in whole.values()) == 50
    assert all((block != matrix[at : at + block.shape[0]]).nnz == 0 for at, block in whole.items())
    with pytest.raises(ValueError, match="rows 0 to 61"):
        counts.rows(0, 61)


def test_counts_in_an_object_store(tmp_path: Path) -> None:
    matrix = make_counts(30, 8)
    write_blocks(matrix, tmp_path)
    target = UPath("memory://counts-test/counts")
    for path in (tmp_path / "counts").rglob("*"):
        if path.is_file():
            (target / path.relative_to(tmp_path / "counts").as_posix()).write_bytes(
                path.read_bytes()
            )
    assert (open_counts(target).rows(3, 30) != matrix[3:]).nnz == 0
    assert (open_counts(UPath(tmp_path / "counts")).rows(3, 30) != matrix[3:]).nnz == 0


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    write_blocks(make_counts(30, 8), tmp_path)
    [shard] = (tmp_path / "counts" / "data" / "c").iterdir()
    content = bytearray(shard.read_bytes())
    content[10] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        read_dense(tmp_path)
