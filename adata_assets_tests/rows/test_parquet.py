"""C1, C3: shards that load as they are; their bytes depend on the rows only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adata_assets.errors import InputError
from adata_assets.rows.parquet import ShardInfo, SplitWriter, require_intact


def make_rows(n_rows: int = 500) -> pa.Table:
    ids = [f"cell-{i}" for i in range(n_rows)]
    return pa.table(
        {
            "sample_idx": ids,
            "cell_sentence_1": ids,
            "cell_sentence_2": [
                " ".join(f"G{(i * j) % 97}" for j in range(i % 40)) for i in range(n_rows)
            ],
            "label": [float(i % 2) for i in range(n_rows)],
        }
    )


def write(
    folder: Path, rows: pa.Table, cuts: Sequence[int], split: str = "train"
) -> list[ShardInfo]:
    limits = {"max_shard_bytes": 20_000, "row_group_bytes": 6_000}
    with SplitWriter(folder, split, **limits) as writer:
        for start, stop in zip([0, *cuts], [*cuts, rows.num_rows], strict=True):
            writer.write(rows.slice(start, stop - start))
    return writer.close()


def test_names_hashes_and_rows(tmp_path: Path) -> None:
    rows = make_rows()
    shards = write(tmp_path, rows, [])
    n_shards = len(shards)
    assert n_shards > 2
    names = [f"data/train-{i:05d}-of-{n_shards:05d}.parquet" for i in range(n_shards)]
    assert [shard.file_name for shard in shards] == names
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*")) == names
    for shard in shards:
        content = (tmp_path / shard.file_name).read_bytes()
        assert shard.n_bytes == len(content)
        assert shard.sha256 == hashlib.sha256(content).hexdigest()
    tables = [pq.read_table(tmp_path / name, partitioning=None) for name in names]
    assert [table.num_rows for table in tables] == [shard.n_rows for shard in shards]
    assert pa.concat_tables(tables).combine_chunks().equals(rows)


@pytest.mark.parametrize("cuts", [[1], [0, 250, 250], list(range(7, 500, 7)), list(range(1, 500))])
def test_bytes_do_not_depend_on_the_pieces(tmp_path: Path, cuts: list[int]) -> None:
    assert write(tmp_path / "b", make_rows(), cuts) == write(tmp_path / "a", make_rows(), [])


def test_row_groups_and_shards_keep_their_limits(tmp_path: Path) -> None:
    for shard in write(tmp_path, make_rows(), []):
        file = pq.ParquetFile(tmp_path / shard.file_name)
        sizes = []
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            texts = [c for c in rows.columns if c.type == pa.string()]
            n_text = sum(len(value.as_py().encode()) + 4 for c in texts for value in c)
            sizes.append(n_text + 8 * rows.num_rows)
        assert max(sizes) <= 6_000
        assert sum(sizes) <= 20_000
        column = file.metadata.row_group(0).column(0)
        assert column.compression == "ZSTD"
        assert column.has_offset_index
        assert column.has_column_index


def test_a_row_larger_than_a_group_stands_alone(tmp_path: Path) -> None:
    rows = pa.table({"sample_idx": ["a", "b" * 9_000, "c" * 30_000, "d"]})
    shards = write(tmp_path, rows, [])
    assert [shard.n_rows for shard in shards] == [2, 1, 1]


def test_no_flipped_bit_in_a_page_changes_a_row_silently(tmp_path: Path) -> None:
    """Every page has a checksum, and reading back verifies it."""
    shard = write(tmp_path, make_rows(20), [])[0]
    path = tmp_path / shard.file_name
    assert require_intact(path) == 20
    rows, content = pq.read_table(path, partitioning=None), path.read_bytes()
    columns = pq.ParquetFile(path).metadata.row_group(0)
    end = sum(columns.column(i).total_compressed_size for i in range(columns.num_columns)) + 4
    n_found = 0
    for byte in range(4, end):
        path.write_bytes(content[:byte] + bytes([content[byte] ^ 1]) + content[byte + 1 :])
        try:
            require_intact(path)
        except InputError as error:
            assert "train-00000-of-00001.parquet is damaged" in str(error)  # noqa: PT017
            n_found += 1
        else:
            assert pq.read_table(path, partitioning=None).equals(rows)
    assert n_found > 0.9 * (end - 4)


def test_datasets_loads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C1: `load_dataset` of the parquet files gives the rows and the features of the metadata."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    rows = make_rows(60)
    for split in ("train", "validation"):
        write(tmp_path, rows, [], split)
    files = {split: str(tmp_path / f"data/{split}-*.parquet") for split in ("train", "validation")}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features == loaded["validation"].features
    assert loaded["train"].with_format("arrow")[:].combine_chunks().equals(rows)
    schema = pq.read_schema(next((tmp_path / "data").glob("train-*")))
    assert (
        schema.metadata[b"huggingface"]
        == loaded["train"].features.arrow_schema.metadata[b"huggingface"]
    )


def test_older_shards_of_the_split_go(tmp_path: Path) -> None:
    """P18: shards of an earlier run are not read again; other splits stay."""
    write(tmp_path, make_rows(500), [])
    write(tmp_path, make_rows(10), [], "validation")
    write(tmp_path, make_rows(20), [])
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["train-00000-of-00001.parquet", "validation-00000-of-00001.parquet"]


def test_nothing_new_remains_after_an_error(tmp_path: Path) -> None:
    """P14: a split that was not finished leaves the last one as it was."""
    before = write(tmp_path, make_rows(20), [])

    def stop_halfway() -> None:
        with SplitWriter(tmp_path, "train", row_group_bytes=100, max_shard_bytes=100) as writer:
            writer.write(make_rows(50))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stop_halfway()
    assert [path.name for path in (tmp_path / "data").iterdir()] == [before[0].file_name[5:]]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path, "test")
    writer.write(pa.table({"sample_idx": ["a"]}))
    with pytest.raises(InputError, match="label: double after rows with sample_idx: string"):
        writer.write(pa.table({"label": [1.0]}))
    writer.close()
    with pytest.raises(InputError, match="'test' is closed"):
        writer.write(pa.table({"sample_idx": ["b"]}))
    with pytest.raises(InputError, match="'train' has no rows"):
        SplitWriter(tmp_path, "train").close()
    with pytest.raises(InputError, match="column 'a' is binary"):
        SplitWriter(tmp_path, "train").write(pa.table({"a": [b"x"]}))
    with pytest.raises(InputError, match="'a/b': use letters"):
        SplitWriter(tmp_path, "a/b")
    with pytest.raises(InputError, match="row_group_bytes 9 and max_shard_bytes 8"):
        SplitWriter(tmp_path, "train", max_shard_bytes=8, row_group_bytes=9)
