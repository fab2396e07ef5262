"""S: what the card of a dataset promises to its reader, held against the demo as it is published.

The reader is a stranger: only the published folder, the links and the card's own code are used.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import requests
import yaml

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.model import load_frozen
from adata_assets.hub.card import code_blocks
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.published import LINKS, read_all_rows, read_card, read_rows

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
# What a reader can ask of the loaded dataset, printed after the card's own lines.
_TELL = """
import json
print(json.dumps({s: [d.num_rows, d.column_names] for s, d in dataset.items()}))
"""


@pytest.fixture(scope="module")
def rows(demo: Dataset) -> pd.DataFrame:
    """All published rows of the demo."""
    return read_all_rows(demo)


@pytest.fixture(scope="module")
def files(demo: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ad.AnnData]:
    """The file behind each share link of the demo, fetched as the card says."""
    folder, found = tmp_path_factory.mktemp("fetched"), {}
    for i, link in enumerate(read_all_rows(demo)["share_link"].unique()):
        response = requests.get(link)
        assert response.status_code == 200
        assert response.content[:8] == HDF5_MAGIC
        (folder / f"{i}.h5ad").write_bytes(response.content)
        found[link] = ad.read_h5ad(folder / f"{i}.h5ad")
    return found


@pytest.fixture(scope="module")
def card_run(demo: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the card's Python blocks print, verbatim, run in the storage root."""
    root = Path(demo.storage.root.path)
    home = tmp_path_factory.mktemp("reader")
    result = subprocess.run(
        [sys.executable, "-c", "\n".join([*code_blocks(read_card(demo)), _TELL])],
        cwd=root,
        env={**os.environ, "HF_HOME": str(home), "HF_DATASETS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    (root / "adata.h5ad").unlink(missing_ok=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def _front_matter(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1])


def test_s1_front_matter_agrees_with_the_rows(demo: Dataset, rows: pd.DataFrame) -> None:
    matter = _front_matter(read_card(demo))
    assert matter["language"] == ["code"]
    assert matter["license"] == demo.spec.license
    assert {"multimodal", "omics", "sentence-transformers", "anndata"} <= set(matter["tags"])
    assert matter["task_categories"] == ["zero-shot-classification"]
    (info,) = [i for i in matter["dataset_info"] if i["config_name"] == "default"]
    told = {s["name"]: s["num_examples"] for s in info["splits"]}
    assert told == rows["split"].value_counts().to_dict()
    assert {"pretty_name", "configs", "size_categories"} <= set(matter)


def test_s2_every_row_has_a_cell_and_a_text(rows: pd.DataFrame) -> None:
    needed = ["sample_idx", "cell_sentence_1", "cell_sentence_2", "positive", *LINKS]
    assert rows[needed].notna().all(axis=None)
    assert rows[needed].ne("").all(axis=None)


def test_s2_pairs_have_a_text_in_every_row(pairs: Dataset) -> None:
    rows = read_all_rows(pairs)
    assert rows[["cell_sentence_2", "caption", *LINKS]].notna().all(axis=None)
    assert rows["caption"].ne("").all()


def test_s3_the_card_describes_exactly_the_columns(demo: Dataset, rows: pd.DataFrame) -> None:
    section = read_card(demo).split("## What a row holds")[1].split("**Cell sentence length**")[0]
    assert "**multiplets**" in section
    described = re.findall(r"^- `([^`]+)`", section, flags=re.MULTILINE)
    assert described == [name for name in rows.columns if name != "split"]


def test_s4_the_card_tells_the_length_of_the_sentences(demo: Dataset, rows: pd.DataFrame) -> None:
    lengths = rows["cell_sentence_2"].str.split(" ").map(len)
    assert lengths.max() <= demo.spec.sentences.length
    exact = lengths.min() == demo.spec.sentences.length
    told = f"{'' if exact else 'at most '}{demo.spec.sentences.length} genes"
    assert f"have a length of {told}." in read_card(demo)


def test_s5_provenance_comes_from_the_yaml(demo: Dataset) -> None:
    card = read_card(demo)
    assert demo.spec.citations
    assert "Zheng et al. 2017" in demo.spec.data_sources
    assert "Zheng et al. 2017" in card
    for doi in [c.doi for c in demo.spec.citations]:
        assert str(doi) in card
    for doi in ("10.1101/2021.12.16.473007", "10.1186/s13059-017-1382-0"):
        assert doi in card
    for unused in ("10.1038/s41592-018-0229-2", "10.1038/s41586-023-06139-9"):
        assert unused not in card


def test_s6_the_example_is_the_first_published_row(demo: Dataset) -> None:
    first = read_rows(demo)["train"].iloc[0]
    block = read_card(demo).split("## Example data row")[1].split("```")[1].strip().splitlines()
    told = dict(line.split(": ", 1) for line in block)
    assert list(told) == list(first.index)
    for name, value in first.items():
        whole = json.dumps(value)
        assert told[name] == whole or whole.startswith(told[name].removesuffix("…"))


def test_s7_the_example_link_answers_without_login(demo: Dataset) -> None:
    link = re.search(r"^An example file: (\S+)$", read_card(demo), flags=re.MULTILINE)
    assert link is not None
    assert requests.get(link[1]).status_code == 200


def test_s8_the_card_tells_embeddings_as_the_files_do(
    demo: Dataset, files: dict[str, ad.AnnData]
) -> None:
    card = read_card(demo)
    for adata in files.values():
        for name, about in adata.uns["adata_assets"]["embeddings"].items():
            assert adata.obsm[f"X_{name}"].shape[1] == about["n_dims"]
            line = next(line for line in card.splitlines() if f"`X_{name}`" in line)
            assert f"method `{about['method']}`, {about['n_dims']} dimensions" in line
            assert about["model_hash"][:12] in line


def test_s9_one_frozen_transform_for_all_chunks(
    demo: Dataset, files: dict[str, ad.AnnData]
) -> None:
    """The stored model, applied here by hand to the counts of any file, gives its obsm."""
    artefact = demo.load("models/pca")
    model = load_frozen(artefact)
    genes, means, components = model.gene_ids, model.arrays["means"], model.arrays["components"]
    for adata in files.values():
        about = adata.uns["adata_assets"]["embeddings"]["pca"]
        assert about["model_hash"] == artefact.data_version
        rates = adata[:, genes].X.toarray() / adata.obs[["total_counts_source"]].to_numpy() * 1e4
        expected = (np.log1p(rates) - means) @ components.T
        assert adata.obsm["X_pca"].dtype == np.float32
        assert np.isfinite(adata.obsm["X_pca"]).all()
        np.testing.assert_allclose(adata.obsm["X_pca"], expected, atol=1e-4)


def test_s10_the_dataset_loads_by_the_id_of_the_card(
    demo: Dataset, card_run: list[str], rows: pd.DataFrame
) -> None:
    card = read_card(demo)
    assert demo.spec.publish is None
    assert 'load_dataset("pbmc68k/hf_splits")' in card
    assert str(demo.storage.root) not in card
    assert not re.search(r"(?<![\w:/.])/(home|tmp|work|root|Users|var)/", card)
    columns = [name for name in rows.columns if name != "split"]
    expected = {name: [len(found), columns] for name, found in rows.groupby("split")}
    assert json.loads(card_run[-1]) == expected


def test_s11_an_id_occurs_once_in_the_linked_file(
    rows: pd.DataFrame, files: dict[str, ad.AnnData]
) -> None:
    for link, own in rows.groupby("share_link"):
        index = files[str(link)].obs.index
        assert index.is_unique
        assert own["sample_idx"].isin(index).all()
    assert rows["sample_idx"].map(type).eq(str).all()


def test_s12_chunks_are_disjoint_and_complete(
    rows: pd.DataFrame, files: dict[str, ad.AnnData]
) -> None:
    everywhere = [name for adata in files.values() for name in adata.obs_names]
    assert len(everywhere) == len(set(everywhere))
    assert set(everywhere) == set(rows["sample_idx"])
    for link, own in rows.groupby("share_link"):
        assert set(files[str(link)].obs_names) == set(own["sample_idx"])


def test_s13_every_row_has_its_link(rows: pd.DataFrame) -> None:
    assert rows[LINKS].notna().all(axis=None)
    assert rows["share_link"].str.fullmatch(r"http://127\.0\.0\.1:\d+/pbmc68k/\S+\.h5ad").all()


def test_s14_each_link_serves_a_file_that_has_its_cells(
    demo: Dataset, rows: pd.DataFrame, files: dict[str, ad.AnnData]
) -> None:
    n_vars = {adata.n_vars for adata in files.values()}
    for link, own in rows.groupby("share_link"):
        adata = files[str(link)]
        for name in own["sample_idx"].iloc[[0, -1]]:
            assert adata[adata.obs.index == name].shape == (1, adata.n_vars)
    assert len(n_vars) == 1
    for key in demo.graph.chunk_keys:
        stored = demo.load("chunk_files", key).local("chunk.h5ad")
        assert any(sha256_of(stored)[:16] in link for link in files)


def test_s15_the_blocks_of_the_card_run_verbatim(
    card_run: list[str], files: dict[str, ad.AnnData]
) -> None:
    found = [line for line in card_run if line.startswith("Found sample: ")]
    assert found == [f"Found sample: (1, {next(iter(files.values())).n_vars})"]


def test_s15_the_blocks_name_the_split_that_is_there(test_only: Dataset) -> None:
    blocks = "\n".join(code_blocks(read_card(test_only)))
    assert 'dataset["test"][0]' in blocks
    assert '"train"' not in blocks
    assert list(read_rows(test_only)) == ["test"]
    compile(blocks, "card", "exec")
