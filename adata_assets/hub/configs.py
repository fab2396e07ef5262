"""The configs beside the default one: further texts, the cells, the labels.

Belongs here: which there are, their files, and what the card says of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from adata_assets.artefact import Artefact
from adata_assets.hub import cells_table, labels_table
from adata_assets.hub.markdown import code_span
from adata_assets.rows.parquet import ShardInfo, list_features
from adata_assets.spec import ConfigSpec, DatasetSpec
from adata_assets.splitting.chunks import ChunkSlice


@dataclass(frozen=True)
class ConfigFiles:
    """One config as it was written.

    Attributes
    ----------
    name
        What ``load_dataset`` is given; also the folder of its files.
    shards
        Files by split.
    features
        Columns as ``dataset_info`` of `datasets` names them.
    about
        What it holds, Markdown of one line.
    """

    name: str
    shards: Mapping[str, Sequence[ShardInfo]]
    features: Sequence[Mapping[str, str]]
    about: str


def write_configs(
    spec: DatasetSpec,
    annotated: Artefact,
    chunks: Sequence[ChunkSlice],
    folder: Path,
    *,
    write_texts: Callable[[ConfigSpec], Mapping[str, list[ShardInfo]]],
) -> list[ConfigFiles]:
    """Write every config but the default one.

    Parameters
    ----------
    chunks
        All of the dataset, in order.
    write_texts
        Writes the rows of a config that has other texts.
    """
    found = [
        _describe(folder, config.name, write_texts(config), _about_texts(spec, config))
        for config in spec.configs
    ]
    cells = cells_table.write_cells_table(spec, annotated, chunks, folder)
    found.append(_describe(folder, cells_table.TABLE, cells, _ABOUT_CELLS))
    if labels := labels_table.write_labels_table(annotated, folder):
        found.append(_describe(folder, labels_table.TABLE, labels, _ABOUT_LABELS))
    return found


_ABOUT_CELLS = (
    "one row per cell without its texts: the obs columns of the source, the harmonised ones, "
    "`split`, `caption_id` (equal for captions that say the same), `caption_facts` (what the caption "
    "states), `caption_source`, `caption_template`, `known_facts` and `known_terms` (what is known of "
    "the cell, and its ontology terms), `label_id`. Look a cell up by its `sample_idx` here"
)
_ABOUT_LABELS = (
    "the cell types of the dataset as candidates for zero-shot classification: `label`, its ontology "
    "term, a `text`, and how many cells of each split have it; one table, in the split `train`, which "
    "is what `datasets` calls a table without splits"
)


def describe_configs(configs: Sequence[ConfigFiles]) -> str:
    """Return what the card says of the configs.

    Examples
    --------
    >>> print(describe_configs([ConfigFiles("cells", {}, [], "one row per cell")]))
    Without a name `load_dataset` opens the rows described above. Further configs, by name:
    <BLANKLINE>
    - `cells`: one row per cell.
    """
    lines = [f"- {code_span(config.name)}: {config.about}." for config in configs]
    text = "Without a name `load_dataset` opens the rows described above. Further configs, by name:"
    return "\n".join([text, "", *lines])


def describe_choices(spec: DatasetSpec) -> str:
    """Return what is not as usual in the rows of the default config; empty if nothing is.

    Examples
    --------
    >>> spec = DatasetSpec(dataset_id="demo", title="Demo", source="a.h5ad", chunks={"count": 3},
    ...                    sentences={"rank_by": "counts_over_median"})
    >>> describe_choices(spec)
    "Genes are sorted by their counts over the gene's median of non-zero values on train."
    """
    said = []
    if spec.sentences.rank_by != "counts":
        said.append(
            "Genes are sorted by their counts over the gene's median of non-zero values on train."
        )
    if spec.sentences.gene_set != "all":
        said.append(
            f"Cell sentences name {_GENE_SETS[spec.sentences.gene_set]} genes only; a cell that "
            "expresses none of them is described by all its genes."
        )
    return " ".join(said)


_GENE_SETS = {"protein_coding": "protein-coding", "hvg": "highly variable"}


def _about_texts(spec: DatasetSpec, config: ConfigSpec) -> str:
    said = []
    rules = spec.sentences_of(config)
    if config.changes:
        said.append(
            f"cell sentences of at most {rules.length} genes (gene set {rules.gene_set}, sorted by "
            f"{rules.rank_by.replace('_', ' ')})"
        )
    if config.caption:
        said.append(f"captions of the obs column {code_span(config.caption)}")
    return f"the same rows with {' and '.join(said) or 'the same texts'}"


def _describe(
    folder: Path, name: str, shards: Mapping[str, list[ShardInfo]], about: str
) -> ConfigFiles:
    first = next(iter(shards.values()))[0]
    return ConfigFiles(name, shards, list_features(pq.read_schema(folder / first.file_name)), about)
