"""Models that are given instead of fitted: taken if they are what was meant, refused otherwise."""

from __future__ import annotations

import configparser
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from pydantic import ValidationError
from upath import UPath

from adata_assets.artefact import Artefact, require_one_generation
from adata_assets.assets.models import build_model
from adata_assets.embedders import contract, pca
from adata_assets.embedders.base.apply import describe_model, find_space_breaches, freeze_model
from adata_assets.embedders.base.cells import CellBlock
from adata_assets.embedders.base.gene_match import judge_gene_match, match_genes
from adata_assets.embedders.base.given_models import as_input, load_given, origin_of
from adata_assets.embedders.base.model import ARRAYS, FACTS, FrozenModel, save_model
from adata_assets.embedders.contract import load_embedder, require_extra, scope_of
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.datasets import make_spec
from adata_assets_tests.repository.source_code import ROOT

HASH = "0" * 64
GENES = [f"ENSG{i:011d}" for i in range(10)]
MODEL = FrozenModel(
    {"means": np.zeros(10), "components": np.eye(2, 10)},
    {"gene_ids": GENES, "method": "pca", "version": pca.Embedder.version},
)


def spec_of(method: str = "pca", **fields: Any) -> EmbedderSpec:
    return EmbedderSpec(name="e", method=method, **fields)


def take(path: str | Path, sha256: str, folder: Path | None = None, **fields: Any) -> FrozenModel:
    spec = spec_of(artefact={"path": str(path), "sha256": sha256}, **fields)
    return freeze_model(load_embedder(spec), spec, {}, seed=0, folder=folder)


def artefact_of(stage: str, version: str, dataset_id: str = "cells", **fields: Any) -> Artefact:
    given = {"partition_key": None, "inputs": {}, "generation": {}, "metadata": {}, **fields}
    return Artefact(
        dataset_id,
        stage,
        folder=UPath("x"),
        files={},
        data_version=version,
        code_version="1",
        **given,
    )


def cells_of(gene_ids: list[str]) -> CellBlock:
    counts = sp.csr_matrix(np.ones((2, len(gene_ids)), np.int32))
    ids = np.array(["a", "b"], dtype=object)
    return CellBlock(counts, np.full(2, 9), pd.Index(gene_ids), ids, ids)


@pytest.mark.parametrize(
    ("artefact", "message"),
    [
        ({}, "exactly one of dataset and path"),
        ({"dataset": "a", "path": "b", "sha256": HASH}, "exactly one of dataset and path"),
        ({"path": "b"}, "sha256 goes with path, and path needs it"),
        ({"dataset": "a", "sha256": HASH}, "sha256 goes with path"),
        ({"path": "b", "sha256": HASH, "name": "pca"}, "name goes with dataset"),
        ({"path": "b", "sha256": "AB"}, "sha256"),
        ({"dataset": "No Id"}, "lower-case letters"),
        ({"data": "a"}, r"unknown keys \['data'\]; allowed: dataset, name, path, sha256"),
    ],
)
def test_an_artefact_names_a_dataset_or_a_folder_with_its_hash(artefact, message):
    with pytest.raises(ValidationError, match=message):
        spec_of(artefact=artefact)


def test_a_model_of_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "space").mkdir()
    sha256 = save_model(MODEL, tmp_path / "space")
    for path, folder in (("space", tmp_path), (tmp_path / "space", None)):
        assert take(path, sha256, folder).content_hash == sha256


@pytest.mark.parametrize("file", [ARRAYS, FACTS])
def test_a_missing_or_damaged_file_is_refused(tmp_path, file):
    sha256 = save_model(MODEL, tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="holds no readable model"):
        load_given(str(tmp_path), sha256, folder=None)
    (tmp_path / file).unlink()
    with pytest.raises(InputError, match=f"has no {file}; give the folder of a model"):
        load_given(str(tmp_path), sha256, folder=None)


def test_another_hash_is_refused_with_both(tmp_path):
    sha256 = save_model(MODEL, tmp_path)
    with pytest.raises(InputError, match=f"has the hash {sha256}, the YAML states {HASH}"):
        take(tmp_path, HASH)
    means = MODEL.arrays["means"].copy()
    means[0] = 1e-9
    save_model(FrozenModel({**MODEL.arrays, "means": means}, MODEL.facts), tmp_path)
    with pytest.raises(InputError, match=f"the YAML states {sha256}"):
        take(tmp_path, sha256)


def test_another_method_or_version_is_refused_with_both(tmp_path):
    sha256 = save_model(MODEL, tmp_path)
    with pytest.raises(
        InputError, match=r"is hvg, version \d+; the model of .* is of pca, version \d+"
    ):
        take(tmp_path, sha256, method="hvg")
    older = FrozenModel(MODEL.arrays, {**MODEL.facts, "version": "0"})
    with pytest.raises(
        InputError, match=r"is pca, version [1-9]\d*; the model .* is of pca, version 0"
    ):
        take(tmp_path, save_model(older, tmp_path))
    with pytest.raises(InputError, match="is without a method"):
        take(tmp_path, save_model(FrozenModel(MODEL.arrays), tmp_path))


def test_an_artefact_of_the_dataset_itself_is_refused():
    spec = make_spec("x.h5ad", embedders=(spec_of(artefact={"dataset": "cells", "name": "pca"}),))
    with pytest.raises(InputError, match="'cells', this dataset itself"):
        build_model(spec, spec.embedders[0])


def test_without_train_cells_only_what_learns_needs_an_artefact():
    splits = {"train": 0, "validation": 0, "test": 1}
    for fields, is_possible in (
        ({"method": "pca"}, False),
        ({"method": "pca", "artefact": {"dataset": "other"}}, True),
        ({"method": "precomputed", "obsm": "X_theirs"}, True),
    ):
        spec = make_spec("x.h5ad", splits=splits, embedders=({"name": "e", **fields},))
        if is_possible:
            build_model(spec, spec.embedders[0])
            continue
        with pytest.raises(InputError, match="pca learns from train cells, but splits.train is 0"):
            build_model(spec, spec.embedders[0])


def test_where_the_model_comes_from_is_told():
    fitted = load_embedder(spec_of())
    assert scope_of(fitted, spec_of()) == "train"
    assert scope_of(fitted, spec_of(artefact={"dataset": "a"})) == "other_dataset"
    assert scope_of(fitted, spec_of(artefact={"path": "a", "sha256": HASH})) == "external"
    given = spec_of("precomputed", obsm="X")
    assert scope_of(load_embedder(given), given) == "external"
    told = describe_model(fitted, spec_of(), FrozenModel(facts={"is_random": True}))
    assert told == {
        "method": "pca",
        "version": pca.Embedder.version,
        "fit_scope": "train",
        "role": "input",
        "is_random": True,
    }


def test_another_datasets_generation_stays_its_own():
    theirs = artefact_of("models/pca", "m1", "other", generation={"counts": "c-theirs"})
    ours = artefact_of("counts", "c-ours", generation={"annotated_obs": "a"})
    recorded = as_input(theirs, "cells")
    assert recorded.name == "other/models/pca"
    assert require_one_generation([ours, recorded]) == {
        "annotated_obs": "a",
        "counts": "c-ours",
        "other/models/pca": "m1",
    }
    assert as_input(ours, "cells") is ours
    assert origin_of(ours, "cells") is None
    told = origin_of(theirs, "cells")
    assert told == {
        "dataset": "other",
        "stage": "models/pca",
        "model_hash": "m1",
        "generation": {"counts": "c-theirs"},
    }


def test_mixed_spaces_are_breaches():
    model = artefact_of("models/pca", "b" * 64)
    fields = {"partition_key": "0001-of-0002", "metadata": {"model_hash": "b" * 64}}
    same = artefact_of("embeddings/pca", "v", inputs={"models/pca": "b" * 64}, **fields)
    assert find_space_breaches(same, model) == ([], 1)
    fields["metadata"] = {"model_hash": "a" * 64}
    other = artefact_of("embeddings/pca", "v", inputs={"models/pca": "a" * 64}, **fields)
    breaches, _ = find_space_breaches(other, model)
    assert len(breaches) == 2
    assert "embeddings/pca@0001-of-0002 says model aaaaaaaaaaaa" in breaches[1]
    assert "models/pca is bbbbbbbbbbbb" in breaches[1]


def test_a_model_without_genes_has_no_match():
    cells = cells_of(GENES)
    assert match_genes(FrozenModel(), cells) is None
    assert judge_gene_match(FrozenModel(), cells, label="cells") is None


def test_missing_genes_are_warned_of_below_80_percent():
    for n_known, is_told in ((10, False), (8, False), (7, True), (5, True)):
        warning = judge_gene_match(MODEL, cells_of(GENES[:n_known]), label="cells, embedder 'e'")
        assert (warning is not None) == is_told
    assert "cells, embedder 'e': the dataset has 50.0% of the 10 genes of the model" in warning
    assert "both have human Ensembl ids" in warning


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (
            [f"GENE{i}" for i in range(10)],
            r"those of the dataset names that are no Ensembl ids \(GENE0",
        ),
        (
            [f"ENSMUSG{i:011d}" for i in range(10)],
            r"of the dataset mouse Ensembl ids \(ENSMUSG0000",
        ),
        ([f"ENSRNOG{i:011d}" for i in range(10)], r"ids of another species \(ENSRNOG…\)"),
        ([*GENES[:4], *(f"ENSG{i:011d}" for i in range(20, 40))], "of another release"),
    ],
)
def test_a_model_of_other_genes_is_refused_with_the_likely_reason(ids, reason):
    with pytest.raises(InputError, match=f"^cells: the dataset has .*{reason}.* Below 50%"):
        judge_gene_match(MODEL, cells_of(ids), label="cells")


def test_a_missing_extra_names_the_command(monkeypatch):
    embedder = SimpleNamespace(method="geneformer", extra="geneformer")
    stated = ["numpy", 'no-such-package>=1; extra == "geneformer"', 'other; extra == "sra"']
    monkeypatch.setattr(contract.importlib.metadata, "requires", lambda _: stated)
    with pytest.raises(
        InputError,
        match=r"geneformer needs no-such-package.*pip install 'adata_assets\[geneformer\]'",
    ):
        require_extra(embedder)
    require_extra(SimpleNamespace(method="pca", extra=None))
    stated[1] = 'numpy; extra == "geneformer"'
    require_extra(embedder)


def test_every_extra_of_a_method_exists():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    for name in contract.embedder_names():
        extra = importlib.import_module(f"adata_assets.embedders.{name}").Embedder.extra
        assert extra is None or extra in settings["options.extras_require"]
