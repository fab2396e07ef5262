"""``gene_set``: the values of a listed panel, in the order of the list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adata_assets.commit import sha256_of
from adata_assets.embedders.base.apply import match_genes
from adata_assets.embedders.contract import load_embedder
from adata_assets.embedders.gene_set import Embedder, Settings
from adata_assets.errors import InputError
from adata_assets.spec import EmbedderSpec
from adata_assets_tests.embedders.stored import StoredCells


def small_settings(stored: StoredCells, folder: Path) -> dict[str, Any]:
    """Settings for the contract: a panel of which two genes are not there."""
    genes = [*stored.gene_stats["gene_id"][:12], "ENSG99999999999", "UNKNOWN1"]
    return {"panel": str(write_panel(folder, "\n".join(genes)))}


def write_panel(folder: Path, text: str) -> Path:
    """Write a panel and return its path."""
    path = folder / "panel.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def with_symbols(stored):
    """The train cells with symbols; two genes share one, one has none."""
    symbols = np.array([f"SYM{i}" for i in range(90)], dtype=object)
    symbols[41], symbols[7] = "SYM40", None
    return replace(stored.train, symbols=symbols)


def test_values_are_lognorm_in_the_order_of_the_list(stored):
    known = stored.gene_stats["gene_id"]
    listed = (known[30], "ENSG99999999999", known[2])
    embedder = Embedder(Settings(genes=listed))
    model, cells = stored.fit(embedder), stored.cells()
    values = embedder.embed(cells, model)
    dense = cells.counts.toarray()
    expected = np.log1p(dense / cells.totals[:, None] * 1e4)
    np.testing.assert_allclose(values[:, 0], expected[:, 30], rtol=1e-6)
    np.testing.assert_allclose(values[:, 2], expected[:, 2], rtol=1e-6)
    assert (values[:, 1] == 0).all()
    assert model.facts["n_matched"] == 2
    assert match_genes(model, cells) == pytest.approx(2 / 3)


def test_symbols_are_found_and_a_shared_one_is_its_gene_with_most_counts(stored, with_symbols):
    stats = stored.gene_stats
    model = Embedder(Settings(genes=("SYM3", stats["gene_id"][5], "SYM40", "SYM7"))).fit(
        with_symbols
    )
    shared = stats.loc[[40, 41]].sort_values("total_counts")["gene_id"].iloc[-1]
    assert model.gene_ids == [stats["gene_id"][3], stats["gene_id"][5], shared, "SYM7"]
    assert model.facts["listed"] == ["SYM3", stats["gene_id"][5], "SYM40", "SYM7"]


def test_a_panel_has_comments_and_blank_lines(stored, tmp_path):
    first, second = stored.gene_stats["gene_id"][:2]
    path = write_panel(tmp_path, f"\ufeff# T cells\n\n{second}\n  {first}  # a marker\n")
    model = stored.fit(Embedder(Settings(panel=str(path), sha256=sha256_of(path))))
    assert model.gene_ids == [second, first]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "lists no gene"),
        ("A\nB C\n", "line 2: 'B C' is more than one name"),
        ("A\nB\n", "has none of the 2 listed genes, the first of which is 'A'"),
        ("{0}\n{0}\n", "1 genes are listed more than once, among them as ENSG"),
    ],
)
def test_a_wrong_panel_says_what_is_wrong(stored, tmp_path, text, message):
    path = write_panel(tmp_path, text.format(stored.gene_stats["gene_id"][0]))
    with pytest.raises(InputError, match=message):
        stored.fit(Embedder(Settings(panel=str(path))))


def test_a_symbol_and_its_own_id_are_one_gene(with_symbols):
    listed = ("SYM3", with_symbols.gene_ids[3])
    with pytest.raises(InputError, match=r"listed more than once, among them as .*SYM3"):
        Embedder(Settings(genes=listed)).fit(with_symbols)


def test_a_panel_that_is_not_there_or_another_is_refused(stored, tmp_path):
    with pytest.raises(InputError, match="gene_set: panel 'nowhere.txt': no file at"):
        stored.fit(Embedder(Settings(panel="nowhere.txt")))
    path = write_panel(tmp_path, "A\n")
    with pytest.raises(InputError, match=f"has sha256 {sha256_of(path)}, the YAML states 0000"):
        stored.fit(Embedder(Settings(panel=str(path), sha256="0" * 64)))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        stored.fit(Embedder(Settings(panel=str(path))))


def test_a_panel_of_a_package_is_found(stored, tmp_path, monkeypatch):
    (tmp_path / "panels").mkdir()
    (tmp_path / "panels" / "__init__.py").touch()
    write_panel(tmp_path / "panels", stored.gene_stats["gene_id"][4])
    monkeypatch.syspath_prepend(str(tmp_path))
    model = stored.fit(Embedder(Settings(panel="package://panels/panel.txt")))
    assert model.facts["n_matched"] == 1


@pytest.mark.parametrize("settings", [{}, {"panel": "a.txt", "genes": ["A"]}])
def test_either_a_panel_or_a_list(settings):
    with pytest.raises(InputError, match="either panel .* or genes"):
        load_embedder(EmbedderSpec(name="e", method="gene_set", **settings))
