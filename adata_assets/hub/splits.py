"""The published folder: the rows of each split, written chunk by chunk, and the card.

Belongs here: artefacts in, ``data/{split}-*.parquet``, ``README.md``, ``croissant.json``,
``manifest.json`` and ``figures/*.png`` out. One chunk of texts is
in memory at a time; of a whole split only ids, fact classes and captions.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.annotation.captions.contradictions import fact_classes
from adata_assets.annotation.ledger import LEDGER
from adata_assets.annotation.store import OBS, read_arrow_in_order, read_facts
from adata_assets.artefact import Artefact
from adata_assets.hub.card_captions import count_captions
from adata_assets.hub.dataset_card import build_card, count_labelled
from adata_assets.hub.descriptions import write_descriptions
from adata_assets.rows.formats import add_evaluator_columns, build_rows
from adata_assets.rows.negatives import cell_keys, draw_negatives
from adata_assets.rows.parquet import ShardInfo, SplitWriter
from adata_assets.scorecard.store import TABLE as SCORECARD
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice, deal_chunks
from adata_assets.tables import read_table

CARD = "README.md"


@dataclass(frozen=True)
class ReleaseInputs:
    """The artefacts of one release; all of one generation."""

    annotated: Artefact
    ledger: Artefact
    cell_texts: Mapping[str, Artefact]
    share_links: Mapping[str, Artefact]
    scorecard: Artefact | None = None

    @property
    def all(self) -> list[Artefact]:
        """Every artefact, in a fixed order."""
        keys = sorted(self.cell_texts)
        return [
            self.annotated,
            self.ledger,
            *([self.scorecard] if self.scorecard else []),
            *(self.cell_texts[key] for key in keys),
            *(self.share_links[key] for key in keys),
        ]

    def chunks(self) -> list[ChunkSlice]:
        """Return the slices of the current dataset order."""
        return deal_chunks(self.annotated.metadata["split_sizes"], len(self.cell_texts))


def write_hf_splits(spec: DatasetSpec, inputs: ReleaseInputs, folder: Path) -> dict[str, Any]:
    """Write the rows of every split, the card, its pictures and what machines read of it.

    Returns
    -------
    ``n_rows`` and ``n_bytes`` per split; ``contains_label``, the sentences in which the cell type
    stands for some train cells.
    """
    chunks = inputs.chunks()
    shards: dict[str, list[ShardInfo]] = {}
    for split in inputs.annotated.metadata["split_sizes"]:
        own = [chunk for chunk in chunks if chunk.split == split]
        shards[split] = _write_split(spec, inputs, split, own, folder)
    first = next(iter(shards.values()))[0]
    example = pq.ParquetFile(folder / first.file_name).read_row_group(0).slice(0, 1).to_pylist()[0]
    ledger = read_table(inputs.ledger.local(LEDGER))
    captions = count_captions(
        read_table(inputs.annotated.local(OBS), ["split", "caption", "caption_id"])
    )
    of_texts = [inputs.cell_texts[chunk.partition_key].metadata for chunk in chunks]
    card = build_card(
        spec,
        shards=shards,
        example=example,
        about=[inputs.share_links[chunk.partition_key].metadata["about"] for chunk in chunks],
        n_genes=of_texts,
        annotated=inputs.annotated.metadata,
        ledger=ledger,
        captions=captions,
        scorecard=_copy_scorecard(inputs.scorecard, folder) if inputs.scorecard else None,
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    write_descriptions(
        folder, spec, inputs.all, ledger=ledger, captions=captions, columns=list(example)
    )
    return {
        "n_rows": {split: sum(s.n_rows for s in found) for split, found in shards.items()},
        "n_bytes": {split: sum(s.n_bytes for s in found) for split, found in shards.items()},
        "example": example,
        "contains_label": [key for key, n in count_labelled(of_texts).items() if n],
    }


def _copy_scorecard(scorecard: Artefact, folder: Path) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    for file in scorecard.metadata["figures"].values():
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(scorecard.local(file), folder / file)
    return read_table(scorecard.local(SCORECARD)), scorecard.metadata


def _write_split(
    spec: DatasetSpec, inputs: ReleaseInputs, split: str, chunks: list[ChunkSlice], folder: Path
) -> list[ShardInfo]:
    first, last = chunks[0].start, chunks[-1].stop
    cells = _SplitCells(spec, inputs.annotated, first, last)
    with SplitWriter(folder, split) as writer:
        for chunk in chunks:
            texts = pq.read_table(
                inputs.cell_texts[chunk.partition_key].local("cell_texts.parquet"),
                page_checksum_verification=True,
            )
            links = _read_links(inputs.share_links[chunk.partition_key], chunk)
            writer.write(cells.rows(chunk.start - first, chunk.stop - first, texts, links))
    return writer.close()


class _SplitCells:
    """Ids, captions and fact classes of one split, in dataset order."""

    def __init__(self, spec: DatasetSpec, annotated: Artefact, start: int, stop: int) -> None:
        tables = annotated.local(OBS).parent
        self._spec = spec
        self._ids = read_arrow_in_order(tables, "sample_idx", start, stop).combine_chunks()
        self._keys = cell_keys(self._ids)
        if spec.format != "single":
            facts = read_facts(tables, start, stop)
            self._captions = pa.array(facts["caption"])
            self._classes = fact_classes(facts)

    def rows(self, start: int, stop: int, texts: pa.Table, links: Mapping[str, str]) -> pa.Table:
        """Return the rows of the split's cells ``start … stop``."""
        ids = self._ids.slice(start, stop - start)
        if not texts["sample_idx"].combine_chunks().equals(ids):
            raise ValueError(f"cell_texts of cells {start} … {stop} are of other cells")
        given: dict[str, Any] = {}
        if self._spec.format != "single":
            given["caption"] = self._captions.slice(start, stop - start)
            n_slots = 1 if self._spec.format == "pairs" else self._spec.negatives_per_sample
            drawn = draw_negatives(
                self._classes,
                cell_key=self._keys,
                n_slots=n_slots,
                seed=self._spec.seed,
                purpose="negatives",
                rows=(start, stop),
            )
            if self._spec.format == "pairs":
                given["negative_caption"] = self._captions.take(pa.array(drawn[:, 0]))
            else:
                given["negative_ids"] = [self._ids.take(pa.array(slot)) for slot in drawn.T]
        rows = build_rows(
            self._spec.format,
            sample_idx=ids,
            sentences={
                "cell_sentence_1": ids,
                **{key: texts[key] for key in self._spec.sentences.keys[1:]},
            },
            **{kind: pa.repeat(pa.scalar(url), len(ids)) for kind, url in links.items()},
            **given,
        )
        return add_evaluator_columns(rows) if self._spec.evaluator_columns else rows


def _read_links(share_links: Artefact, chunk: ChunkSlice) -> dict[str, str]:
    table = read_table(share_links.local("share_links.parquet"))
    if set(table["n_obs"]) != {chunk.n_obs}:
        raise ValueError(
            f"{share_links.name} links files of {set(table['n_obs'])} cells, not {chunk}"
        )
    return dict(zip(table["kind"], table["url"], strict=True))
