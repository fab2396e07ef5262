"""``geneformer``: the state at ``<cls>``, and what is refused before anything is embedded."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import BertModel

from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.model import FrozenModel
from adata_assets.embedders.geneformer import Embedder, Settings
from adata_assets.embedders.rank_tokens.flavour import GC30M, GC95M
from adata_assets.errors import InputError
from adata_assets_tests.embedders.stored import StoredCells
from adata_assets_tests.embedders.tiny_geneformer import (
    WIDTH,
    make_dictionaries,
    tiny_settings,
    write_bert,
    write_dictionaries,
)


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract."""
    return tiny_settings(stored, folder, GC95M)


@pytest.fixture
def settings(stored: StoredCells, tmp_path: Path) -> dict[str, Any]:
    """Settings with files of their own, which a test may damage."""
    return small_settings(stored, tmp_path)


def fit(stored: StoredCells, settings: dict[str, Any], **changes: Any) -> FrozenModel:
    return stored.fit(Embedder(Settings(**{**settings, **changes})))


def test_vectors_are_hidden_states_of_the_second_to_last_layer_at_cls(stored, settings):
    embedder = Embedder(Settings(**settings))
    model, cells = stored.fit(embedder), stored.cells(np.arange(9))
    tokens = embedder.tokenize(cells, model)
    bert = BertModel.from_pretrained(settings["model"], add_pooling_layer=False).eval()
    with torch.no_grad():
        alone = [
            bert(torch.tensor(tokens.of_cell(i)[None].astype(int)), output_hidden_states=True)
            for i in range(9)
        ]
    expected = np.stack([found.hidden_states[-2][0, 0].numpy() for found in alone])
    last = np.stack([found.hidden_states[-1][0, 0].numpy() for found in alone])
    vectors = embedder.embed(cells, model)
    assert np.abs(vectors - expected).max() <= embedder.tolerance
    assert np.abs(vectors - last).max() > 0.1


def test_padding_changes_nothing_beyond_the_tolerance(stored, settings):
    """Short cells embedded beside long ones are what they are alone."""
    embedder = Embedder(Settings(**{**settings, "batch_size": 20}))
    model, cells = stored.fit(embedder), stored.cells(np.arange(20))
    counts = cells.counts.toarray()
    for row in range(0, 20, 2):
        counts[row, 10 + row :] = 0
    cells = CellBlock(
        type(cells.counts)(counts), cells.totals, cells.gene_ids, cells.sample_ids, cells.batches
    )
    lengths = embedder.tokenize(cells, model).lengths
    assert lengths.min() < lengths.max() / 2
    alone = Embedder(Settings(**{**settings, "batch_size": 1})).embed(cells, model)
    together = embedder.embed(cells, model)
    assert np.abs(together - alone).max() <= embedder.tolerance * max(1, np.abs(alone).max())


def test_width_comes_from_the_config(stored, settings):
    embedder = Embedder(Settings(**settings))
    assert embedder.n_dims == WIDTH == stored.fit(embedder).facts["n_dims"]
    assert Embedder(Settings(**{**settings, "model": "a/b", "revision": "0" * 40})).n_dims is None
    assert Embedder(Settings(**{**settings, "model": "not/there"})).n_dims is None
    (Path(settings["model"]) / "config.json").write_text("{}")
    assert embedder.n_dims is None


def test_the_frozen_model_knows_weights_by_hash_and_no_path(stored, settings, tmp_path):
    facts = fit(stored, settings).facts
    assert set(facts["weights"]) == {"config.json", "model.safetensors"}
    assert facts["vocabulary"] == "gc95M"
    assert facts["source"] == "folder"
    assert str(tmp_path) not in json.dumps(dict(facts))
    assert Embedder(Settings(**settings)).is_random


def test_other_weights_than_the_frozen_ones_are_refused(stored, settings):
    embedder = Embedder(Settings(**settings))
    model, path = stored.fit(embedder), Path(settings["model"]) / "model.safetensors"
    other = {name: array + 1 for name, array in load_file(path).items()}
    save_file(other, path)
    with pytest.raises(InputError, match=r"has sha256 \w{64}, \w{64} is stated"):
        embedder.embed(stored.cells(np.arange(3)), model)
    stated = {"model.safetensors": "0" * 64}
    with pytest.raises(InputError, match="0{64} is stated"):
        fit(stored, settings, sha256=stated)


def test_p15_json_and_published_pickles_give_the_same_model(stored, settings, tmp_path):
    genes = stored.gene_stats["gene_id"].tolist()[:-7]
    tokens, medians = make_dictionaries(genes, GC95M)
    for stem, found in (("token_dictionary", tokens), ("gene_median_dictionary", medians)):
        as_numpy = {k: np.float64(v) if stem[0] == "g" else v for k, v in found.items()}
        (tmp_path / f"{stem}_gc95M.pkl").write_bytes(pickle.dumps(as_numpy))
    pickled = fit(stored, settings, dictionaries=str(tmp_path))
    assert pickled.content_hash == fit(stored, settings).content_hash


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_p15_a_hostile_pickle_among_the_dictionaries_is_refused(
    stored, settings, tmp_path, protocol
):
    folder, trace = Path(settings["dictionaries"]), tmp_path / "trace"
    content = pickle.dumps({"<pad>": 0, "ENSG1": Hostile(trace)}, protocol)
    for path in folder.iterdir():
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"token_dictionary\S* holds \w+\.system"):
        fit(stored, settings)
    assert not trace.exists()


def test_p15_a_hostile_pickle_in_the_model_folder_is_never_opened(stored, settings, tmp_path):
    folder, trace = Path(settings["model"]), tmp_path / "trace"
    for name in ("pytorch_model.bin", "training_args.bin", "adapter_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Hostile(trace)))
    # Beside safetensors they are left alone; in their place they are refused.
    Embedder(Settings(**settings)).embed(stored.cells(np.arange(3)), fit(stored, settings))
    (folder / "model.safetensors").rename(tmp_path / "aside")
    with pytest.raises(InputError, match=r"lacks \['model.safetensors'\].*pytorch_model.bin.*"):
        fit(stored, settings)
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    with pytest.raises(InputError, match="no readable safetensors file"):
        fit(stored, settings)
    assert not trace.exists()


def test_code_that_a_config_names_is_not_run(stored, settings, tmp_path):
    config, trace = Path(settings["model"]) / "config.json", tmp_path / "trace"
    (config.parent / "modeling_own.py").write_text(f"open({str(trace)!r}, 'w')")
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "auto_map": {"AutoModel": "modeling_own.Own"}}))
    fit(stored, settings)
    assert not trace.exists()


def test_a_dictionary_of_the_other_generation_is_refused(stored, settings, tmp_path):
    genes = stored.gene_stats["gene_id"].tolist()
    folder = write_dictionaries(tmp_path / "v1", *make_dictionaries(genes, GC30M), GC30M)
    files = {
        "tokens": str(folder / "token_dictionary_gc30M.json.gz"),
        "medians": str(folder / "gene_median_dictionary_gc30M.json.gz"),
    }
    with pytest.raises(InputError, match=r"as that of gc30M.*or take method geneformer_v1"):
        fit(stored, settings, dictionaries=files)
    with pytest.raises(InputError, match=r"has no \['token_dictionary_gc95M', .*hf download"):
        fit(stored, settings, dictionaries=str(folder))


def test_a_model_of_another_vocabulary_is_refused(stored, settings, tmp_path):
    other = write_bert(tmp_path / "other", 25_426, GC95M)
    with pytest.raises(InputError, match=r"knows 25,426 tokens \(vocab_size\).*has 92: .*release"):
        fit(stored, settings, model=str(other))


def test_a_model_of_too_few_positions_is_refused(stored, settings, tmp_path):
    short = write_bert(tmp_path / "short", 92, GC30M)
    with pytest.raises(InputError, match=r"takes 2,048 tokens, gc95M cells have up to 4,096"):
        fit(stored, settings, model=str(short))


def test_a_frozen_model_of_the_other_generation_is_refused(stored, settings):
    model = fit(stored, settings)
    other = FrozenModel(model.arrays, {**model.facts, "vocabulary": "gc30M"})
    with pytest.raises(InputError, match="frozen model has 'gc30M'"):
        Embedder(Settings(**settings)).embed(stored.cells(), other)


def test_weights_that_do_not_fit_the_config_are_named(stored, settings):
    config = Path(settings["model"]) / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "intermediate_size": 64}))
    with pytest.raises(
        InputError, match=r"intermediate.dense.weight of shape \(32, 16\), not \(64"
    ):
        fit(stored, settings)
    config.write_text(json.dumps({**told, "num_hidden_layers": 4}))
    with pytest.raises(InputError, match=r"config.json: .*no encoder.layer.3"):
        fit(stored, settings)
    config.write_text(json.dumps({**told, "model_type": "llama"}))
    with pytest.raises(InputError, match=r"not the config of a BERT model: model_type.*'llama'"):
        fit(stored, settings)


def test_a_cell_without_a_known_gene_is_named(stored, settings):
    embedder = Embedder(Settings(**settings))
    model, cells = stored.fit(embedder), stored.cells(np.arange(4))
    counts = cells.counts.tolil()
    counts[2, :-7] = 0
    lacking = CellBlock(
        counts.tocsr(), cells.totals, cells.gene_ids, cells.sample_ids, cells.batches
    )
    with pytest.raises(InputError, match=r"1 cells, e.g. 'cell00002', have no count .* has 94%"):
        embedder.embed(lacking, model)


def test_vectors_that_are_not_finite_are_refused(stored, settings):
    path = Path(settings["model"]) / "model.safetensors"
    arrays = load_file(path)
    arrays["bert.embeddings.LayerNorm.weight"][:] = np.inf
    save_file(arrays, path)
    embedder = Embedder(Settings(**settings))
    with pytest.raises(InputError, match="vectors that are not finite"):
        embedder.embed(stored.cells(np.arange(2)), stored.fit(embedder))


def test_a_missing_package_is_named_with_its_command(stored, settings, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'adata_assets\[geneformer\]'"):
        fit(stored, settings)


def test_cuda_without_a_gpu_is_refused(stored, settings, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    embedder = Embedder(Settings(**{**settings, "device": "cuda"}))
    with pytest.raises(InputError, match="device is cuda, but torch finds no GPU"):
        embedder.embed(stored.cells(np.arange(2)), stored.fit(embedder))


def test_drawing_weights_leaves_the_callers_draws_alone(stored, settings):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    fit(stored, settings)
    assert torch.equal(torch.random.get_rng_state(), before)
