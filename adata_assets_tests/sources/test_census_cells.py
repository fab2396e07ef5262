"""A small Census, built here and opened through the Census's own API."""

from __future__ import annotations

import anndata as ad
import cellxgene_census
import numpy as np
import pandas as pd
import pytest
import requests
import scipy.sparse as sp
import tiledbsoma
import tiledbsoma.io

from adata_assets.assets.retries import is_passing
from adata_assets.errors import InputError
from adata_assets.sources.opening import open_source
from adata_assets.sources.schemes.census import CENSUS_URI
from adata_assets.spec import SourceSpec

URI = "census://2025-01-30/homo_sapiens"
MALE = "sex == 'male'"
COUNTS = np.random.default_rng(0).poisson(1.0, (20, 6)).astype(np.float32)


def obs_of_census(**columns):
    """Return the obs of 20 cells of two datasets."""
    joinid = np.arange(20)
    return pd.DataFrame(
        {
            "dataset_id": np.where(joinid < 10, "first", "second"),
            "observation_joinid": [f"e?R0lp{i % 10}" for i in joinid],
            "sex": np.where(joinid % 2 == 0, "male", "female"),
            "cell_type": "B cell",
            **columns,
        },
        index=[f"row{i}" for i in joinid],
    )


def build_census(folder, obs):
    """Write a Census with one organism."""
    var = pd.DataFrame(
        {
            "feature_id": [f"ENSG{i:011d}" for i in range(6)],
            "feature_name": [f"GENE{i}" for i in range(6)],
            "feature_length": 1000,
        },
        index=[f"gene{i}" for i in range(6)],
    )
    uri = (folder / "census").as_uri()
    place = f"{uri}/census_data/homo_sapiens"
    with tiledbsoma.Collection.create(uri) as census:
        data = census.add_new_collection("census_data")
        tiledbsoma.io.from_anndata(
            place, ad.AnnData(sp.csr_matrix(COUNTS), obs, var), "RNA", X_layer_name="raw"
        )
        data.set("homo_sapiens", tiledbsoma.open(place), use_relative_uri=False)
        info = census.add_new_collection("census_info")
        info.metadata["about"] = "a Census of a test"
    return uri


@pytest.fixture
def census(tmp_path, monkeypatch):
    """A Census with lasting names."""
    monkeypatch.setenv(CENSUS_URI, build_census(tmp_path, obs_of_census()))


def source_of(query=MALE, **fields):
    return open_source(SourceSpec(uri=URI, query=query, **fields), None)


def test_cells_of_a_query_become_an_h5ad(census, folders):
    """Raw counts in X, Ensembl ids as var names, names that do not depend on soma_joinid."""
    source = source_of()
    path = source.fetch(source.look(), **folders)
    adata = ad.read_h5ad(path)
    assert path == folders["folder"] / "homo_sapiens.h5ad"
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[::2])
    assert list(adata.obs_names[:2]) == ["first:e?R0lp0", "first:e?R0lp2"]
    assert adata.obs_names.is_unique and "soma_joinid" not in adata.obs
    assert list(adata.var_names) == [f"ENSG{i:011d}" for i in range(6)]
    assert list(adata.var["feature_name"]) == [f"GENE{i}" for i in range(6)]
    assert set(adata.obs["sex"]) == {"male"}


def test_the_same_query_gives_the_same_bytes(census, folders):
    source = source_of()
    first = source.fetch(source.look(), **folders).read_bytes()
    assert source.fetch(source.look(), **folders).read_bytes() == first


def test_cells_are_counted(census):
    assert source_of().count_obs() == 10
    assert source_of("sex == 'male' and dataset_id == 'first'").count_obs() == 5


def test_another_content_than_stated_leaves_nothing_behind(census, folders):
    source = source_of(sha256="0" * 64)
    with pytest.raises(InputError, match="the YAML states 0000") as caught:
        source.fetch(source.look(), **folders)
    assert not is_passing(caught.value)
    assert list(folders["folder"].iterdir()) == []


def test_a_query_without_cells_is_told(census, folders):
    source = source_of("sex == 'unknown'")
    with pytest.raises(InputError, match="no cells for the query"):
        source.fetch(source.look(), **folders)


@pytest.mark.parametrize("query", ["sex = = 'male'", "weight > 3"])
def test_a_query_that_makes_no_sense_is_told(census, query):
    with pytest.raises(InputError, match="does not understand the query"):
        source_of(query).count_obs()


def test_an_organism_that_is_not_there_is_told(census):
    source = open_source(SourceSpec(uri="census://2025-01-30/mus_musculus", query=MALE), None)
    with pytest.raises(InputError, match=r"no organism 'mus_musculus'; this Census has \['homo"):
        source.count_obs()


def test_a_census_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(CENSUS_URI, (tmp_path / "nothing").as_uri())
    with pytest.raises(InputError, match="the Census cannot be opened") as caught:
        source_of().count_obs()
    assert not is_passing(caught.value)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ValueError('The "2025-01-30" Census version is not valid'), False),
        (requests.JSONDecodeError("a login page", "<html>", 0), True),
        (requests.ConnectionError("no answer"), True),
        (tiledbsoma.SOMAError("could not resolve host"), True),
    ],
    ids=lambda found: type(found).__name__,
)
def test_only_a_version_that_is_not_there_is_final(monkeypatch, error, passes):
    def open_soma(**where):
        raise error

    monkeypatch.setattr(cellxgene_census, "open_soma", open_soma)
    with pytest.raises(InputError, match="the Census cannot be opened") as caught:
        source_of().count_obs()
    assert is_passing(caught.value) == passes


def test_cells_without_lasting_names_are_refused(tmp_path, monkeypatch, folders):
    obs = obs_of_census().drop(columns="observation_joinid")
    monkeypatch.setenv(CENSUS_URI, build_census(tmp_path, obs))
    source = source_of()
    with pytest.raises(InputError, match="has no observation_joinid"):
        source.fetch(source.look(), **folders)


def test_cells_that_share_a_name_are_refused(tmp_path, monkeypatch, folders):
    monkeypatch.setenv(CENSUS_URI, build_census(tmp_path, obs_of_census(observation_joinid="x")))
    source = source_of()
    with pytest.raises(InputError, match="8 cells share a name, such as 'first:x'"):
        source.fetch(source.look(), **folders)
