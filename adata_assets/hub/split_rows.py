"""The rows of one split of one config, written chunk by chunk.

Belongs here: what each row holds. One chunk of texts is in memory at a time; of a whole split only
ids, fact classes and captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adata_assets.annotation.captions.configs import IS_IN
from adata_assets.annotation.captions.contradictions import fact_classes
from adata_assets.annotation.store import OBS, read_arrow_in_order, read_facts
from adata_assets.artefact import Artefact
from adata_assets.hub.sentence_spill import SentenceSpill
from adata_assets.hub.split_vectors import open_split_vectors
from adata_assets.rows.formats import add_evaluator_columns, build_rows
from adata_assets.rows.negatives import KINDS, Hard, SameBatch, cell_keys, draw_negatives
from adata_assets.rows.parquet import ShardInfo, SplitWriter
from adata_assets.spec import ConfigSpec, DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table
from adata_assets.text.tables import table_of


@dataclass(frozen=True)
class WrittenSplit:
    """The rows of one split of one config.

    Attributes
    ----------
    shards
        Files in their order.
    n_negatives
        Negatives of each of ``KINDS``; empty for rows without negatives.
    """

    shards: list[ShardInfo]
    n_negatives: dict[str, int]


def write_split(
    spec: DatasetSpec,
    annotated: Artefact,
    cell_texts: Mapping[str, Artefact],
    share_links: Mapping[str, Artefact],
    chunks: Sequence[ChunkSlice],
    folder: Path,
    *,
    embedding: Mapping[str, Artefact],
    scratch: Path | None,
    config: ConfigSpec | None = None,
) -> WrittenSplit:
    """Write the rows of one split.

    Parameters
    ----------
    cell_texts, share_links
        By partition key.
    chunks
        Those of the split, in order.
    embedding
        By partition key, that of ``negatives.hard_by``; not looked at without hard negatives.
    scratch
        Where sentences lie while other chunks draw them, and vectors; None: the system's temporary
        folder.
    config
        None: the default one, in the folder ``data``.
    """
    split, first = chunks[0].split, chunks[0].start
    with ExitStack() as stack:
        spill = None
        if spec.format == "multiplets" and spec.negatives.form == "text":
            spill = stack.enter_context(SentenceSpill(scratch))
            for chunk in chunks:
                texts = _read_texts(cell_texts[chunk.partition_key], config, ["cell_sentence_2"])
                spill.add(texts["cell_sentence_2"])
        cells = _SplitCells(spec, annotated, first, chunks[-1].stop, config, spill)
        if spec.negatives.hard_by is not None:
            opened = open_split_vectors(embedding, chunks, cells.all_ids, scratch=scratch)
            cells.take_nearest_in(stack.enter_context(opened))
        table = config.name if config else "data"
        writer = stack.enter_context(SplitWriter(folder, split, table=table))
        for chunk in chunks:
            texts = _read_texts(cell_texts[chunk.partition_key], config)
            links = _read_links(share_links[chunk.partition_key], chunk)
            rows = cells.rows(chunk.start - first, chunk.stop - first, texts, links)
            if rows is not None:
                writer.write(rows)
    return WrittenSplit(writer.close(), cells.n_negatives)


class _SplitCells:
    """Ids, captions and fact classes of one split, in dataset order."""

    def __init__(
        self,
        spec: DatasetSpec,
        annotated: Artefact,
        start: int,
        stop: int,
        config: ConfigSpec | None,
        spill: SentenceSpill | None,
    ) -> None:
        tables = annotated.local(OBS).parent
        self._spec, self._spill = spec, spill
        self.all_ids = read_arrow_in_order(tables, "sample_idx", start, stop).combine_chunks()
        # Places within the split of the cells that the config holds.
        self._members = np.arange(stop - start)
        if spec.format != "single":
            own = config.name if config and config.caption else None
            facts = read_facts(tables, start, stop, own)
            if own:
                self._members = np.flatnonzero(facts[IS_IN])
                facts = facts.iloc[self._members].reset_index(drop=True)
            self._captions = pa.array(facts["caption"])
            self._classes = fact_classes(facts)
        self._ids = self.all_ids.take(pa.array(self._members))
        self._keys = cell_keys(self._ids)
        self._same_batch = _same_batch(spec, tables, start, stop, self._members)
        self._hard: Hard | None = None
        self._n_of_kind = np.zeros(len(KINDS), np.int64)

    def take_nearest_in(self, vectors: np.ndarray) -> None:
        """Draw hard negatives by the unit vectors of all cells of the split."""
        self._hard = Hard(self._spec.negatives.hard_share, vectors, self._members)

    @property
    def n_negatives(self) -> dict[str, int]:
        """Negatives drawn so far, by kind; empty for rows without any."""
        if self._spec.format == "single":
            return {}
        return dict(zip(KINDS, self._n_of_kind.tolist(), strict=True))

    def rows(
        self, start: int, stop: int, texts: pa.Table, links: Mapping[str, str]
    ) -> pa.Table | None:
        """Return the rows of the split's cells ``start … stop``; None: the config has none of them."""
        first, last = np.searchsorted(self._members, [start, stop]).tolist()
        if first == last:
            return None
        texts = texts.take(pa.array(self._members[first:last] - start))
        ids = self._ids.slice(first, last - first)
        if not texts["sample_idx"].combine_chunks().equals(ids):
            raise ValueError(f"cell_texts of cells {start} … {stop} are of other cells")
        rows = build_rows(
            self._spec.format,
            sample_idx=ids,
            sentences={
                "cell_sentence_1": ids,
                **{key: texts[key] for key in self._spec.sentences.keys[1:]},
            },
            **{kind: pa.repeat(pa.scalar(url), len(ids)) for kind, url in links.items()},
            **self._texts(first, last),
        )
        return add_evaluator_columns(rows) if self._spec.evaluator_columns else rows

    def _texts(self, first: int, last: int) -> dict[str, Any]:
        if self._spec.format == "single":
            return {}
        is_pair = self._spec.format == "pairs"
        drawn, kinds = draw_negatives(
            self._classes,
            cell_key=self._keys,
            n_slots=1 if is_pair else self._spec.negatives_per_sample,
            seed=self._spec.seed,
            purpose="negatives",
            rows=(first, last),
            same_batch=self._same_batch,
            hard=self._hard,
        )
        self._n_of_kind += np.bincount(kinds.ravel(), minlength=len(KINDS))
        given: dict[str, Any] = {"caption": self._captions.slice(first, last - first)}
        if is_pair:
            return given | {"negative_caption": self._captions.take(pa.array(drawn[:, 0]))}
        if self._spill is None:
            return given | {"negative_ids": [self._ids.take(pa.array(slot)) for slot in drawn.T]}
        return given | {
            "negative_texts": [self._resolve(i, slot) for i, slot in enumerate(drawn.T)]
        }

    def _resolve(self, i: int, drawn: np.ndarray) -> pa.Array:
        """The texts of one slot: captions in odd ones, which begin with 1, sentences in even ones."""
        if i % 2 == 0 or self._spill is None:
            return self._captions.take(pa.array(drawn))
        return self._spill.take(self._members[drawn])


def _same_batch(
    spec: DatasetSpec, tables: Path, start: int, stop: int, members: np.ndarray
) -> SameBatch | None:
    share = spec.negatives.same_batch_share
    if not share or spec.format == "single":
        return None
    batch = read_arrow_in_order(tables, "batch", start, stop).to_pandas()
    return SameBatch(share, pd.factorize(batch)[0][members])


def _read_texts(
    cell_texts: Artefact, config: ConfigSpec | None, columns: list[str] | None = None
) -> pa.Table:
    return pq.read_table(
        cell_texts.local(table_of(config)), columns=columns, page_checksum_verification=True
    )


def _read_links(share_links: Artefact, chunk: ChunkSlice) -> dict[str, str]:
    table = read_table(share_links.local("share_links.parquet"))
    if set(table["n_obs"]) != {chunk.n_obs}:
        raise ValueError(
            f"{share_links.name} links files of {set(table['n_obs'])} cells, not {chunk}"
        )
    return dict(zip(table["kind"], table["url"], strict=True))
