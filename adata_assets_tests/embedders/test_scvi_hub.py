"""``scvi_hub``: a published model gives what scvi-tools' own query recipe gives, and runs nothing."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import torch

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.apply import match_genes
from adata_assets.embedders.contract import load_embedder
from adata_assets.embedders.scvi_hub import Embedder, Settings
from adata_assets.embedders.vae.checkpoint import read_checkpoint
from adata_assets.embedders.vae.isolation import quiet, seeded
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.embedders.stored import StoredCells
from adata_assets_tests.servers.file_server import ServedFile
from adata_assets_tests.servers.object_server import running_store
from adata_assets_tests.sources.places import point_to

N_SHARED, N_GENES = 50, 56


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract: a small trained model."""
    return settings_of(save_model(stored, folder / "model"))


def save_model(stored: StoredCells, folder: Path, **options: Any) -> Path:
    """Train on other cells in two batches, of which 6 genes are unknown here; save; return the folder."""
    with quiet(), seeded(0):
        import scvi

        rng = np.random.default_rng(1)
        adata = ad.AnnData(rng.poisson(1.5, (60, N_GENES)).astype(np.float32))
        known = stored.gene_stats["gene_id"][::-1][:N_SHARED]
        adata.var_names = [*known, *(f"ENSG{i:011d}" for i in range(900, 906))]
        adata.obs["batch"] = np.where(np.arange(60) % 2, "one", "two")
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        model = scvi.model.SCVI(adata, **{"n_hidden": 12, "n_latent": 5, **options})
        # With the logger that fills the history, as most published models have it.
        model.train(max_epochs=2, enable_progress_bar=False, accelerator="cpu")
        model.save(str(folder))
    return folder


def recipe_latent(stored: StoredCells, folder: Path, *, is_zero: bool = False) -> np.ndarray:
    """Embed with scvi-tools as CELLxGENE's recipe does; weights of the new batch may be set to 0."""
    with warnings.catch_warnings(), seeded(0):
        warnings.simplefilter("ignore")
        import scvi

        cells = stored.cells()
        adata = ad.AnnData(cells.counts.astype(np.float32))
        adata.var_names, adata.obs_names = cells.gene_ids, cells.sample_ids.astype(str)
        adata.obs["batch"] = "unassigned"
        scvi.model.SCVI.prepare_query_anndata(adata, str(folder))
        model = scvi.model.SCVI.load_query_data(adata, str(folder), accelerator="cpu")
        model.is_trained = True
        if is_zero:
            with torch.no_grad():
                for layer in model.module.z_encoder.encoder.fc_layers:
                    layer[0].weight[:, -1] = 0
        return model.get_latent_representation()


def settings_of(folder: Path) -> dict[str, str]:
    """Return the settings that name a folder's model."""
    return {"model": str(folder), "sha256": sha256_of(folder / "model.pt")}


def fit(stored: StoredCells, folder: Path):
    """Return method and model."""
    embedder = Embedder(Settings(**settings_of(folder)))
    return embedder, stored.fit(embedder)


@pytest.fixture(scope="module")
def published(stored, tmp_path_factory) -> Path:
    return save_model(stored, tmp_path_factory.mktemp("published") / "model")


@pytest.fixture
def changed(published, tmp_path):
    """Return a function that writes the published model with other contents."""

    def write(**parts: Any) -> Path:
        found = torch.load(published / "model.pt", weights_only=False)
        torch.save({**found, **parts}, tmp_path / "model.pt")
        return tmp_path

    return write


def test_the_latent_equals_that_of_the_query_recipe(stored, published):
    embedder, model = fit(stored, published)
    cells = stored.cells()
    found = embedder.embed(cells, model)
    assert found.shape == (200, 5)
    assert np.abs(found - recipe_latent(stored, published)).max() <= 1e-5
    assert model.facts["n_matched"] == N_SHARED
    assert match_genes(model, cells) == pytest.approx(N_SHARED / N_GENES)
    unseen = replace(cells, batches=np.full(200, "unseen"))
    assert embedder.embed(unseen, model).tobytes() == found.tobytes()


def test_covariates_of_an_encoder_are_held_at_zero(stored, tmp_path):
    folder = save_model(
        stored,
        tmp_path / "model",
        encode_covariates=True,
        n_layers=2,
        use_layer_norm="both",
        use_batch_norm="none",
        log_variational=False,
    )
    embedder, model = fit(stored, folder)
    expected = recipe_latent(stored, folder, is_zero=True)
    assert np.abs(embedder.embed(stored.cells(), model) - expected).max() <= 1e-5


def test_genes_may_be_symbols_and_names_a_plain_array(stored, changed):
    symbols = np.array([f"SYM{i}" for i in range(90)], dtype=object)
    names = [f"SYM{i}" for i in range(N_GENES)]
    folder = changed(var_names=np.array(names))
    embedder = Embedder(Settings(**settings_of(folder)))
    model = embedder.fit(replace(stored.train, symbols=symbols))
    assert model.gene_ids == stored.gene_stats["gene_id"][:N_GENES].tolist()
    assert read_checkpoint(folder / "model.pt").var_names == names
    assert read_checkpoint(changed(var_names=names) / "model.pt").var_names == names


def test_a_model_in_a_bucket_is_the_same_model(stored, published, monkeypatch):
    expected = stored.fit(Embedder(Settings(**settings_of(published))))
    content = (published / "model.pt").read_bytes()
    with running_store() as server:
        point_to(server, monkeypatch)
        server.files["/lab/census/scvi/model.pt"] = ServedFile(content)
        settings = {**settings_of(published), "model": "s3://lab/census/scvi"}
        found = stored.fit(Embedder(Settings(**settings)))
        assert found.content_hash == expected.content_hash
        with pytest.raises(InputError, match="s3://lab/nothing/model.pt.*404"):
            stored.fit(Embedder(Settings(**{**settings, "model": "s3://lab/nothing/"})))
        server.files["/lab/census/scvi/model.pt"] = ServedFile(content[:-1])
        with pytest.raises(InputError, match="scvi_hub: .*model.pt has sha256"):
            stored.fit(Embedder(Settings(**settings)))


class Evil:
    """Runs a function when it is unpickled."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self):
        return self.call


def eval_like(module: str, name: str):
    """Return a function that pickle finds under another module's name."""
    found: Any = __import__(module, fromlist=[name])
    return getattr(found, name)


@pytest.mark.parametrize(
    ("module", "name", "of"),
    [
        ("shutil", "copyfile", "paths"),
        ("os", "system", "shell"),
        ("builtins", "eval", "code"),
        ("builtins", "getattr", "pair"),
        ("numpy.testing._private.utils", "runstring", "code"),
        ("pandas.core.computation.eval", "eval", "code"),
        ("torch.hub", "load", "code"),
        ("pathlib", "Path", "path"),
    ],
)
def test_p15_a_hostile_pickle_is_refused_and_runs_nothing(
    stored, changed, tmp_path, module, name, of
):
    target = tmp_path / "ran"
    arguments = {
        "paths": (str(tmp_path / "model.pt"), str(target)),
        "shell": (f"touch {target}",),
        "code": (f"open({str(target)!r}, 'w')", {}),
        "pair": ([], "append"),
        "path": (str(target),),
    }
    folder = changed(attr_dict={"init_params_": Evil(eval_like(module, name), *arguments[of])})
    with pytest.raises(InputError, match=rf"asks for .*{name}, which no model .* is not read"):
        fit(stored, folder)
    assert not target.exists()


def test_p15_a_named_table_is_never_built(stored, changed):
    """Names that real models hold are admitted, but nothing is called by them."""
    import pandas as pd

    table = pd.DataFrame({"elbo": [1.0]})
    folder = changed(attr_dict={"init_params_": {}, "history_": {"elbo": table}})
    attributes: Mapping[str, Any] = read_checkpoint(folder / "model.pt").attributes
    assert type(attributes["history_"]["elbo"]).__name__ == "Record"


def test_p15_another_file_is_refused_before_it_is_opened(stored, changed, tmp_path):
    folder = changed(attr_dict=Evil(print))
    settings = Settings(model=str(folder), sha256="ab" * 32)
    with pytest.raises(InputError, match=r"has sha256 .*, abab.* is stated"):
        stored.fit(Embedder(settings))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"attr_dict": {}}, "does not say how it was made"),
        (
            {"attr_dict": {"init_params_": {}, "registry_": {"model_name": "SCANVI"}}},
            "the model is a SCANVI; give one that SCVI.save wrote",
        ),
        (
            {"attr_dict": {"init_params_": {"non_kwargs": {"latent_distribution": "ln"}}}},
            "latent_distribution='ln'; only 'normal'",
        ),
        ({"var_names": {"rna": ["A"]}}, "names of its genes cannot be read"),
        ({"var_names": ["A"] * N_GENES}, "listed more than once"),
        ({"var_names": [f"G{i}" for i in range(90)]}, r"has weights \(12, 56\) for 90 inputs"),
        ({"model_state_dict": {"px_r": torch.zeros(2)}}, "no encoder of scVI"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(stored, changed, parts, message):
    with pytest.raises(InputError, match=message):
        fit(stored, changed(**parts))


def test_what_is_no_model_is_refused(stored, tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"a": 1}, path)
    with pytest.raises(InputError, match="it lacks model_state_dict, var_names, attr_dict"):
        fit(stored, tmp_path)
    path.write_bytes(b"cos\nsystem\n(Vid\ntR.")
    with pytest.raises(InputError, match="not a model that scvi-tools saved"):
        fit(stored, tmp_path)
    shutil.copyfile(path, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"lacks \['scvi.pt'\]"):
        stored.fit(Embedder(Settings(model=str(tmp_path), file="scvi.pt", sha256="ab" * 32)))


def test_settings_are_checked_without_the_model():
    with pytest.raises(InputError, match="sha256: Field required"):
        load_embedder(EmbedderSpec(name="e", method="scvi_hub", model="owner/name"))
    for file in ("../model.pt", "/model.pt", "a//b"):
        with pytest.raises(InputError, match="name of a file below the model"):
            load_embedder(
                EmbedderSpec(
                    name="e", method="scvi_hub", model="owner/name", file=file, sha256="a" * 64
                )
            )
