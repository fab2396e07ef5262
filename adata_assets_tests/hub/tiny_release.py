"""A published folder of six cells, made by the package's own writers without any run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.artefact import hash_of
from adata_assets.commit import sha256_of
from adata_assets.hub.card_captions import count_captions
from adata_assets.hub.card_limits import list_limits
from adata_assets.hub.card_rows import describe_columns
from adata_assets.hub.croissant import CROISSANT, state_responsibly, write_croissant
from adata_assets.hub.dataset_card import CardFacts, build_card
from adata_assets.hub.lint import PublishedFolder
from adata_assets.hub.manifest import (
    MANIFEST,
    state_dataset,
    state_negatives,
    write_manifest,
)
from adata_assets.rows.parquet import ShardInfo, SplitWriter
from adata_assets.spec import DatasetSpec

BASE_URL = "https://cells.example.org/cells"
PNG = b"\x89PNG\r\n\x1a\n"
Rows = dict[str, dict[str, list[Any]]]
Change = Callable[[Any], Any]

_CELLS = {"train": ("a1", "a2", "b1", "b2"), "test": ("a3", "b3")}
_CAPTIONS = {"a": "This is a T cell.", "b": "This is a B cell."}
_GENES = {"a": "CD3D CD3E IL7R", "b": "MS4A1 CD79A CD19"}
ANNOTATED = {
    "split_sizes": {"train": 4, "test": 2},
    "split_by": "group",
    "n_groups": {"train": 3, "test": 3},
    "keys": {"group": "donor_id", "caption": None},
    "dealing": {
        "asked": {"train": 0.7, "test": 0.3},
        "shares": {"train": 0.666667, "test": 0.333333},
        "deviation_points": {"train": -3.33, "test": 3.33},
        "group_columns": ["donor_id"],
        "held_out": {},
        "n_labels": 2,
        "labels": {"train": 2, "test": 2},
    },
}
LEDGER = pd.DataFrame(
    {
        "source": ["raw"] * 3,
        "outcome": ["published", "published", "removed"],
        "rule": ["train", "test", "min_genes"],
        "n_obs": [4, 2, 1],
        "values_seen": ["", "", "3"],
    }
)
ABOUT = {
    "embeddings": {
        "pca": {
            "method": "pca",
            "n_dims": 2,
            "model_hash": "ab",
            "fit_scope": "train",
            "version": "1",
        }
    }
}


def shared_file(split: str, kind: str) -> tuple[str, str]:
    """Return name and sha256 of the file behind a link."""
    sha256 = hash_of([split, kind])
    number = list(_CELLS).index(split) + 1
    suffix = "h5ad" if kind == "share_link" else "zarr.zip"
    return f"{number:04}-of-0002-{sha256[:16]}.{suffix}", sha256


def make_rows(format: str) -> Rows:
    """Return the rows of every split, column by column."""
    rows: Rows = {}
    for split, ids in _CELLS.items():
        other = {i: next(o for o in ids if o[0] != i[0]) for i in ids}
        if format == "pairs":
            ids = tuple(i for i in ids for _ in (1, 0))
        own = {"sample_idx": list(ids), "cell_sentence_1": list(ids)}
        own["cell_sentence_2"] = [_GENES[i[0]] for i in ids]
        if format == "pairs":
            texts = [_CAPTIONS[i[0] if n % 2 == 0 else other[i][0]] for n, i in enumerate(ids)]
            own |= {"caption": texts, "label": [1.0, 0.0] * (len(ids) // 2)}
        if format == "multiplets":
            own["positive"] = [_CAPTIONS[i[0]] for i in ids]
            own |= {f"negative_{n}_idx": [other[i] for i in ids] for n in (1, 2)}
        for kind in ("share_link", "adata_link"):
            own[kind] = [f"{BASE_URL}/{shared_file(split, kind)[0]}"] * len(ids)
        rows[split] = own
    return rows


class TinyRelease:
    """Six cells; each step of writing can be changed by a test before the next one begins.

    Parameters
    ----------
    rows, shards, texts, end
        Called with the rows; the folder of parquet files; the folder with card and
        ``croissant.json``; the whole folder with its manifest.
    fields
        Of the spec.
    """

    def __init__(
        self,
        path: Path,
        *,
        rows: Change | None = None,
        shards: Change | None = None,
        texts: Change | None = None,
        end: Change | None = None,
        **fields: Any,
    ) -> None:
        self.path = path
        given = {"format": "multiplets", "publish": {"repo_id": "lab/cells"}, **fields}
        self.spec = DatasetSpec(
            dataset_id="cells",
            title="Six cells",
            source="raw.h5ad",
            license="cc-by-4.0",
            chunks={"count": 2},
            splits={"train": 0.7, "validation": 0, "test": 0.3},
            sentences={"length": 3},
            **given,
        )
        self._write_rows(rows)
        _call(shards, path)
        self._write_texts()
        _call(texts, path)
        self._write_manifest()
        _call(end, path)

    def folder(self, **options: Any) -> PublishedFolder:
        """Return what rules look at."""
        return PublishedFolder(self.path, **options)

    def _write_rows(self, change: Change | None) -> None:
        rows = make_rows(self.spec.format)
        _call(change, rows)
        for split, columns in rows.items():
            if columns["sample_idx"]:
                with SplitWriter(self.path, split) as writer:
                    writer.write(pa.table(columns))
        (self.path / "figures").mkdir()
        (self.path / "figures" / "pca.png").write_bytes(PNG + b"pixels")

    def _write_texts(self) -> None:
        shards = self._list_shards()
        first = next(iter(shards.values()))[0]
        example = pq.read_table(self.path / first.file_name).slice(0, 1).to_pylist()
        example = (
            example
            or pq.read_table(self.path / "data/test-00000-of-00001.parquet").slice(0, 1).to_pylist()
        )
        captions = self._count_captions()
        facts = CardFacts(
            shards=shards,
            example=example[0],
            about=[ABOUT],
            n_genes=[{"n_genes_min": 3, "n_genes_max": 3}],
            annotated=ANNOTATED,
            ledger=LEDGER,
            captions=captions,
            known="Nothing is known of the cells but their counts.",
            leakage="Nothing is in two splits.",
        )
        (self.path / "README.md").write_text(build_card(self.spec, facts))
        limits = list_limits(
            annotated=ANNOTATED, ledger=LEDGER, captions=captions, format=self.spec.format
        )
        write_croissant(
            self.path,
            self.spec,
            descriptions=describe_columns(self.spec.format, list(example[0])),
            responsible=state_responsibly(
                self.spec, annotated=ANNOTATED, limits=limits, n_removed=1
            ),
        )

    def _list_shards(self) -> dict[str, list[ShardInfo]]:
        found: dict[str, list[ShardInfo]] = {}
        paths = sorted(self.path.glob("data/t*-*.parquet"), key=lambda p: p.name.startswith("test"))
        for path in paths:
            name, n_bytes = f"data/{path.name}", path.stat().st_size
            info = ShardInfo(
                name, pq.read_metadata(path).num_rows, n_bytes, n_bytes, sha256_of(path)
            )
            found.setdefault(path.name.split("-")[0], []).append(info)
        return found

    def _count_captions(self) -> Any:
        cells = [(s, _CAPTIONS[i[0]], i[0]) for s, ids in _CELLS.items() for i in ids]
        return count_captions(pd.DataFrame(cells, columns=["split", "caption", "caption_id"]))

    def _write_manifest(self) -> None:
        links = {
            split: pd.DataFrame(
                [
                    dict(zip(("remote_name", "sha256"), shared_file(split, kind), strict=True))
                    | {"kind": kind, "n_bytes": 10, "n_obs": len(ids)}
                    for kind in ("share_link", "adata_link")
                ]
            )
            for split, ids in _CELLS.items()
        }
        stated = state_dataset(self.spec, {"counts": "0" * 64}, links)
        write_manifest(self.path, {**stated, **state_negatives(self.spec, self._count_kinds())})

    def _count_kinds(self) -> dict[str, dict[str, int]]:
        counts = {}
        for split, shards in self._list_shards().items():
            names = pq.read_schema(self.path / shards[0].file_name).names
            n_slots = sum(name.startswith("negative") for name in names) or 0.5
            n = int(sum(shard.n_rows for shard in shards) * n_slots)
            counts[f"data/{split}"] = {"uniform": n, "same_batch": 0, "hard": 0}
        return counts


def change_json(name: str, change: Change) -> Change:
    """Return a step that changes a JSON file of the folder."""

    def step(path: Path) -> None:
        told = json.loads((path / name).read_text())
        change(told)
        (path / name).write_text(json.dumps(told))

    return step


def change_manifest(change: Change) -> Change:
    """Return a step that changes the manifest."""
    return change_json(MANIFEST, change)


def change_croissant(change: Change) -> Change:
    """Return a step that changes ``croissant.json``."""
    return change_json(CROISSANT, change)


def change_card(old: str, new: str) -> Change:
    """Return a step that replaces words of the card, which must be there."""

    def step(path: Path) -> None:
        text = (path / "README.md").read_text()
        assert old in text, old
        (path / "README.md").write_text(text.replace(old, new))

    return step


def rewrite(name: str, change: Change, **options: Any) -> Change:
    """Return a step that writes a parquet file again, with other rows or options."""

    def step(path: Path) -> None:
        table = change(pq.read_table(path / name))
        given = {"compression": "zstd", "write_page_index": True, "write_page_checksum": True}
        pq.write_table(table, path / name, **{**given, **options})

    return step


def _call(change: Change | None, argument: Any) -> None:
    if change is not None:
        change(argument)
