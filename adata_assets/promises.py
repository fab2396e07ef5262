"""What a dataset promises, looked for in stored artefacts; every breach is named at once.

Belongs here: plain functions that return ``(breaches, number checked)``. How a breach is shown is
the matter of ``checks``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from adata_assets.annotation.captions.check import find_caption_breaches
from adata_assets.annotation.captions.known import known_of
from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import OBS, SOURCE_OBS, read_arrow_in_order, read_in_order
from adata_assets.annotation.values import clean_values
from adata_assets.artefact import Artefact
from adata_assets.expiry import ends_within
from adata_assets.matrix.counts import open_counts
from adata_assets.schemas.slots import ChunkSlots
from adata_assets.spec import DatasetSpec
from adata_assets.splitting.chunks import deal_chunks, find_chunk
from adata_assets.storage import Storage
from adata_assets.tables import read_table

Breaches = tuple[list[str], int]


def find_annotation_breaches(annotated: Artefact) -> Breaches:
    """Look at the dataset order, and compare the groups with the splits."""
    obs = read_table(
        annotated.local(OBS), ["group", "split", "position"], categories=["group", "split"]
    )
    breaches = []
    places = np.sort(obs["position"][obs["position"] >= 0].to_numpy())
    if not np.array_equal(places, np.arange(len(places))):
        breaches.append("the places in the dataset order are not 0 … n_obs - 1, each once")
    if annotated.metadata["split_by"] == "group":
        kept = obs.dropna(subset=["split"])
        in_two = kept.groupby("group", observed=True)["split"].nunique()
        breaches += [f"group {group!r} is in several splits" for group in in_two.index[in_two > 1]]
        breaches += _find_shared_values(annotated, obs["split"])
    return breaches, len(obs)


def _find_shared_values(annotated: Artefact, split: pd.Series) -> list[str]:
    """Values of group columns in several splits, where a group is made of several values."""
    columns = annotated.metadata["dealing"]["group_columns"]
    breaches = []
    for column in columns if len(columns) > 1 else ():
        values = clean_values(read_table(annotated.local(SOURCE_OBS), [column])[column])
        in_two = split.astype(object).groupby(values).nunique()
        breaches += [f"{column} {v!r} is in several splits" for v in in_two.index[in_two > 1]]
    return breaches


def find_caption_breaches_of(annotated: Artefact) -> Breaches:
    """Read every made caption back and hold it against the cell's own columns."""
    said = ["sample_idx", "caption", "caption_template", "caption_facts", "caption_source"]
    obs = read_table(annotated.local(OBS), said)
    known = known_of(read_table(annotated.local(SOURCE_OBS)), annotated.metadata["keys"])
    return find_caption_breaches(obs, known), len(obs)


def find_counts_breaches(annotated: Artefact, counts: Artefact) -> Breaches:
    """Compare each cell's sum with the sum of the raw file's counts."""
    matrix = open_counts(counts.local(COUNTS))
    tables = annotated.local(OBS).parent
    expected = read_in_order(tables, "n_counts")
    if matrix.n_obs != len(expected):
        return [f"{matrix.n_obs} cells are stored, {len(expected)} are published"], matrix.n_obs
    found = np.concatenate(
        [
            np.asarray(block.sum(axis=1, dtype=np.int64)).ravel()
            for _, block in matrix.iter_blocks(0, matrix.n_obs)
        ]
    )
    wrong = np.flatnonzero(found != expected)
    if not len(wrong):
        return [], matrix.n_obs
    ids = read_in_order(tables, "sample_idx")
    return [
        f"{ids[i]}: counts sum to {found[i]}, the raw file to {expected[i]}" for i in wrong
    ], matrix.n_obs


def find_model_breaches(model: Artefact) -> Breaches:
    """Look for values that are not finite."""
    from adata_assets.embedders.base.model import ARRAYS, load_model

    found = load_model(model.local(ARRAYS).parent)
    bad = [name for name, array in found.arrays.items() if not np.isfinite(array).all()]
    breaches = [f"{name} holds values that are not finite" for name in bad]
    if found.content_hash != model.data_version:
        breaches.append(f"its hash is {found.content_hash}, stated is {model.data_version}")
    return breaches, len(found.arrays)


def find_chunk_breaches(spec: DatasetSpec, annotated: Artefact, chunk_files: Artefact) -> Breaches:
    """Open both files as a stranger would and hold them against the slots contract."""
    import anndata
    import zarr

    from adata_assets.chunk.files import H5AD, ZARR_ZIP

    chunk = find_chunk(annotated.metadata["split_sizes"], chunk_files.partition_key or "")
    tables = annotated.local(OBS).parent
    ids = read_in_order(tables, "sample_idx", chunk.start, chunk.stop)
    slots = ChunkSlots(list(ids), [f"X_{embedder.name}" for embedder in spec.embedders])
    breaches = [
        f"{H5AD}: {b}" for b in slots.find_breaches(anndata.read_h5ad(chunk_files.local(H5AD)))
    ]
    with zarr.storage.ZipStore(chunk_files.local(ZARR_ZIP), mode="r") as store:
        breaches += [f"{ZARR_ZIP}: {b}" for b in slots.find_breaches(anndata.read_zarr(store))]
    return breaches, chunk.n_obs


def find_expired_links(share_links: Artefact) -> Breaches:
    """Compare the ends of the links with now."""
    return _find_ending(share_links, 0, "expired")


def find_ending_links(share_links: Artefact, refresh_before_s: int) -> list[str]:
    """Name the links that are to be made anew."""
    return _find_ending(share_links, refresh_before_s, "is to be made anew, it ends")[0]


def _find_ending(share_links: Artefact, seconds: int, what: str) -> Breaches:
    table = read_table(share_links.local("share_links.parquet"))
    return [
        f"{row.kind} {what} at {row.expires_at}; materialize share_links again"
        for row in table.itertuples()
        if ends_within(row.expires_at, seconds)
    ], len(table)


def find_row_breaches(spec: DatasetSpec, storage: Storage, published: Artefact) -> Breaches:
    """Hold ids, links and negatives of the published rows against the chunks (S11 to S13, C3 to C6)."""
    annotated = storage.load(spec.dataset_id, "annotated_obs")
    ids = read_arrow_in_order(annotated.local(OBS).parent, "sample_idx").combine_chunks()
    n_per_cell = 2 if spec.format == "pairs" else 1
    n_chunks = len({name for name in published.inputs if name.startswith("share_links@")})
    sizes = annotated.metadata["split_sizes"]
    chunks = deal_chunks(sizes, n_chunks)
    breaches, first = [], 0
    for split, n_obs in sizes.items():
        rows, own = _read_split(published, split, spec), ids.slice(first, n_obs)
        expected = own.take(pa.array(np.repeat(np.arange(n_obs), n_per_cell)))
        if not rows["sample_idx"].equals(pa.chunked_array([expected])):
            breaches.append(f"{split}: sample_idx is not the split's {n_obs} cells in order")
        breaches += _find_negative_breaches(split, rows, own)
        for chunk in (chunk for chunk in chunks if chunk.split == split):
            start, n_rows = (chunk.start - first) * n_per_cell, chunk.n_obs * n_per_cell
            if len(rows["share_link"].slice(start, n_rows).unique()) != 1:
                breaches.append(f"chunk {chunk.partition_key}: its rows carry several share links")
        first += n_obs
    counted = ids.value_counts()
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    breaches += [f"sample_idx {name!r} occurs more than once" for name in repeated.to_pylist()]
    return breaches, len(ids)


def _find_negative_breaches(split: str, rows: pa.Table, own: pa.StringArray) -> list[str]:
    breaches = []
    for name in (name for name in rows.column_names if name.startswith("negative_")):
        drawn = rows[name]
        outside = drawn.filter(pc.invert(pc.is_in(drawn, value_set=own)))
        itself = drawn.filter(pc.equal(drawn, rows["sample_idx"]))
        breaches += [f"{split}, {name}: {v!r} is not in the split" for v in outside.to_pylist()]
        breaches += [f"{split}, {name}: {v!r} is its own negative" for v in itself.to_pylist()]
    return breaches


def _read_split(published: Artefact, split: str, spec: DatasetSpec) -> pa.Table:
    names = [name for name in sorted(published.files) if name.startswith(f"data/{split}-")]
    has_ids = spec.format == "multiplets" and spec.negatives.form == "ids"
    negatives = range(1, spec.negatives_per_sample + 1) if has_ids else ()
    columns = ["sample_idx", "share_link", *(f"negative_{i}_idx" for i in negatives)]
    shards = [
        pq.read_table(published.local(name), columns=columns, page_checksum_verification=True)
        for name in names
    ]
    return pa.concat_tables(shards)
