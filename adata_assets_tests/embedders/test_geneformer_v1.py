"""``geneformer_v1``: the mean over the genes, padding left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertModel

from adata_assets.embedders.geneformer_v1 import Embedder, Settings
from adata_assets.embedders.rank_tokens.flavour import GC30M, GC95M
from adata_assets.errors import InputError
from adata_assets_tests.embedders.stored import StoredCells
from adata_assets_tests.embedders.tiny_geneformer import (
    make_dictionaries,
    tiny_settings,
    write_dictionaries,
)


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract."""
    return tiny_settings(stored, folder, GC30M)


def test_vectors_are_means_of_the_second_to_last_layer(stored, tmp_path):
    settings = small_settings(stored, tmp_path)
    embedder = Embedder(Settings(**settings))
    model, cells = stored.fit(embedder), stored.cells(np.arange(9))
    tokens = embedder.tokenize(cells, model)
    assert len(set(tokens.lengths.tolist())) > 1
    bert = BertModel.from_pretrained(settings["model"], add_pooling_layer=False).eval()
    with torch.no_grad():
        states = [
            bert(torch.tensor(tokens.of_cell(i)[None].astype(int)), output_hidden_states=True)
            for i in range(9)
        ]
    expected = np.stack([found.hidden_states[-2][0].mean(dim=0).numpy() for found in states])
    assert np.abs(embedder.embed(cells, model) - expected).max() <= embedder.tolerance


def test_a_dictionary_of_the_other_generation_is_refused(stored, tmp_path):
    settings = small_settings(stored, tmp_path)
    genes = stored.gene_stats["gene_id"].tolist()
    folder = write_dictionaries(tmp_path / "v2", *make_dictionaries(genes, GC95M), GC95M)
    files = {
        "tokens": str(folder / "token_dictionary_gc95M.json.gz"),
        "medians": str(folder / "gene_median_dictionary_gc95M.json.gz"),
    }
    with pytest.raises(InputError, match=r"as that of gc95M.*or take method geneformer$"):
        stored.fit(Embedder(Settings(**{**settings, "dictionaries": files})))
