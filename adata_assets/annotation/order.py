"""The second pass over the raw files: their counts in dataset order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adata_assets.annotation.counts.reading import CountsPlace
from adata_assets.annotation.raw_cells import RawCounts, load_raw_cells
from adata_assets.annotation.store import OBS, read_genes, read_in_order, read_positions
from adata_assets.artefact import Artefact, hash_of
from adata_assets.matrix.counts import CountsSummary, write_counts
from adata_assets.sources.raw import RawFile
from adata_assets.tables import read_table

COUNTS = "counts.zarr"


def write_ordered_counts(
    files: Sequence[RawFile], annotated: Artefact, folder: Path, *, scratch: Path
) -> CountsSummary:
    """Write ``counts.zarr`` into ``folder``.

    Parameters
    ----------
    files
        The raw files that ``annotated`` was made from.
    annotated
        The ``annotated_obs`` artefact.

    Returns
    -------
    The summary; its ``content_hash`` covers cell ids, gene ids and counts.

    Raises
    ------
    NotCountsError
        If a value is not a count.
    """
    tables = annotated.local(OBS).parent
    genes = read_genes(tables)
    totals = None
    if annotated.metadata["keys"]["totals"]:
        totals = read_table(tables / OBS, ["total_counts_source"])["total_counts_source"].to_numpy()
    counts = RawCounts(
        load_raw_cells(files),
        [CountsPlace(**place) for place in annotated.metadata["counts"]],
        annotated.metadata["n_features"],
        totals=totals,
        scratch=scratch,
    )
    summary = write_counts(
        counts,
        position=read_positions(tables),
        gene_index=genes.gene_index,
        n_genes=len(genes.var),
        path=folder / COUNTS,
        scratch=scratch,
    )
    names = [read_in_order(tables, "sample_idx"), genes.var["gene_id"]]
    content = hash_of([summary.content_hash, *(hash_of("\n".join(ids)) for ids in names)])
    return replace(summary, content_hash=content)
