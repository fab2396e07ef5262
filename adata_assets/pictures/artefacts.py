"""Pictures of stored artefacts, each by what it shows.

Belongs here: which columns are drawn. How they are drawn is in the other modules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adata_assets.annotation.store import OBS
from adata_assets.artefact import Artefact
from adata_assets.pictures.bars import draw_chunks, draw_histogram, draw_outcomes, draw_splits
from adata_assets.pictures.quality import draw_quality
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table

_METRICS = {
    "log10 counts": "total_counts_source",
    "log10 genes": "n_genes_source",
    "% mitochondrial": "pct_mt_source",
}
# Usage is a matter of many rows, not of all of them.
_MAX_ROWS_COUNTED = 500_000


def draw_annotated(annotated: Artefact) -> dict[str, bytes]:
    """Return pictures of the cells before and after cleaning, and of the splits."""
    labels = ["cell_type", "split"]
    obs = read_table(annotated.local(OBS), [*_METRICS.values(), "keep", *labels], categories=labels)
    is_kept = obs["keep"].to_numpy(bool)
    metrics = {label: obs[name].to_numpy(np.float64) for label, name in _METRICS.items()}
    kept = obs[is_kept]
    return {
        "quality": draw_quality(metrics, is_kept),
        "splits": draw_splits(kept["cell_type"], kept["split"]),
    }


def draw_ledger(ledger: pd.DataFrame) -> dict[str, bytes]:
    """Return a picture of where the raw cells went (``LedgerSchema``), all sources together."""
    counts = ledger.groupby(["outcome", "rule"])["n_obs"].sum()
    return {"outcomes": draw_outcomes({f"{what}: {rule}": n for (what, rule), n in counts.items()})}


def draw_sentence_lengths(n_genes: np.ndarray) -> dict[str, bytes]:
    """Return a picture of the lengths of cell sentences, int ``(n_obs,)``."""
    title = f"genes in the sentences of {len(n_genes):,} cells"
    return {
        "lengths": draw_histogram(n_genes, title=title, label="genes", counted="cells"),
    }


def draw_published(published: Artefact, chunks: Sequence[ChunkSlice]) -> dict[str, bytes]:
    """Return pictures of the chunks' sizes, and of how often each cell or text is a negative."""
    drawn = {"chunks": draw_chunks([c.n_obs for c in chunks], [c.split for c in chunks])}
    usage = count_negatives(published)
    if len(usage):
        drawn["negative usage"] = draw_histogram(
            usage,
            title=f"how often each of {len(usage):,} negatives is used ({chunks[0].split})",
            label="times used",
            counted="negatives",
        )
    return drawn


def count_negatives(published: Artefact) -> np.ndarray:
    """Return how often each negative of the first split occurs, int64; empty without negatives.

    Reads shards until ``_MAX_ROWS_COUNTED`` rows were seen.
    """
    found: list[pa.ChunkedArray] = []
    n_rows = 0
    for name in _first_split(published.files):
        with pq.ParquetFile(published.local(name)) as file:
            names = [n for n in file.schema_arrow.names if n.startswith("negative_")]
            table = file.read(columns=names) if names else None
        if table is None or n_rows >= _MAX_ROWS_COUNTED:
            break
        found += table.columns
        n_rows += table.num_rows
    if not found:
        return np.zeros(0, np.int64)
    drawn = pa.chunked_array([chunk for column in found for chunk in column.chunks])
    return np.asarray(pc.value_counts(drawn).field("counts").to_numpy(), np.int64)


def _first_split(files: Mapping[str, object]) -> list[str]:
    shards = sorted(name for name in files if name.startswith("data/"))
    train = [name for name in shards if name.startswith("data/train-")]
    return train or shards
