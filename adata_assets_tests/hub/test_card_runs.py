"""S15: the Python blocks of a card run as they are, on rows and files that are really there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from upath import UPath

from adata_assets.hub.card_parts import (
    cite_methods,
    cite_sources,
    code_blocks,
    describe_captions,
    describe_checksums,
    describe_citation,
    describe_embeddings,
    describe_ledger,
    describe_licences,
    describe_limits,
    describe_links,
    describe_overview,
    describe_scorecard,
    describe_sentence_length,
    describe_source,
    describe_splits,
    explain_dataset_type,
    format_example_row,
    front_matter,
    render_card,
)
from adata_assets.hub.configs import describe_configs
from adata_assets.share import open_share_store
from adata_assets.share.contract import remote_name, sha256_of
from adata_assets.share.serve import running_server

N_OBS, N_VARS = 4, 6
REPO_ID = "demo/hf_splits"
PCA = {"method": "pca", "n_dims": 2, "model_hash": "ab12", "fit_scope": "train", "version": "1"}


def _write_chunk(path: Path, ids: Sequence[str]) -> None:
    counts = sparse.csr_matrix(np.arange(N_OBS * N_VARS).reshape(N_OBS, N_VARS) % 5)
    adata = ad.AnnData(
        counts,
        obs=pd.DataFrame(index=pd.Index(ids)),
        var=pd.DataFrame(index=pd.Index([f"ENSG{i}" for i in range(N_VARS)])),
    )
    adata.obsm["X_pca"] = np.zeros((N_OBS, 2), dtype=np.float32)
    adata.uns["adata_assets"] = {"embeddings": {"pca": PCA}}
    adata.write_h5ad(path, compression="gzip")


def _write_rows(folder: Path, split: str, ids: Sequence[str], link: str) -> dict[str, str]:
    columns = {
        "sample_idx": list(ids),
        "cell_sentence_1": list(ids),
        "cell_sentence_2": ["CD3D CD3E NKG7"] * len(ids),
        "share_link": [link] * len(ids),
        "adata_link": [link.replace(".h5ad", ".zarr.zip")] * len(ids),
    }
    path = folder / "data" / f"{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return {name: values[0] for name, values in columns.items()}


def _write_card(folder: Path, splits: Sequence[str], row: dict[str, str], chunk: Path) -> str:
    counts = dict.fromkeys(splits, N_OBS)
    ledger = pd.DataFrame(
        {"source": ["a.h5ad"], "outcome": ["kept"], "rule": [""], "n_obs": [N_OBS * len(splits)]}
    )
    metadata = ad.read_h5ad(chunk, backed="r").uns["adata_assets"]
    card = render_card(
        front_matter=front_matter(
            license=None,
            tags=[],
            splits={split: [f"data/{split}-*"] for split in splits},
            features=[{"name": name, "dtype": "string"} for name in row],
            n_rows=counts,
            n_bytes=dict.fromkeys(splits, 1000),
            download_size=500,
        ),
        values={
            "configs_section": describe_configs([]),
            "title": "Four cells",
            "description": "A made-up dataset.",
            "overview_section": describe_overview(counts, {}, row["share_link"], n_files=1),
            "dataset_type_explanation": explain_dataset_type("single", list(row), n_negatives=0),
            "cs_length": describe_sentence_length(3, 3, 3),
            "example_data_formatted": format_example_row(row),
            "example_share_link": row["share_link"],
            "links_lifetime": describe_links(None),
            "embedding_generation": describe_embeddings([metadata]),
            "scorecard_section": describe_scorecard(None, {}),
            "splits_section": describe_splits(counts, by="cell", group_key=None, n_groups=None),
            "ledger_section": describe_ledger(ledger),
            "source_section": describe_source("Made up for this test."),
            "licences_section": describe_licences(None, [], ledger),
            "limits_section": describe_limits(["Four cells are few."]),
            "captions_section": describe_captions({}, format="single", first_split=splits[0]),
            "citation_section": describe_citation("Four cells", REPO_ID),
            "checksums_section": describe_checksums({}, REPO_ID),
            "citations_section": cite_sources([]),
            "methods_section": cite_methods(["pca"]),
            "repo_id": REPO_ID,
            "first_split": splits[0],
        },
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    return card


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    home = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("splits", [["train", "validation"], ["test"]], ids=lambda s: s[0])
def test_s15_the_blocks_run_verbatim(tmp_path: Path, splits: list[str]) -> None:
    """S6, S7, S8, S10, S11, S14, S15, C2: also for a dataset that has only a test split."""
    folder = tmp_path / REPO_ID
    with running_server(tmp_path) as base_url:
        store = open_share_store(
            "local", {"base_url": base_url}, root=UPath(tmp_path), dataset_id="demo"
        )
        rows, chunks = [], []
        for i, split in enumerate(splits):
            chunk = tmp_path / f"{i}.h5ad"
            chunks.append(chunk)
            ids = [f"{split}_{j}" for j in range(N_OBS)]
            _write_chunk(chunk, ids)
            link = store.put(chunk, remote_name(f"{i:04}", sha256_of(chunk), ".h5ad"))
            store.probe(link)
            rows.append(_write_rows(folder, split, ids, link.url))
        card = _write_card(folder, splits, rows[0], chunks[0])
        result = _run("\n".join(code_blocks(card)), tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"Found sample: (1, {N_VARS})"
    assert f'sample_idx: "{splits[0]}_0"' in card
    assert "`X_pca`: method `pca`, 2 dimensions" in card
    assert str(tmp_path) not in card
