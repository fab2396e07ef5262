"""Share the two files of one chunk: an artefact in, a table of links out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.chunk.files import H5AD, ZARR_ZIP
from adata_assets.expiry import require_time_left
from adata_assets.share import open_dataset_store
from adata_assets.share.base.progress import UploadProgress
from adata_assets.share.contract import (
    DamagedError,
    Progress,
    ShareError,
    ShareLink,
    ShareStore,
    remote_name,
    silent,
)
from adata_assets.spec import DatasetSpec

_FILE_OF = {"share_link": (H5AD, ".h5ad"), "adata_link": (ZARR_ZIP, ".zarr.zip")}


def share_chunk(
    spec: DatasetSpec, chunk_files: Artefact, *, root: UPath, say: Callable[[str], None]
) -> pd.DataFrame:
    """Put both files into the store, read them back, return ``ShareLinkSchema`` rows.

    Parameters
    ----------
    say
        Hears how far a long upload is.

    Raises
    ------
    InputError
        If a link would end before it can be made anew.
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
        link = put_and_read_back(
            store, chunk_files.local(file), name, report=UploadProgress(name, say)
        )
        require_time_left(name, link.expires_at, spec.share.refresh_before_s)
        if kind == "adata_link":
            link = replace(link, url=store.adata_url(chunk_files.local(file), link))
        rows.append({"kind": kind, **vars(link), "n_obs": chunk_files.metadata["n_obs"]})
    links = pd.DataFrame(rows)
    links["expires_at"] = links["expires_at"].map(lambda at: at.isoformat() if at else None)
    return links.astype({"expires_at": object})


def put_and_read_back(
    store: ShareStore, file: Path, name: str, *, report: Progress = silent
) -> ShareLink:
    """Put a file and read its link back; what is damaged in the store is put once more.

    Raises
    ------
    ShareError
        If it could not be put, or its link does not serve its bytes.
    """
    link = store.put(file, name, report=report)
    try:
        store.probe(link)
    except DamagedError:
        # Size and stated sha256 can be right where the bytes are not, so put would keep them.
        store.revoke(name)
        link = store.put(file, name, report=report)
        store.probe(link)
    return link
