"""The config ``labels``: the cell types of the dataset as candidates for zero-shot classification.

Belongs here: one row per cell type, with its ontology term, a text and how many cells have it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa

from adata_assets.annotation.captions.templates import DEFAULT_TEMPLATE, render
from adata_assets.annotation.harmonised.ontology import find_term
from adata_assets.annotation.store import OBS
from adata_assets.artefact import Artefact
from adata_assets.hub.cells_table import label_id_of
from adata_assets.rows.parquet import ShardInfo, SplitWriter
from adata_assets.tables import read_table

TABLE = "labels"
# What `datasets` calls a table that has no splits.
SPLIT = "train"
_FIELD = "cell_type"


def write_labels_table(annotated: Artefact, folder: Path) -> dict[str, list[ShardInfo]]:
    """Write the config's file, by its one split; nothing where no published cell has a type."""
    columns = [_FIELD, "split", "known_terms"]
    obs = read_table(annotated.local(OBS), columns, categories=columns).dropna(
        subset=[_FIELD, "split"]
    )
    if obs.empty:
        return {}
    with SplitWriter(folder, SPLIT, table=TABLE) as writer:
        writer.write(list_labels(obs, list(annotated.metadata["split_sizes"])))
    return {SPLIT: writer.close()}


def list_labels(obs: pd.DataFrame, splits: list[str]) -> pa.Table:
    """Return one row per cell type, sorted by its words.

    Parameters
    ----------
    obs
        Columns ``cell_type``, ``split`` and ``known_terms`` (JSON) of cells that have a type.
    splits
        Those to count in.

    Returns
    -------
    ``label_id`` (as in the config ``cells``), ``label`` (as in the file), ``ontology_term_id`` and
    ``ontology_label`` (of the most frequent term, null where none is known), ``text`` (the label as
    the captions of held-out splits word it), ``n_<split>``.
    """
    rows = []
    for label, own in obs.groupby(_FIELD, observed=True, sort=True):
        term_id = _find_common_term(own["known_terms"])
        term = find_term(_FIELD, term_id) if term_id else None
        counts = own["split"].value_counts()
        rows.append(
            {
                "label_id": label_id_of(str(label)),
                "label": str(label),
                "ontology_term_id": term_id,
                "ontology_label": term.label if term else None,
                "text": render(DEFAULT_TEMPLATE, {_FIELD: str(label)}),
                **{f"n_{split}": int(counts.get(split, 0)) for split in splits},
            }
        )
    texts = [(name, pa.string()) for name in rows[0] if not name.startswith("n_")]
    counts_of = [(f"n_{split}", pa.int64()) for split in splits]
    return pa.Table.from_pylist(rows, schema=pa.schema([*texts, *counts_of]))


def _find_common_term(known_terms: pd.Series) -> str | None:
    counts = known_terms.value_counts()
    found: dict[str, int] = {}
    for text, n in counts[counts > 0].items():
        if term := json.loads(text).get(_FIELD):
            found[term] = found.get(term, 0) + int(n)
    return min(found, key=lambda term: (-found[term], term)) if found else None
