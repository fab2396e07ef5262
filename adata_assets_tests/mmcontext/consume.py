"""Use published datasets as the training library mmcontext does; prints what was seen as JSON.

Runs in an environment of its own (``constraints-mmcontext.txt``) without ``adata_assets``, on the
library as it was installed::

    python consume.py <dataset>/hf_splits … --train <dataset>/hf_splits --ids <dataset>/hf_splits

Needs the links of the datasets to be served. Ends with an error at the first promise that is broken.
One process for all of them, because importing the library takes longer than all it does here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit

import anndata as ad
import numpy as np
import requests
import train
from datasets import Dataset, DatasetDict, load_dataset
from mmcontext.embed import prepare_dataset
from mmcontext.file_utils import (
    load_test_adata_from_hf_dataset,
    remove_corrupted_null_arrays,
    subset_dataset_by_chunk,
)
from mmcontext.io import prepare_vector_store

TOLERANCE = 1e-6
TIMEOUT_S = 60


def require(holds: bool, what: str) -> None:
    """Raise unless a promise holds."""
    if not holds:
        raise AssertionError(what)


def require_unchanged_library() -> str:
    """Return the library's version; every installed file must have its published hash."""
    package = distribution("mmcontext")
    files = [file for file in package.files or [] if file.hash and file.suffix == ".py"]
    require(len(files) > 10, f"mmcontext lists {len(files)} files with a hash")
    for file in files:
        digest = hashlib.sha256(Path(file.locate()).read_bytes()).digest()
        found = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        require(found == file.hash.value, f"{file} is not the published file")
    return package.version


def read_shared_files(splits: DatasetDict, folder: Path) -> dict[str, ad.AnnData]:
    """Return the h5ad behind each share link, fetched with a plain GET."""
    links = sorted({link for split in splits.values() for link in split["share_link"]})
    files = {}
    for number, link in enumerate(links):
        answer = requests.get(link, timeout=TIMEOUT_S)
        answer.raise_for_status()
        path = folder / f"{number}.h5ad"
        path.write_bytes(answer.content)
        files[link] = ad.read_h5ad(path)
    return files


def check_vectors(
    name: str, split: Dataset, files: dict[str, ad.AnnData], folder: Path
) -> dict[str, int]:
    """Require that each cell's stored vector is the one in its own h5ad; return the widths."""
    widths = {}
    ids, links = split["sample_idx"], split["share_link"]
    for key in sorted(next(iter(files.values())).obsm):
        store = prepare_vector_store(
            split,
            obsm_key=key,
            output_path=folder / f"{name}-{key}.mmap",
            cache_dir=folder / "zarr",
        )
        missing = [sample_idx for sample_idx in ids if sample_idx not in store]
        require(not missing, f"{name}, {key}: no vector for {missing[:3]}")
        require(len(store) == len(split), f"{name}, {key}: {len(store)} vectors")
        expected = np.vstack(
            [
                files[link].obsm[key][files[link].obs_names.get_loc(sample_idx)]
                for sample_idx, link in zip(ids, links, strict=True)
            ]
        )
        difference = float(np.abs(store.batch_lookup(list(ids)) - expected).max())
        require(difference <= TOLERANCE, f"{name}, {key}: vectors differ by {difference}")
        require(store.dtype == np.float32, f"{name}, {key}: stored as {store.dtype}")
        widths[key] = int(store.dim)
    return widths


def check_training(name: str, split: Dataset) -> list[str]:
    """Require anchors, positives and resolved negatives for both modalities; return the columns."""
    slots = sorted(column for column in split.column_names if column.startswith("negative"))
    negatives = [slot.removesuffix("_idx") for slot in slots]
    columns = ["anchor", "positive", *negatives]
    row_of = {row["sample_idx"]: row for row in split}
    for modality, sentence in (("bimodal", "cell_sentence_1"), ("text", "cell_sentence_2")):
        made = prepare_dataset(
            split, purpose="train", modality=modality, primary_cell_sentence=sentence
        )
        require(made.column_names == columns, f"{name}, {modality}: columns {made.column_names}")
        for row, given in zip(made, split, strict=True):
            anchor = f"omics:{given['sample_idx']}" if modality == "bimodal" else given[sentence]
            require(row["anchor"] == anchor, f"{name}, {modality}: anchor {row['anchor']!r}")
            require(row["positive"] == given["positive"], f"{name}: positive {row['positive']!r}")
            for number, (slot, negative) in enumerate(zip(slots, negatives, strict=True), start=1):
                # Odd slots stand for the other cell's caption, even ones for its sentence.
                text = row_of[given[slot]]["positive" if number % 2 else sentence]
                require(row[negative] == text, f"{name}, {slot}: {row[negative]!r}")
                require(text != row["positive"], f"{name}, {slot}: the negative is the positive")
    return columns


def check_inference(name: str, split: Dataset) -> list[str]:
    """Require anchors and the columns that lead back to the cells; return the columns."""
    columns = ["anchor", "sample_idx", "adata_link", "share_link"]
    for modality, sentence in (("bimodal", "cell_sentence_1"), ("text", "cell_sentence_2")):
        made = prepare_dataset(
            split, purpose="inference", modality=modality, primary_cell_sentence=sentence
        )
        require(made.column_names == columns, f"{name}, {modality}: columns {made.column_names}")
        expected = (
            [f"omics:{sample_idx}" for sample_idx in split["sample_idx"]]
            if modality == "bimodal"
            else list(split[sentence])
        )
        require(list(made["anchor"]) == expected, f"{name}, {modality}: anchors differ")
        require(list(made["sample_idx"]) == list(split["sample_idx"]), f"{name}: ids differ")
    return columns


def readable_links(split: Dataset) -> list[str]:
    """Return the columns whose links the library's chunk reader knows by their end.

    It takes a link that does not end in .h5ad for a zarr: a signed address ends in its query
    (``mmcontext.file_utils.download_and_extract_links`` keeps everything after the last dot).
    """
    is_plain = all(link.endswith(".h5ad") for link in split["share_link"])
    return ["adata_link", "share_link"] if is_plain else ["adata_link"]


def check_chunk(split: Dataset, widths: dict[str, int], folder: Path) -> tuple[int, int]:
    """Require that the chunk behind the first row loads through its links; return its shape."""
    shapes = set()
    for column in readable_links(split):
        for lean in (False, True):
            key = sorted(widths)[0]
            adata, path = load_test_adata_from_hf_dataset(
                split, folder / column, layer_key=key, link_column=column, lean=lean
            )
            _, rows = subset_dataset_by_chunk(adata, split)
            require(set(rows["sample_idx"]) == set(adata.obs_names), f"{column}: other cells")
            require(adata.obsm[key].shape == (adata.n_obs, widths[key]), f"{column}: {key}")
            require(remove_corrupted_null_arrays(path) == [], f"{column}: null arrays in {path}")
            if not lean:
                shapes.add(adata.shape)
    require(len(shapes) == 1, f"the links of one row lead to {shapes}")
    return shapes.pop()


def consume(dataset: Path, folder: Path) -> dict[str, object]:
    """Go through everything of one dataset; return a summary."""
    splits = load_dataset(str(dataset))
    files = read_shared_files(splits, folder)
    seen: dict[str, object] = {"n_files": len(files), "links": readable_links(splits["train"])}
    seen["hosts"] = sorted({urlsplit(link).netloc for link in splits["train"]["adata_link"]})
    seen["n_rows"] = {name: len(split) for name, split in splits.items()}
    widths = {name: check_vectors(name, split, files, folder) for name, split in splits.items()}
    seen["embeddings"] = widths["test"]
    training = {tuple(check_training(name, split)) for name, split in splits.items()}
    inference = {tuple(check_inference(name, split)) for name, split in splits.items()}
    seen["training"], seen["inference"] = list(*training), list(*inference)
    seen["chunk_shape"] = {
        name: check_chunk(split, widths[name], folder) for name, split in splits.items()
    }
    return seen


def run(arguments: argparse.Namespace, root: Path) -> dict[str, object]:
    """Use each dataset in a folder of its own, then train."""
    told: dict[str, object] = {"mmcontext": require_unchanged_library()}
    for number, dataset in enumerate(arguments.datasets):
        folder = root / str(number)
        folder.mkdir()
        told[str(dataset)] = consume(dataset, folder)
    told["trained"] = train.train(arguments.train, root / "trained")
    told["left_as_ids"] = train.count_ids_left(arguments.ids, root / "ids")
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+", help="published folders")
    parser.add_argument("--train", type=Path, required=True, help="one with texts as negatives")
    parser.add_argument("--ids", type=Path, required=True, help="one with ids as negatives")
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(run(parser.parse_args(), Path(temporary))))
