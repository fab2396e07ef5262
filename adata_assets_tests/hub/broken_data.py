"""For each rule about files, parquet, rows and links a release that breaks it and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets_tests.hub.tiny_release import (
    BASE_URL,
    Change,
    change_manifest,
    rewrite,
    shared_file,
)

TRAIN, TEST = "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"


def _set(split: str, column: str, place: int, value: Any) -> Change:
    def step(rows: dict[str, dict[str, list[Any]]]) -> None:
        rows[split][column][place] = value

    return step


def _all(*steps: Change) -> Change:
    def step(given: Any) -> None:
        for one in steps:
            one(given)

    return step


def _each(change: Change) -> Change:
    """Change the columns of both splits."""

    def step(rows: dict[str, dict[str, list[Any]]]) -> None:
        for columns in rows.values():
            change(columns)

    return step


def _replace(column: str, old: str, new: str) -> Change:
    return _each(lambda c: c.update({column: [v.replace(old, new) for v in c[column]]}))


def _write(name: str, content: bytes = b"x") -> Change:
    def step(path: Path) -> None:
        (path / name).parent.mkdir(exist_ok=True, parents=True)
        (path / name).write_bytes(content)

    return step


def _link(path: Path) -> None:
    (path / "figures/pca.png").rename(path.parent / "pca.png")
    (path / "figures/pca.png").symlink_to(path.parent / "pca.png")


def _rename(old: str, new: str) -> Change:
    return lambda path: (path / old).rename(path / new)


def _split_unlike(path: Path) -> None:
    rows = pq.read_table(path / TEST)
    (path / TEST).unlink()
    for i, part in enumerate((rows, rows.drop_columns("positive"))):
        pq.write_table(part, path / f"data/test-{i:05}-of-00002.parquet", compression="zstd")


def _write_empty(path: Path) -> None:
    rows = pq.read_table(path / TEST).slice(0, 0)
    pq.write_table(rows, path / "data/validation-00000-of-00001.parquet", compression="zstd")


def _cast(name: str, kind: pa.DataType) -> Change:
    return lambda table: table.set_column(
        table.column_names.index(name), name, table[name].cast(kind)
    )


def _renamed(old: str, new: str) -> Change:
    return lambda table: table.rename_columns([new if n == old else n for n in table.column_names])


def _damage(path: Path) -> None:
    content = bytearray((path / TEST).read_bytes())
    content[40] ^= 255
    (path / TEST).write_bytes(bytes(content))


def _shared(name: str, **fields: Any) -> Change:
    return change_manifest(lambda told: told["shared_files"][name].update(fields))


def _rename_shared(old: str, new: str) -> Change:
    return change_manifest(
        lambda told: told["shared_files"].update({new: told["shared_files"].pop(old)})
    )


_H5AD, _ZARR = (f"{BASE_URL}/{shared_file('train', k)[0]}" for k in ("share_link", "adata_link"))
_TEST_H5AD = f"{BASE_URL}/{shared_file('test', 'share_link')[0]}"
_WORD = "https://files.example.org/s/4f2a"

FILES: dict[str, dict[str, Any]] = {
    "no-code-or-pickles": {"texts": _write("cells.py")},
    "no-other-files": {"texts": _write("notes.txt")},
    "no-hidden-files": {"texts": _write("data/.train-00000.tmp")},
    "no-empty-files": {"texts": _write("figures/pca.png", b"")},
    "paths-are-plain": {
        "texts": _write("figures/a b.png", b"\x89PNG\r\n\x1a\n"),
        "also": {"no-other-files"},
    },
    "no-links-in-the-folder": {"texts": _link},
    "shards-have-names": {"end": _rename(TEST, "data/test.parquet"), "alone": False},
    "shards-are-complete": {"shards": _rename(TEST, "data/test-00000-of-00002.parquet")},
    "there-are-rows": {
        "end": _all(_rename(TRAIN, "a.parquet"), _rename(TEST, "b.parquet")),
        "alone": False,
    },
    "paths-differ-in-more-than-case": {"texts": _write("figures/PCA.png", b"\x89PNG\r\n\x1a\n")},
    "files-are-below-the-limit": {"limits": {"file_bytes": 100}},
    "figures-are-small-pngs": {"texts": _write("figures/pca.png", b"<html>")},
    "folders-are-below-the-limit": {"limits": {"n_entries": 2}},
    "repository-is-below-the-limit": {"limits": {"n_files": 5}},
}
PARQUET: dict[str, dict[str, Any]] = {
    "parquet-is-compressed": {"shards": rewrite(TEST, lambda t: t, compression="none")},
    "parquet-has-a-page-index": {"shards": rewrite(TEST, lambda t: t, write_page_index=False)},
    "row-groups-are-below-the-limit": {"limits": {"row_group_bytes": 100}},
    "rows-are-below-the-limit": {"limits": {"row_bytes": 100}},
    "columns-are-below-the-limit": {"limits": {"n_columns": 7}},
    "column-types-are-plain": {
        "shards": _all(*(rewrite(n, _cast("positive", pa.large_string())) for n in (TRAIN, TEST))),
        "also": {"features-agree"},
    },
    "column-names-are-plain": {"end": rewrite(TRAIN, _renamed("positive", "a-b")), "alone": False},
    "splits-have-one-set-of-columns": {
        "shards": rewrite(TEST, _cast("positive", pa.large_string())),
        "also": {"column-types-are-plain"},
    },
    "shards-have-one-set-of-columns": {"end": _split_unlike, "alone": False},
    "no-split-is-empty": {"end": _write_empty, "alone": False},
    "features-are-stored": {"shards": rewrite(TEST, lambda t: t.replace_schema_metadata(None))},
    "parquet-is-intact": {"end": _damage, "also": {"manifest-hashes-agree"}},
}
ROWS: dict[str, dict[str, Any]] = {
    "columns-fit-the-format": {"rows": _each(lambda c: c.pop("adata_link"))},
    "negatives-are-numbered": {
        "end": rewrite(TRAIN, _renamed("negative_2_idx", "negative_3_idx")),
        "alone": False,
    },
    "ids-are-unique": {
        "rows": _all(
            _set("train", "sample_idx", 1, "a1"), _set("train", "cell_sentence_1", 1, "a1")
        ),
        "also": {"card-counts-agree", "card-ledger-adds-up", "shared-files-hold-all-cells"},
    },
    "values-are-there": {"rows": _set("train", "positive", 3, None)},
    "texts-are-not-empty": {"rows": _set("train", "positive", 3, " ")},
    "texts-have-no-control-characters": {"rows": _set("train", "positive", 3, "a\x07b")},
    "rows-have-no-secrets": {"rows": _set("train", "positive", 3, "hf_" + "a1" * 12)},
    "ids-have-no-reserved-prefix": {
        "rows": _each(
            lambda c: c.update(
                {
                    name: [v.replace("b2", "omics:b2") for v in c[name]]
                    for name in (
                        "sample_idx",
                        "cell_sentence_1",
                        "negative_1_idx",
                        "negative_2_idx",
                    )
                }
            )
        )
    },
    "first-sentence-is-the-id": {"rows": _set("train", "cell_sentence_1", 2, "b2")},
    "sentences-are-genes": {"rows": _set("train", "cell_sentence_2", 2, "A\tB C D")},
    "genes-stand-once": {"rows": _set("train", "cell_sentence_2", 2, "A B A")},
    "negatives-are-in-their-split": {"rows": _set("train", "negative_1_idx", 0, "b3")},
    "negatives-are-other-cells": {"rows": _set("train", "negative_1_idx", 0, "a1")},
    "negatives-say-something-else": {"rows": _set("train", "negative_1_idx", 0, "a2")},
    "labels-are-0-or-1": {"rows": _set("train", "label", 0, 0.5), "format": "pairs"},
    "pairs-have-both-labels": {"rows": _set("train", "label", 3, 1.0), "format": "pairs"},
    "false-texts-differ": {
        "rows": _set("train", "caption", 3, "This is a T cell."),
        "format": "pairs",
    },
}
LINKS: dict[str, dict[str, Any]] = {
    "links-are-addresses": {"rows": _replace("adata_link", BASE_URL, "ftp://a.org")},
    "links-can-be-opened-by-others": {
        "rows": _all(
            *(
                _replace(k, BASE_URL, "http://127.0.0.1:8765/c")
                for k in ("share_link", "adata_link")
            )
        )
    },
    "links-hold-no-login": {"rows": _replace("adata_link", ".zip", ".zip?X-Amz-Signature=ab")},
    "links-are-short": {"limits": {"n_url_chars": 40}},
    "the-two-links-differ": {
        "rows": _each(
            lambda c: c.update(
                share_link=[_WORD + c["sample_idx"][0]] * len(c["sample_idx"]),
                adata_link=[_WORD + c["sample_idx"][0]] * len(c["sample_idx"]),
            )
        )
    },
    "links-go-in-pairs": {"rows": _set("train", "adata_link", 3, _WORD)},
    "a-file-has-cells-of-one-split": {
        "rows": _set("test", "share_link", 1, _H5AD),
        "also": {"links-go-in-pairs"},
    },
    "links-name-known-files": {
        "rows": _replace("share_link", shared_file("train", "share_link")[1][:16], "0" * 16)
    },
    "linked-files-have-their-kind": {
        "end": _all(
            _shared(shared_file("train", "share_link")[0], kind="adata_link"),
            _shared(shared_file("train", "adata_link")[0], kind="share_link"),
        )
    },
    "all-shared-files-are-linked": {
        "end": change_manifest(
            lambda told: told["shared_files"].update(
                {
                    f"0003-of-0003-{'0' * 16}.{suffix}": {
                        "chunk": "0003-of-0003",
                        "kind": kind,
                        "n_bytes": 1,
                        "n_obs": 0,
                        "sha256": "0" * 64,
                    }
                    for kind, suffix in (("share_link", "h5ad"), ("adata_link", "zarr.zip"))
                }
            )
        )
    },
    "shared-names-hold-the-hash": {
        "end": _shared(shared_file("train", "share_link")[0], sha256="1" * 64)
    },
    "shared-files-hold-all-cells": {"end": _shared(shared_file("train", "share_link")[0], n_obs=5)},
}
DATA = {**FILES, **PARQUET, **ROWS, **LINKS}
