"""What a dataset promises, looked for in stored artefacts; every breach is named at once.

Belongs here: plain functions that return ``(breaches, number checked)``. How a breach is shown is
the matter of ``checks``.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import LEDGER, OBS, read_in_order
from adata_assets.matrix.counts import open_counts
from adata_assets.schemas.slots import ChunkSlots
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import deal_chunks, find_chunk
from adata_assets.storage import Artefact, Storage
from adata_assets.tables import read_table

Breaches = tuple[list[str], int]


def find_annotation_breaches(annotated: Artefact) -> Breaches:
    """Compare the ledger with the raw cells, and the groups with the splits."""
    obs = read_table(
        annotated.local(OBS), ["group", "split", "position"], categories=["group", "split"]
    )
    ledger = read_table(annotated.local(LEDGER))
    breaches = []
    if (found := int(ledger["n_obs"].sum())) != len(obs):
        breaches.append(f"the ledger accounts for {found} of {len(obs)} raw cells")
    places = np.sort(obs["position"][obs["position"] >= 0].to_numpy())
    if not np.array_equal(places, np.arange(len(places))):
        breaches.append("the places in the dataset order are not 0 … n_obs - 1, each once")
    if annotated.metadata["split_by"] == "group":
        kept = obs.dropna(subset=["split"])
        in_two = kept.groupby("group", observed=True)["split"].nunique()
        breaches += [f"group {group!r} is in several splits" for group in in_two.index[in_two > 1]]
    return breaches, len(obs)


def find_counts_breaches(annotated: Artefact, counts: Artefact) -> Breaches:
    """Compare each cell's sum with the sum of the raw file's counts."""
    matrix = open_counts(counts.local(COUNTS))
    tables = annotated.local(OBS).parent
    expected, ids = read_in_order(tables, "n_counts"), read_in_order(tables, "sample_idx")
    if matrix.n_obs != len(expected):
        return [f"{matrix.n_obs} cells are stored, {len(expected)} are published"], matrix.n_obs
    breaches = []
    for start, block in matrix.iter_blocks(0, matrix.n_obs):
        found = np.asarray(block.sum(axis=1, dtype=np.int64)).ravel()
        wrong = np.flatnonzero(found != expected[start : start + len(found)])
        breaches += [
            f"{ids[start + i]}: counts sum to {found[i]}, the raw file to {expected[start + i]}"
            for i in wrong
        ]
    return breaches, matrix.n_obs


def find_model_breaches(model: Artefact) -> Breaches:
    """Look for values that are not finite."""
    from adata_assets.embedders.apply import MODEL, load_model

    arrays = load_model(model.local(MODEL))
    bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    return [f"{name} holds values that are not finite" for name in bad], len(arrays)


def find_chunk_breaches(spec: DatasetSpec, annotated: Artefact, chunk_files: Artefact) -> Breaches:
    """Open both files as a stranger would and hold them against the slots contract."""
    import anndata
    import zarr

    from adata_assets.chunk.files import H5AD, ZARR_ZIP

    chunk = find_chunk(annotated.metadata["split_sizes"], chunk_files.partition_key or "")
    ids = read_in_order(annotated.local(OBS).parent, "sample_idx")[chunk.start : chunk.stop]
    slots = ChunkSlots(list(ids), [f"X_{embedder.name}" for embedder in spec.embedders])
    breaches = [
        f"{H5AD}: {b}" for b in slots.find_breaches(anndata.read_h5ad(chunk_files.local(H5AD)))
    ]
    with zarr.storage.ZipStore(chunk_files.local(ZARR_ZIP), mode="r") as store:
        breaches += [f"{ZARR_ZIP}: {b}" for b in slots.find_breaches(anndata.read_zarr(store))]
    return breaches, chunk.n_obs


def find_expired_links(share_links: Artefact) -> Breaches:
    """Compare the earliest end of the links with now."""
    table = read_table(share_links.local("share_links.parquet"))
    now = datetime.now(UTC)
    return [
        f"{row.kind} expired at {row.expires_at}; materialize share_links again"
        for row in table.itertuples()
        if row.expires_at is not None and datetime.fromisoformat(row.expires_at) <= now
    ], len(table)


def find_row_breaches(spec: DatasetSpec, storage: Storage, published: Artefact) -> Breaches:
    """Hold ids, links and negatives of the published rows against the chunks (S11 to S13, C3 to C6)."""
    annotated = storage.load(spec.dataset_id, "annotated_obs")
    ids = pd.Index(read_in_order(annotated.local(OBS).parent, "sample_idx"))
    n_per_cell = 2 if spec.format == "pairs" else 1
    sizes = annotated.metadata["split_sizes"]
    breaches, first, links = [], 0, []
    for split, n_obs in sizes.items():
        rows = _read_split(published, split, spec)
        own = ids[first : first + n_obs]
        if not np.array_equal(rows["sample_idx"].to_numpy(), np.repeat(own, n_per_cell)):
            breaches.append(f"{split}: sample_idx is not the split's {n_obs} cells in order")
        for name in [name for name in rows if name.startswith("negative_")]:
            outside = ~rows[name].isin(own)
            own_slot = rows[name] == rows["sample_idx"]
            breaches += [f"{split}, {name}: {v!r} is not in the split" for v in rows[name][outside]]
            breaches += [
                f"{split}, {name}: {v!r} is its own negative" for v in rows[name][own_slot]
            ]
        links.append(rows["share_link"].to_numpy()[::n_per_cell])
        first += n_obs
    shared = np.concatenate(links)
    n_chunks = len({name for name in published.inputs if name.startswith("share_links@")})
    for chunk in deal_chunks(sizes, n_chunks):
        if len(set(shared[chunk.start : chunk.stop])) != 1:
            breaches.append(f"chunk {chunk.partition_key}: its rows carry several share links")
    return breaches + _repeated(ids), len(ids)


def _read_split(published: Artefact, split: str, spec: DatasetSpec) -> pd.DataFrame:
    names = [name for name in sorted(published.files) if name.startswith(f"data/{split}-")]
    negatives = range(1, spec.negatives_per_sample + 1) if spec.format == "multiplets" else ()
    columns = ["sample_idx", "share_link", *(f"negative_{i}_idx" for i in negatives)]
    return pd.concat(
        [read_table(published.local(n), columns, categories=["share_link"]) for n in names],
        ignore_index=True,
    )


def _repeated(ids: pd.Index) -> list[str]:
    return [f"sample_idx {name!r} occurs more than once" for name in ids[ids.duplicated()].unique()]
