"""``manifest.json`` of a published folder: what belongs to it, byte by byte and column by column.

Belongs here: writing and reading it. It holds no time, host or path, so that the same inputs, spec
and library versions give the same bytes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from adata_assets import __version__
from adata_assets.artefact import hash_of
from adata_assets.commit import list_files
from adata_assets.errors import InputError
from adata_assets.hub.content import group_shards, hash_table
from adata_assets.spec import DatasetSpec

MANIFEST = "manifest.json"
MADE_BY = "adata_assets"
MANIFEST_VERSION = 1
# Those whose versions can change published bytes.
_PACKAGES = ("anndata", "h5py", "numba", "numpy", "pandas", "pyarrow", "scipy", "zarr")
# Where and when a dataset is made; its content is in the generation.
_NOT_HASHED = {"source", "share", "owners", "schedule", "automate", "publish"}


def write_manifest(folder: Path, stated: Mapping[str, Any]) -> None:
    """Write ``manifest.json`` for all other files of a folder.

    Parameters
    ----------
    stated
        What the files do not say themselves, as `state_dataset` returns it; ``dataset_id`` at
        least.
    """
    files = {name: entry for name, entry in list_files(folder).items() if name != MANIFEST}
    tables = {
        table: asdict(hash_table(folder / shard for shard in shards))
        for table, shards in group_shards(files).items()
    }
    told = {"made_by": MADE_BY, "manifest_version": MANIFEST_VERSION, **stated}
    text = json.dumps({**told, "files": files, "tables": tables}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def state_dataset(
    spec: DatasetSpec, generation: Mapping[str, str], links: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """Return what a manifest says of the dataset.

    Parameters
    ----------
    generation
        Data versions that all parts agree on.
    links
        ``ShareLinkSchema`` rows of each chunk.
    """
    published = spec.publish
    return {
        "dataset_id": spec.dataset_id,
        "format": spec.format,
        "generation": dict(generation),
        "license": spec.license,
        "load_id": spec.repo_id,
        "packages": {MADE_BY: __version__, **_read_versions()},
        "repo_id": published.repo_id if published else None,
        "shared_files": _list_shared(links),
        "spec_sha256": hash_of(spec.model_dump(mode="json", exclude=_NOT_HASHED)),
    }


def state_negatives(
    spec: DatasetSpec,
    counts: Mapping[str, Mapping[str, int]],
    hard_by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a manifest says of negatives; empty for rows that have none.

    Parameters
    ----------
    counts
        For each table, ``<folder>/<split>``, its negatives of each kind.
    hard_by
        The space in which hard ones are near; None: there are none.
    """
    if spec.format == "single":
        return {}
    told = {table: dict(own) for table, own in counts.items()}
    return {"negatives": {"counts": told, "hard_by": hard_by and dict(hard_by)}}


@functools.cache
def _read_versions() -> dict[str, str]:
    return {name: version(name) for name in _PACKAGES}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a published folder.

    Raises
    ------
    InputError
        If there is none, or it is not one of this package.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} has no {MANIFEST}: it is not a published folder")
    told = parse_manifest(path.read_bytes())
    if told is None:
        raise InputError(f"{path} is not a manifest of {MADE_BY}: materialize hf_splits again")
    return told


def parse_manifest(text: bytes) -> dict[str, Any] | None:
    """Return a manifest, or None if the text is not one of this package."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    is_ours = isinstance(told, dict) and told.get("made_by") == MADE_BY
    return told if is_ours and {"files", "dataset_id"} <= set(told) else None


def _list_shared(links: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, Any]]:
    return {
        str(row.remote_name): {
            "chunk": chunk,
            "kind": str(row.kind),
            "n_bytes": int(row.n_bytes),
            "n_obs": int(row.n_obs),
            "sha256": str(row.sha256),
        }
        for chunk, table in sorted(links.items())
        for row in table.itertuples()
    }
