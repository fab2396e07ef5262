"""Files as they are found: each is handled as its cells deserve, or refused in words that help.

P9, P10, P12, P13: what the values are, which genes they are of, and the rules that depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from adata_assets.annotation.annotate import annotate
from adata_assets.errors import InputError
from adata_assets.sources.raw import RawFile
from adata_assets_tests.datasets import make_cells, make_spec

SINGLE = {"format": "single", "embedders": (), "chunks": {"size": 1000}}
ALL_TRAIN = {"train": 1, "validation": 0, "test": 0, "split_by": "cell"}
# MT-ND1, MT-ND2, MT-CO1, and genes of chromosome 1.
HUMAN_MT = ("ENSG00000198888", "ENSG00000198763", "ENSG00000198804")


def raw_file(path: Path) -> RawFile:
    return RawFile(path.name.partition(".")[0], str(path), "v1", str(path), None, 0, 0, "")


def look(tmp_path, adatas: ad.AnnData | Sequence[ad.AnnData], **fields):
    """Annotate one or several files of generated cells."""
    several = [adatas] if isinstance(adatas, ad.AnnData) else list(adatas)
    paths = [tmp_path / f"raw{number}.h5ad" for number in range(len(several))]
    for adata, path in zip(several, paths, strict=True):
        adata.write_h5ad(path)
    spec = make_spec(paths[0], **{**SINGLE, **fields})
    return annotate(
        [raw_file(path) for path in paths], spec, scratch=tmp_path, cache=tmp_path / "cache"
    )


def refuse(tmp_path, adatas, *words, **fields):
    with pytest.raises(InputError) as told:
        look(tmp_path, adatas, **fields)
    for word in words:
        assert word in str(told.value), str(told.value)


def log1p(counts: sp.csr_matrix, target: float = 1e4) -> sp.csr_matrix:
    rates = counts.multiply(target / counts.sum(axis=1)).tocsr()
    return rates.log1p().astype(np.float32)


def totals(adata: ad.AnnData) -> list[int]:
    return np.asarray(adata.X.sum(axis=1)).ravel().astype(int).tolist()


def with_values(change) -> ad.AnnData:
    adata = make_cells()
    adata.X = change(adata.X.astype(np.float64))
    return adata


def noisy(counts):
    return sp.csr_matrix((counts.data + 1e-11, counts.indices, counts.indptr), counts.shape)


def expected(counts):
    rng = np.random.default_rng(0)
    data = counts.data + np.where(rng.random(counts.nnz) < 0.4, rng.random(counts.nnz), 0)
    return sp.csr_matrix((data, counts.indices, counts.indptr), counts.shape)


def scaled(counts):
    dense = counts.toarray()
    return (dense - dense.mean(axis=0)) / (dense.std(axis=0) + 1)


def test_p9_float_noise_around_whole_numbers_is_rounded_and_said(tmp_path):
    annotated = look(tmp_path, with_values(noisy))
    assert annotated.obs["n_counts"].tolist() == totals(make_cells())
    (values,) = annotated.facts["values"]
    assert values["form"] == "noisy" and values["largest_error"] < 1e-10
    assert any("had float noise" in warning for warning in annotated.warnings)


def test_p9_expected_counts_are_refused_or_rounded_when_asked(tmp_path):
    adata = with_values(expected)
    words = ("expected counts (RSEM", "counts.allow_expected: true", "layers['counts']")
    refuse(tmp_path, adata, *words)
    annotated = look(tmp_path, adata, counts={"allow_expected": True})
    rounded = np.rint(adata.X.data).sum()
    assert annotated.obs["n_counts"].sum() == rounded
    assert any("expected counts" in w and "rounded" in w for w in annotated.warnings)


def test_p9_p10_logged_values_are_turned_back_where_that_is_exact(tmp_path):
    annotated = look(tmp_path, with_values(log1p))
    assert annotated.obs["n_counts"].tolist() == totals(make_cells())
    assert annotated.facts["counts"] == [{"slot": "X", "form": "log1p"}]
    assert any("turned back" in warning for warning in annotated.warnings)


NOT_COUNTS = {
    "logged and corrected": (
        lambda counts: log1p(counts).multiply(1.01).tocsr(),
        ("holds no raw counts", "cell 0: value", "log1p of normalised values", "layers['counts']"),
    ),
    "roots": (
        lambda counts: counts.sqrt().multiply(1.37).tocsr(),
        ("logarithms or other transformed values", "are whole numbers"),
    ),
    "CPM": (
        lambda counts: counts.multiply(1e6 / counts.sum(axis=1)).tocsr(),
        ("1,000,000 (CPM or TPM)", "as the sequencing pipeline wrote them"),
    ),
    "scaled": (scaled, ("scaled (z-scored) or batch-corrected", "negative")),
    "missing": (
        lambda counts: np.where(counts.toarray() == 3, np.nan, counts.toarray()),
        ("missing (NaN) or infinite",),
    ),
    "nothing": (lambda counts: counts * 0, ("only zeros",)),
}


@pytest.mark.parametrize("kind", NOT_COUNTS)
def test_p9_what_is_no_count_is_named_for_what_it_is(tmp_path, kind):
    change, words = NOT_COUNTS[kind]
    refuse(tmp_path, with_values(change), "raw0.h5ad, X", *words)


@pytest.mark.parametrize("slot", ["raw/X", "layers/counts", "layers/umi", "dense X"])
def test_counts_are_found_wherever_they_are(tmp_path, slot):
    adata = make_cells()
    if slot == "dense X":
        adata.X = adata.X.toarray()
    else:
        if slot == "raw/X":
            adata.raw = adata.copy()
        else:
            adata.layers[slot.removeprefix("layers/")] = adata.X.copy()
        adata.X = log1p(adata.X)
    annotated = look(tmp_path, adata)
    assert annotated.facts["counts"][0]["slot"] == slot.removeprefix("dense ")
    assert annotated.obs["n_counts"].tolist() == totals(make_cells())


def renamed(index: list[str], **var: list[str]) -> ad.AnnData:
    adata = make_cells()
    adata.var = pd.DataFrame(var, index=index)
    return adata


def human_ids() -> list[str]:
    return [*HUMAN_MT, *(f"ENSG{i:011d}" for i in range(10_000, 10_077))]


@pytest.mark.parametrize(
    "adata",
    [
        renamed(human_ids()),
        renamed([f"{gene}.3" for gene in human_ids()]),
        renamed([str(i) for i in range(80)], ensembl_id=human_ids()),
        renamed([str(i) for i in range(80)], some_column=human_ids()),
        renamed(["MT-ND1", "MT-ND2", "MT-CO1", *human_ids()[3:]]),
    ],
    ids=["ids", "versions", "numbers and ids", "numbers, column of any name", "symbols"],
)
def test_p12_the_mitochondrial_rule_works_whatever_the_genes_are_called(tmp_path, adata):
    counts = adata.X.toarray()
    counts[0, :3] = 500
    adata.X = sp.csr_matrix(counts)
    annotated = look(tmp_path, adata, species="human")
    var, obs = annotated.genes.var, annotated.obs
    assert var.loc[var["is_mt"], "gene_id"].tolist() == list(HUMAN_MT)
    assert var["symbol"].tolist()[:3] == ["MT-ND1", "MT-ND2", "MT-CO1"]
    assert obs["removed_rule"][0] == "max_pct_mt"
    share = counts[:, :3].sum(axis=1) / counts.sum(axis=1) * 100
    assert obs["pct_mt_source"].to_numpy() == pytest.approx(share)


def test_p13_symbols_that_repeat_are_one_gene_with_all_its_counts(tmp_path):
    adata = make_cells()
    adata.var = pd.DataFrame(index=["CD4", "CD4", "CD8A", *(f"x{i}" for i in range(77))])
    with pytest.warns(UserWarning, match="not unique"):
        annotated = look(tmp_path, adata.copy(), species="human")
    var = annotated.genes.var
    assert var["n_source_features"].tolist()[:2] == [2, 1]
    assert len(var) == 79
    assert annotated.obs["n_counts"].tolist() == totals(adata)


def test_features_that_are_only_numbered_are_refused(tmp_path):
    adata = renamed([str(i) for i in range(80)], score=["1"] * 80)
    refuse(tmp_path, adata, "numbered 0 … 79", "['score']", "keys.gene_id or keys.gene_symbol")


@pytest.mark.parametrize(
    ("index", "species", "by"),
    [
        (["mt-Nd1", *(f"ENSMUSG{i:011d}" for i in range(79))], "mouse", "ids"),
        ([f"ENSGALG{i:011d}" for i in range(80)], "other", "ids"),
        ([f"thing{i}" for i in range(80)], "other", "nothing"),
    ],
    ids=["mouse", "chicken", "unknown"],
)
def test_species_are_recognised_and_others_work_without_mapping(tmp_path, index, species, by):
    adata = renamed(index)
    annotated = look(tmp_path, adata)
    assert (annotated.facts["species"], annotated.facts["species_by"]) == (species, by)
    assert annotated.obs["n_counts"].tolist() == totals(adata)
    if species == "other":
        assert annotated.genes.var["gene_id"].tolist() == index
        assert (annotated.genes.var["mapped_by"] != "symbol").all()


def test_human_genes_that_are_said_to_be_of_a_mouse_are_refused(tmp_path):
    refuse(tmp_path, renamed(human_ids()), "stated as mouse", "ENSG", species="mouse")


def test_cells_without_any_obs_column_make_rows_of_their_own(tmp_path):
    adata = make_cells()
    adata.obs = pd.DataFrame(index=adata.obs_names)
    annotated = look(tmp_path, adata)
    assert annotated.obs["keep"].all()
    assert annotated.obs["caption"].isna().all()
    assert (annotated.obs["known_facts"] == "{}").all()
    words = ("no cells are left of 60", "no_caption 60", "on_missing_caption")
    refuse(tmp_path, adata, *words, format="multiplets")


def test_columns_of_nothing_and_texts_with_holes_change_nothing(tmp_path):
    adata = make_cells()
    adata.obs["empty"] = np.nan
    adata.obs["tissue"] = pd.Series(np.nan, index=adata.obs_names)
    adata.obs["note"] = pd.Categorical(["a", None, "nan", "unknown", ""] * 12)
    adata.obs["cell_type"] = pd.Categorical(["B cell", None, "n/a", "T cell"] * 15)
    annotated = look(tmp_path, adata, format="pairs")
    obs = annotated.obs
    assert obs["removed_rule"].value_counts().to_dict() == {"no_caption": 30}
    assert not obs["caption"].dropna().str.contains("nan|None|n/a|unknown|tissue", regex=True).any()
    report = annotated.harmonised.report
    assert set(report.loc[report["finding"] == "all_missing", "column"]) >= {"empty", "tissue"}
    pd.testing.assert_frame_equal(
        annotated.source_obs, adata.obs.reset_index(drop=True), check_categorical=False
    )
