"""What a reader without login finds behind the links of a dataset, in any share store.

Belongs here: fetching, comparing and running as a stranger does. Which store it is and what it holds
is known to the test that asks.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import pandas as pd
import requests

from adata_assets.hub.card import code_blocks
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import LINKS, read_all_rows, read_card, read_zarr_zip

_FETCH = """
import hashlib, json, os, sys, urllib.request
hashes = {u: hashlib.sha256(urllib.request.urlopen(u).read()).hexdigest() for u in json.load(sys.stdin)}
print(json.dumps({"variables": sorted(os.environ), "sha256": hashes}))
"""


def recorded_links(dataset: Dataset) -> pd.DataFrame:
    """Return what was recorded of every shared file."""
    keys = dataset.graph.chunk_keys
    tables = [dataset.load("share_links", key).local("share_links.parquet") for key in keys]
    return pd.concat(map(read_table, tables), ignore_index=True)


def hash_as_stranger(urls: Sequence[str]) -> dict[str, str]:
    """Return the sha256 behind each link, from a process whose environment is empty."""
    ended = subprocess.run(
        [sys.executable, "-I", "-c", _FETCH],
        input=json.dumps(list(urls)),
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["variables"] == ["LC_ALL"]
    return dict(told["sha256"])


def require_files_of_rows(dataset: Dataset, folder: Path) -> None:
    """S13, S14, C10, C11: each row's two links serve its cell, in two files that hold the same."""
    rows = read_all_rows(dataset)
    assert rows[LINKS].notna().all(axis=None)
    pairs = rows.groupby(LINKS)["sample_idx"]
    assert len(pairs) == len(dataset.graph.chunk_keys)
    for (share_link, adata_link), ids in pairs:
        h5ad, zipped = (requests.get(link, timeout=60) for link in (share_link, adata_link))
        assert (h5ad.status_code, zipped.status_code) == (200, 200)
        assert h5ad.content[:8] == b"\x89HDF\r\n\x1a\n"
        assert urlsplit(share_link).path.endswith(".h5ad")
        expected = ad.read_h5ad(io.BytesIO(h5ad.content))
        assert set(expected.obs_names) == set(ids)
        assert expected[expected.obs.index == ids.iloc[0]].shape == (1, expected.n_vars)
        _require_same(expected, zipped.content, folder / "chunk.zarr.zip")


def _require_same(expected: ad.AnnData, content: bytes, path: Path) -> None:
    path.write_bytes(content)
    assert "zarr.json" in zipfile.ZipFile(path).namelist()
    found = read_zarr_zip(path)
    assert list(found.obs_names) == list(expected.obs_names)
    assert (found.X != expected.X).nnz == 0
    assert sorted(found.obsm) == sorted(expected.obsm)
    for key, values in expected.obsm.items():
        np.testing.assert_array_equal(found.obsm[key], values)


def run_card(dataset: Dataset, home: Path) -> list[str]:
    """S15: return what the card's Python blocks print, run verbatim in the storage root."""
    root = Path(dataset.storage.root.path)
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(code_blocks(read_card(dataset)))],
        cwd=root,
        env={**os.environ, "HF_HOME": str(home), "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    (root / "adata.h5ad").unlink(missing_ok=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()
