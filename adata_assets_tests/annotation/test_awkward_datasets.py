"""Awkward inputs through the whole graph: an h5ad and a zarr with equal barcodes, and what is said.

P2, C14; semantic sentences; a column that stays on the machine and tells nothing.
"""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_cells, make_spec
from adata_assets_tests.promises.published import read_all_rows, read_card, read_files

KEYS = tuple(f"cell_sentence_{i}" for i in range(1, 5))
SECRET = "chronic secret disease"


def two_cells() -> list[ad.AnnData]:
    """Return cells of one type of file each: equal barcodes, other columns, one cell twice."""
    first, second = make_cells(90, 240, seed=1), make_cells(90, 240, seed=2)
    for number, adata in enumerate((first, second)):
        # Every gene in every cell, so that copies are looked for.
        adata.X = (adata.X.toarray() + 1).astype(np.float32)
        adata.obs["disease"] = np.where(np.arange(90) % 2 == 0, SECRET, "normal")
        adata.obs["is_primary_data"] = np.arange(90) != 7
        adata.obs["patient_name"] = [f"Erika Muster {number}"] * 90
        adata.obs["assay"] = "10x 3' v3"
    second.X[5] = first.X[4]
    second.obs["cell_type"] = second.obs["cell_type"].astype(object)
    second.obs.iloc[5, second.obs.columns.get_loc("cell_type")] = "another cell"
    second.obs["plate"] = np.arange(90) % 3
    return [first, second]


def spec_of(sources: list[str], **fields) -> DatasetSpec:
    given = make_spec(
        "unused",
        qc={"min_genes": 5, "max_pct_mt": None},
        embedders=(),
        sentences={"length": 20, "keys": KEYS, "n_markers": 5, "label_probability": 0.5},
        **fields,
    ).model_dump(exclude_unset=True)
    return DatasetSpec(**{**given, "source": tuple(sources)})


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    first, second = two_cells()
    first.write_h5ad(folder / "plate-a.h5ad")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        second.write_zarr(folder / "plate-b.zarr")
    return [str(folder / "plate-a.h5ad"), str(folder / "plate-b.zarr")]


@pytest.fixture(scope="module")
def two(sources, tmp_path_factory):
    spec = spec_of(sources, drop_obs=("patient_name", "disease"))
    return Dataset.make(spec, tmp_path_factory.mktemp("published")).succeed()


def test_p2_cells_with_equal_barcodes_are_all_there(two):
    rows = read_all_rows(two)
    source = rows["sample_idx"].str.partition(":")[0]
    # One copy, and one cell of each file that is no primary data.
    assert source.value_counts().to_dict() == {"plate-a": 89, "plate-b": 88}
    ledger = read_table(two.load("ledger").local("ledger.parquet"))
    assert ledger.groupby("source")["n_obs"].sum().to_dict() == {"plate-a": 90, "plate-b": 90}
    gone = ledger[ledger["outcome"] == "removed"].set_index(["source", "rule"])["values_seen"]
    assert gone["plate-b", "duplicate_of"] == "plate-a:cell00004"
    assert gone["plate-a", "is_primary_data"] == "False"


def test_p2_every_linked_cell_has_the_counts_of_its_file(two):
    files = dict(zip(("plate-a", "plate-b"), two_cells(), strict=True))
    n_seen = 0
    for adata in read_files(two).values():
        for row, name in enumerate(adata.obs_names):
            source, _, barcode = name.partition(":")
            original = files[source]
            at = original.obs_names.get_loc(barcode)
            assert (adata.X[row].toarray().ravel() == original.X[at]).all()
            n_seen += 1
    assert n_seen == 177


def test_c14_columns_of_one_file_are_missing_for_the_cells_of_the_other(two):
    obs = pd.concat([adata.obs for adata in read_files(two).values()])
    is_second = obs.index.str.startswith("plate-b:")
    assert obs["plate"].isna().eq(~is_second).all()
    assert set(obs.loc[is_second, "plate"]) == {0, 1, 2}


def test_labels_stand_in_sentences_of_train_only(two):
    rows = read_all_rows(two)
    for key in KEYS[2:]:
        has_label = rows[key].str.contains("cell|monocyte", regex=True)
        assert has_label[rows["split"] == "train"].mean() == pytest.approx(0.5, abs=0.2)
        assert not has_label[rows["split"] != "train"].any()
    assert rows["cell_sentence_1"].equals(rows["sample_idx"])
    assert not rows["cell_sentence_2"].str.contains("cell").any()
    assert "cell_sentence_3" in read_card(two)


def test_a_column_that_stays_on_the_machine_tells_nothing_anywhere(two):
    texts = read_all_rows(two).astype(str).stack()
    for adata in read_files(two).values():
        assert not {"disease", "patient_name"} & set(adata.obs)
        assert not [name for name in adata.obs if "disease" in name]
        texts = pd.concat([texts, adata.obs.astype(str).stack()])
    texts = pd.concat([texts, pd.Series([read_card(two)])])
    for word in (SECRET, "Muster"):
        assert not texts.str.contains(word).any()


def test_a_column_that_may_name_people_stops_everything_until_it_is_judged(sources, tmp_path):
    told = Dataset.make(spec_of(sources), tmp_path).fail()
    for words in ("'patient_name'", "a person's name", "drop_obs: ['patient_name']", "publish_obs"):
        assert words in told
    assert "Muster" not in told
    listed = ("patient_name", "cell_type", "donor_id")
    dataset = Dataset.make(spec_of(sources, publish_obs=listed), tmp_path).succeed()
    obs = next(iter(read_files(dataset).values())).obs
    assert set(listed) <= set(obs) and not {"tissue", "score"} & set(obs)
