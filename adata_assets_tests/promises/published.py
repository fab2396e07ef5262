"""What a dataset has published, read as a stranger would: rows, linked files, bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import zarr

from adata_assets.commit import sha256_of
from adata_assets_tests.datasets import Dataset

LINKS = ["share_link", "adata_link"]


def read_rows(dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Return the rows of every split, in published order."""
    splits: dict[str, list[pd.DataFrame]] = {}
    for path in sorted((dataset.published / "data").glob("*.parquet")):
        splits.setdefault(path.name.split("-")[0], []).append(pd.read_parquet(path))
    known = [name for name in ("train", "validation", "test") if name in splits]
    assert sorted(known) == sorted(splits)
    return {name: pd.concat(splits[name], ignore_index=True) for name in known}


def read_all_rows(dataset: Dataset) -> pd.DataFrame:
    """Return the rows of all splits with their split's name in ``split``."""
    return pd.concat(
        [rows.assign(split=name) for name, rows in read_rows(dataset).items()], ignore_index=True
    )


def read_card(dataset: Dataset) -> str:
    """Return the dataset card."""
    return (dataset.published / "README.md").read_text(encoding="utf-8")


def linked_file(dataset: Dataset, url: str) -> Path:
    """Return the file of the local store that a link stands for."""
    folder, name = urlsplit(url).path.strip("/").split("/")
    return Path(dataset.storage.root.path) / "share" / folder / name


def read_files(dataset: Dataset) -> dict[str, ad.AnnData]:
    """Return the h5ad behind every share link, in the order of the rows."""
    links = read_all_rows(dataset)["share_link"].unique()
    return {link: ad.read_h5ad(linked_file(dataset, link)) for link in links}


def read_zarr_zip(path: Path) -> ad.AnnData:
    """Read a zip whose root is the zarr root."""
    with zarr.storage.ZipStore(path, mode="r") as store:
        return ad.read_zarr(store)


def hash_frame(frame: pd.DataFrame) -> str:
    """Return a hash of all values of a table, categories as what they stand for."""
    plain = frame.apply(lambda column: column.astype(object))
    return hashlib.sha256(plain.to_csv().encode()).hexdigest()


def values_of(dataset: Dataset) -> dict[str, str]:
    """Return a hash of everything published that must not depend on the chunks, embeddings aside."""
    values = {}
    for split, rows in read_rows(dataset).items():
        plain = rows.drop(columns=LINKS)
        ordered = plain.sort_values(list(plain.columns), ignore_index=True)
        values[f"rows of {split}"] = hash_frame(ordered)
        values[f"order of {split}"] = hash_frame(plain[["sample_idx"]])
    files = list(read_files(dataset).values())
    counts = sp.vstack([adata.X for adata in files], format="csr")
    parts = (counts.data, counts.indices, counts.indptr)
    values["X"] = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    obs = [adata.obs.apply(lambda column: column.astype(object)) for adata in files]
    values["obs"] = hash_frame(pd.concat(obs))
    values["var"] = "+".join(sorted({hash_frame(adata.var) for adata in files}))
    return values


def obsm_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Return every embedding over all cells, in dataset order."""
    files = list(read_files(dataset).values())
    return {key: np.concatenate([adata.obsm[key] for adata in files]) for key in files[0].obsm}


def bytes_of(dataset: Dataset) -> dict[str, str]:
    """Return the sha256 of every published and every shared file."""
    return bytes_in(Path(dataset.storage.root.path), dataset.spec.dataset_id)


def bytes_in(storage: Path, dataset_id: str) -> dict[str, str]:
    """Return them of a dataset in a storage root."""
    folders = {
        "hf_splits": storage / dataset_id / "hf_splits",
        "share": storage / "share" / dataset_id,
    }
    return {
        f"{name}/{path.relative_to(folder)}": sha256_of(path)
        for name, folder in folders.items()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
