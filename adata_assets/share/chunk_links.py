"""Share the two files of one chunk: an artefact in, a table of links out."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.chunk.files import H5AD, ZARR_ZIP
from adata_assets.share import open_dataset_store
from adata_assets.share.contract import ShareError, remote_name
from adata_assets.spec import DatasetSpec

_FILE_OF = {"share_link": (H5AD, ".h5ad"), "adata_link": (ZARR_ZIP, ".zarr.zip")}


def share_chunk(spec: DatasetSpec, chunk_files: Artefact, *, root: UPath) -> pd.DataFrame:
    """Put both files into the store, read them back, return ``ShareLinkSchema`` rows.

    Raises
    ------
    ShareError
        If a file is not the one that its manifest states, could not be put, or its link does not
        serve its bytes.
    """
    if damaged := chunk_files.damaged_files():
        raise ShareError(
            f"{spec.dataset_id}/{chunk_files.name} cannot be shared: {'; '.join(damaged)}; run "
            f"adata-assets materialize {spec.dataset_id} --force chunk_files"
        )
    store = open_dataset_store(spec, root=root)
    rows = []
    for kind, (file, suffix) in _FILE_OF.items():
        sha256 = chunk_files.files[file]["sha256"]
        name = remote_name(chunk_files.partition_key or "", sha256, suffix)
        link = store.put(chunk_files.local(file), name)
        store.probe(link)
        if kind == "adata_link":
            link = replace(link, url=store.adata_url(chunk_files.local(file), link))
        rows.append({"kind": kind, **vars(link), "n_obs": chunk_files.metadata["n_obs"]})
    links = pd.DataFrame(rows)
    links["expires_at"] = links["expires_at"].map(lambda at: at.isoformat() if at else None)
    return links.astype({"expires_at": object})
