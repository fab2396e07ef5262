"""``pca_given``: scores in the space of a model that is given as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.apply import match_genes
from adata_assets.embedders.contract import load_embedder
from adata_assets.embedders.pca_given import Embedder, Settings
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.embedders.stored import StoredCells


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract: a model of which some genes are not there."""
    return settings_of(write_model(folder, [*stored.gene_stats["gene_id"][::3], "ENSG99999999999"]))


def model_arrays(genes: list[str], n_dims: int = 4) -> dict[str, np.ndarray]:
    """Return the arrays of a model."""
    rng = np.random.default_rng(0)
    return {
        "genes": np.array(genes, dtype=str),
        "means": rng.gamma(1.0, size=len(genes)).astype(np.float32),
        "scales": rng.uniform(0.2, 2, len(genes)).astype(np.float32),
        "components": rng.normal(size=(n_dims, len(genes))).astype(np.float32),
    }


def write_model(folder: Path, names: list[str], **instead: np.ndarray) -> Path:
    """Write a model and return its path."""
    path = folder / "pca.npz"
    np.savez(path, **{**model_arrays(names), **instead})
    return path


def settings_of(path: Path) -> dict[str, str]:
    """Return the settings that name a file."""
    return {"model": str(path), "sha256": sha256_of(path)}


def fit(stored: StoredCells, path: Path):
    """Return method and model."""
    embedder = Embedder(Settings(**settings_of(path)))
    return embedder, stored.fit(embedder)


def test_p20_scores_equal_a_loop_over_genes(stored, tmp_path):
    genes = [*stored.gene_stats["gene_id"][::-2], "ENSG99999999999"]
    embedder, model = fit(stored, write_model(tmp_path, genes))
    cells, arrays = stored.cells(), model_arrays(genes)
    values = np.log1p(cells.counts.toarray() / cells.totals[:, None] * 1e4)
    expected = np.zeros((200, 4))
    for i, gene in enumerate(genes):
        column = cells.columns_of([gene])[0]
        value = values[:, column] if column >= 0 else np.zeros(200)
        standard = (value - arrays["means"][i]) / arrays["scales"][i]
        expected += np.outer(standard, arrays["components"][:, i])
    scores = embedder.embed(cells, model)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-4)
    assert model.facts["n_matched"] == 45
    assert match_genes(model, cells) == pytest.approx(45 / 46)


def test_genes_can_be_symbols(stored, tmp_path):
    symbols = np.array([f"SYM{i}" for i in range(90)], dtype=object)
    embedder = Embedder(Settings(**settings_of(write_model(tmp_path, ["SYM5", "SYM2"]))))
    model = embedder.fit(replace(stored.train, symbols=symbols))
    assert model.gene_ids == stored.gene_stats["gene_id"][[5, 2]].tolist()


def test_p15_a_model_with_objects_is_refused(stored, tmp_path):
    class Evil:
        def __reduce__(self):
            return Path(tmp_path / "ran").touch, ()

    path = write_model(tmp_path, ["A"], genes=np.array([Evil()], dtype=object))
    with pytest.raises(InputError, match=r"no PCA model \(Object arrays cannot be loaded"):
        fit(stored, path)
    assert not (tmp_path / "ran").exists()


def test_p15_another_file_is_refused_before_it_is_read(stored, tmp_path):
    path = tmp_path / "pca.npz"
    path.write_bytes(b"whatever")
    with pytest.raises(InputError, match=f"has sha256 {sha256_of(path)}, the YAML states abab"):
        stored.fit(Embedder(Settings(model=str(path), sha256="ab" * 32)))


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        ({"means": np.zeros(3)}, r"shapes .*'means': \(3,\).* do not fit"),
        ({"components": np.zeros((2, 5))}, r"'components': \(2, 5\).* do not fit"),
        ({"components": np.float64(1)}, r"'components': \(\).* do not fit"),
        ({"genes": np.arange(2)}, "genes are int64, expected text"),
        ({"means": np.array([1, np.nan])}, r"means \(float64\) holds values that are no numbers"),
        ({"scales": np.array([1.0, 0])}, "1 scales are 0 or below, the first of gene 'B'"),
        ({"genes": np.array(["A", "A"])}, "listed more than once, among them as A"),
    ],
)
def test_arrays_that_do_not_fit_are_named(stored, tmp_path, instead, message):
    with pytest.raises(InputError, match=message):
        fit(stored, write_model(tmp_path, ["A", "B"], **instead))


def test_what_is_no_model_is_refused(stored, tmp_path):
    text, array = tmp_path / "a.npz", tmp_path / "b.npy"
    text.write_text("PC1,PC2")
    np.save(array, np.zeros(3))
    np.savez(tmp_path / "c.npz", means=np.zeros(2))
    for path in (text, array, tmp_path / "c.npz"):
        with pytest.raises(InputError, match="needed is an npz file with genes, means, scales"):
            fit(stored, path)


def test_the_sha256_must_be_stated():
    with pytest.raises(InputError, match=r"sha256: Field required"):
        load_embedder(EmbedderSpec(name="e", method="pca_given", model="pca.npz"))
    with pytest.raises(InputError, match=r"sha256: String should match pattern"):
        load_embedder(EmbedderSpec(name="e", method="pca_given", model="a.npz", sha256="AB"))
