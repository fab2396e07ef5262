"""Published links looked at again: a sample of the chunks, another one every day.

Belongs here: which links are looked at, and what is said of dead ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from adata_assets.artefact import Artefact
from adata_assets.share import open_dataset_store
from adata_assets.share.contract import ShareError, ShareLink
from adata_assets.spec import DatasetSpec
from adata_assets.storage import Storage
from adata_assets.tables import read_table

N_CHUNKS = 10


def find_dead_links(
    spec: DatasetSpec, storage: Storage, published: Artefact
) -> tuple[list[str], int]:
    """Look at the links of up to ten chunks; return what is wrong, and how many were looked at.

    Parameters
    ----------
    published
        ``hf_splits``: its rows carry the links that are looked at.
    """
    store = open_dataset_store(spec, root=storage.root)
    dead, n_looked = [], 0
    for link in _draw_links(spec, storage, published):
        n_looked += 1
        try:
            store.probe(link, whole=False)
        except ShareError as error:
            dead.append(f"{error}; after that the splits follow")
    return dead, n_looked


def _draw_links(spec: DatasetSpec, storage: Storage, published: Artefact) -> Iterator[ShareLink]:
    names = sorted(name for name in published.inputs if name.startswith("share_links@"))
    rng = np.random.default_rng([spec.seed, datetime.now(UTC).toordinal()])
    for name in rng.choice(names, min(N_CHUNKS, len(names)), replace=False):
        stage, _, key = str(name).partition("@")
        table = read_table(storage.load(spec.dataset_id, stage, key).local("share_links.parquet"))
        for row in table.itertuples():
            # The path of a folder on this machine is no link.
            if "://" in row.url:
                yield ShareLink(row.url, row.sha256, row.n_bytes, None, row.store, row.remote_name)
