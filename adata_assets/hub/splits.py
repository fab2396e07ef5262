"""The published folder: the rows of each split, written chunk by chunk, and the card.

Belongs here: artefacts in, ``data/{split}-*.parquet``, ``README.md``, ``croissant.json``,
``manifest.json`` and ``figures/*.png`` out. One chunk of texts is
in memory at a time; of a whole split only ids, fact classes and captions.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from adata_assets.annotation.ledger import LEDGER
from adata_assets.annotation.store import OBS
from adata_assets.artefact import Artefact
from adata_assets.expiry import earliest_end
from adata_assets.hub.card_captions import count_captions
from adata_assets.hub.card_leakage import describe_leakage
from adata_assets.hub.card_negatives import describe_negatives
from adata_assets.hub.card_overview import describe_known
from adata_assets.hub.configs import ConfigFiles, write_configs
from adata_assets.hub.dataset_card import CardFacts, build_card, count_labelled
from adata_assets.hub.descriptions import write_descriptions
from adata_assets.hub.manifest import state_negatives
from adata_assets.hub.split_rows import WrittenSplit, write_split
from adata_assets.hub.split_vectors import state_space
from adata_assets.leakage.store import read_leakage
from adata_assets.rows.parquet import ShardInfo
from adata_assets.scorecard.store import TABLE as SCORECARD
from adata_assets.spec import ConfigSpec, DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice, deal_chunks
from adata_assets.tables import read_table

CARD = "README.md"


@dataclass(frozen=True)
class ReleaseInputs:
    """The artefacts of one release; all of one generation.

    Attributes
    ----------
    embedding
        By partition key, that of ``negatives.hard_by``; empty without hard negatives.
    """

    annotated: Artefact
    ledger: Artefact
    leakage: Artefact
    cell_texts: Mapping[str, Artefact]
    share_links: Mapping[str, Artefact]
    scorecard: Artefact | None = None
    embedding: Mapping[str, Artefact] = field(default_factory=dict)

    @property
    def all(self) -> list[Artefact]:
        """Every artefact, in a fixed order."""
        keys = sorted(self.cell_texts)
        return [
            self.annotated,
            self.ledger,
            self.leakage,
            *([self.scorecard] if self.scorecard else []),
            *(self.cell_texts[key] for key in keys),
            *(self.share_links[key] for key in keys),
            *(self.embedding[key] for key in keys if self.embedding),
        ]

    @property
    def links_end(self) -> str | None:
        """When the first link ends; None: never."""
        return earliest_end(links.metadata["expires_at"] for links in self.share_links.values())

    @property
    def shared(self) -> list[str]:
        """Names in the share store of all files that rows link to."""
        return sorted({n for links in self.share_links.values() for n in links.metadata["shared"]})

    def chunks(self) -> list[ChunkSlice]:
        """Return the slices of the current dataset order."""
        return deal_chunks(self.annotated.metadata["split_sizes"], len(self.cell_texts))


def write_hf_splits(
    spec: DatasetSpec, inputs: ReleaseInputs, folder: Path, *, scratch: Path | None = None
) -> dict[str, Any]:
    """Write the rows of every split, the card, its pictures and what machines read of it.

    Returns
    -------
    ``n_rows`` and ``n_bytes`` per split; ``shared``, the names of linked files; ``expires_at``, when
    the first link ends; ``contains_label``, the sentences in which the cell type
    stands for some train cells.
    """
    chunks = inputs.chunks()
    n_negatives: dict[str, dict[str, int]] = {}

    def write_texts(config: ConfigSpec | None) -> dict[str, list[ShardInfo]]:
        written = _write_texts(spec, inputs, chunks, folder, scratch=scratch, config=config)
        table = config.name if config else "data"
        n_negatives.update({f"{table}/{split}": own.n_negatives for split, own in written.items()})
        return {split: own.shards for split, own in written.items()}

    shards = write_texts(None)
    configs = write_configs(spec, inputs.annotated, chunks, folder, write_texts=write_texts)
    hard_by = state_space(spec, inputs.embedding)
    told = describe_negatives(spec, n_negatives, hard_by)
    facts = _gather_facts(inputs, shards, configs, told, folder)
    (folder / CARD).write_text(build_card(spec, facts), encoding="utf-8")
    write_descriptions(
        folder,
        spec,
        inputs.all,
        ledger=facts.ledger,
        captions=facts.captions,
        columns=list(facts.example),
        negatives=state_negatives(spec, n_negatives, hard_by),
    )
    return {
        "n_rows": {split: sum(s.n_rows for s in found) for split, found in shards.items()},
        "n_bytes": {split: sum(s.n_bytes for s in found) for split, found in shards.items()},
        "example": facts.example,
        "shared": inputs.shared,
        "expires_at": inputs.links_end,
        "contains_label": [key for key, n in count_labelled(facts.n_genes).items() if n],
    }


def _gather_facts(
    inputs: ReleaseInputs,
    shards: Mapping[str, list[ShardInfo]],
    configs: Sequence[ConfigFiles],
    negatives: str,
    folder: Path,
) -> CardFacts:
    first = next(iter(shards.values()))[0]
    example = pq.ParquetFile(folder / first.file_name).read_row_group(0).slice(0, 1).to_pylist()[0]
    columns = ["split", "caption", "caption_id", "known_facts"]
    obs = read_table(inputs.annotated.local(OBS), columns)
    keys = [chunk.partition_key for chunk in inputs.chunks()]
    return CardFacts(
        shards=shards,
        example=example,
        about=[inputs.share_links[key].metadata["about"] for key in keys],
        n_genes=[inputs.cell_texts[key].metadata for key in keys],
        annotated=inputs.annotated.metadata,
        links_end=inputs.links_end,
        configs=configs,
        negatives=negatives,
        ledger=read_table(inputs.ledger.local(LEDGER)),
        captions=count_captions(obs),
        known=describe_known(obs["known_facts"][obs["split"].notna()]),
        leakage=describe_leakage(*read_leakage(inputs.leakage)),
        scorecard=_copy_scorecard(inputs.scorecard, folder) if inputs.scorecard else None,
    )


def _copy_scorecard(scorecard: Artefact, folder: Path) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    for file in scorecard.metadata["figures"].values():
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(scorecard.local(file), folder / file)
    return read_table(scorecard.local(SCORECARD)), scorecard.metadata


def _write_texts(
    spec: DatasetSpec,
    inputs: ReleaseInputs,
    chunks: list[ChunkSlice],
    folder: Path,
    *,
    scratch: Path | None,
    config: ConfigSpec | None,
) -> dict[str, WrittenSplit]:
    return {
        split: write_split(
            spec,
            inputs.annotated,
            inputs.cell_texts,
            inputs.share_links,
            [chunk for chunk in chunks if chunk.split == split],
            folder,
            embedding=inputs.embedding,
            scratch=scratch,
            config=config,
        )
        for split in inputs.annotated.metadata["split_sizes"]
    }
