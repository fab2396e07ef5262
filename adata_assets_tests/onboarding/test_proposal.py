"""What is proposed loads, whatever the file: splits that can be dealt, words that say why."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adata_assets.components.dataset_defs import build_dataset_defs
from adata_assets.onboarding.blank import blank_proposal
from adata_assets.onboarding.look import look_at_source
from adata_assets.onboarding.proposal import propose
from adata_assets.onboarding.rehearsal import rehearse
from adata_assets.onboarding.yaml_text import write_yaml
from adata_assets.spec import DatasetSpec
from adata_assets_tests.annotation.small_files import Column, SmallFile, write_small
from adata_assets_tests.datasets import make_cells, write_cells


def proposed(path):
    """Return the text and the spec that the real model accepts."""
    look = look_at_source(str(path))
    text = write_yaml(propose(look, source=str(path)))
    spec = DatasetSpec(dataset_id="mine", **yaml.safe_load(text)["attributes"])
    return text, spec


def test_donors_are_dealt_whole_and_shallow_cells_stay(tmp_path):
    text, spec = proposed(write_cells(tmp_path))
    assert spec.keys.group == "donor_id"
    assert spec.splits.fractions == {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert 0 < spec.qc.min_genes < 80
    assert spec.embedders[0].settings["n_dims"] < 20
    assert "Hardly any cell looked at has 200 genes" in text


def test_two_donors_give_two_splits(tmp_path):
    text, spec = proposed(write_cells(tmp_path, make_cells(n_donors=2)))
    assert spec.splits.fractions == {"train": 0.5, "validation": 0.5}
    assert "2 values of donor_id are few for three splits" in text


def test_one_donor_is_dealt_by_cell_and_told(tmp_path):
    text, spec = proposed(write_cells(tmp_path, make_cells(n_donors=1)))
    assert (spec.splits.split_by, spec.keys.group) == ("cell", None)
    assert "donor_id has one value, 'donor0': no split by it is possible" in text


def test_without_cell_types_the_format_is_single(tmp_path):
    adata = make_cells()
    del adata.obs["cell_type"]
    text, spec = proposed(write_cells(tmp_path, adata))
    assert spec.format == "single"
    assert "without a cell type there are no captions" in text


def test_a_batch_is_no_donor_but_is_named(tmp_path):
    adata = make_cells()
    adata.obs = adata.obs.rename(columns={"donor_id": "batch"})
    text, spec = proposed(write_cells(tmp_path, adata))
    assert (spec.keys.batch, spec.splits.split_by) == ("batch", "cell")
    assert "If each of the 6 values of batch is a donor of its own" in " ".join(
        text.split("\n  # ")
    )


def test_samples_stand_in_for_donors_and_that_is_said(tmp_path):
    adata = make_cells()
    adata.obs = adata.obs.rename(columns={"donor_id": "sample_id"})
    text, spec = proposed(write_cells(tmp_path, adata))
    assert spec.keys.group == "sample_id"
    assert "No column looks like a donor: sample_id is dealt whole" in text


def test_a_column_that_most_cells_lack_is_no_group(tmp_path):
    adata = make_cells()
    adata.obs["donor_id"] = [f"d{i % 3}" if i < 20 else None for i in range(60)]
    adata.obs["donor_id"] = adata.obs["donor_id"].astype("category")
    _, spec = proposed(write_cells(tmp_path, adata))
    assert (spec.keys.group, spec.splits.split_by) == (None, "cell")


def test_identifiers_stay_on_the_machine(tmp_path):
    adata = make_cells()
    adata.obs["patient_name"] = "A. Person"
    text, spec = proposed(write_cells(tmp_path, adata))
    assert spec.drop_obs == ("patient_name",)
    assert "A. Person" not in text


def test_expected_counts_are_rounded_only_where_needed(tmp_path):
    rng = np.random.default_rng(0)
    adata = make_cells()
    whole = adata.X.toarray() * 9
    adata.X = sp.csr_matrix(np.where(rng.random(whole.shape) < 0.2, whole * 0.937, whole))
    _, spec = proposed(write_cells(tmp_path, adata))
    assert spec.counts.allow_expected


def test_what_stops_a_dataset_stands_on_top(tmp_path):
    text, _ = proposed(write_cells(tmp_path, ad.AnnData(make_cells().X)))
    assert "# MEND FIRST: the features of source file 1 are numbered" in text


def test_a_blank_one_says_what_to_fill_in():
    text = write_yaml(blank_proposal("mine"))
    assert text.count("FILL IN") == 3
    spec = DatasetSpec(dataset_id="mine", **yaml.safe_load(text)["attributes"])
    build_dataset_defs(spec)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1)
ROLE_NAMES = st.sampled_from(
    ["cell_type", "donor_id", "patient", "batch", "sample", "sex", "Email", "n_counts", "labels"]
)
VALUES = st.one_of(
    st.lists(st.sampled_from(["a", "b: c", "unknown", "1", "# no", "'"]), min_size=24, max_size=24),
    st.lists(st.integers(0, 3), min_size=24, max_size=24),
    st.lists(st.floats(allow_nan=True, width=32), min_size=24, max_size=24),
)
GENES = {
    "human": ["CD4", "CD8A", "GAPDH", "ACTB", "PTPRC", "NKG7"],
    "mouse": ["Cd4", "Cd8a", "Gapdh", "Actb", "Ptprc", "Nkg7"],
    "repeated": ["CD4", "CD4", "GAPDH", "GAPDH", "x", "y"],
    "numbers": list(range(6)),
}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    names=st.lists(st.one_of(ROLE_NAMES, NAMES), max_size=4, unique=True),
    data=st.data(),
    genes=st.sampled_from(sorted(GENES)),
    repeats=st.booleans(),
)
def test_any_file_gets_a_yaml_that_loads(tmp_path, names, data, genes, repeats):
    counts = np.random.default_rng(0).poisson(2, (24, 6))
    obs_names = [f"c{i // 2 if repeats else i}" for i in range(24)]
    columns = {}
    for name in names:
        values = data.draw(VALUES)
        is_text = isinstance(values[0], str)
        columns[name] = Column("text" if is_text else "float", tuple(values))
    small = SmallFile("raw", counts, obs_names, GENES[genes], obs=columns)
    text, spec = proposed(write_small(small, tmp_path).path)
    assert spec.splits.fractions["train"] > 0
    assert ("MEND FIRST" in text) >= (repeats or genes == "numbers")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=9),
    n_kinds=st.integers(1, 3),
    by_donor=st.booleans(),
)
def test_rehearsed_splits_hold_what_negatives_need(sizes, n_kinds, by_donor):
    donors = np.repeat([f"d{i}" for i in range(len(sizes))], sizes)
    kinds = np.array([f"k{i % n_kinds}" for i in range(len(donors))])
    if by_donor:
        kinds = np.array([f"k{int(donor[1:]) % n_kinds}" for donor in donors])
    obs = pd.DataFrame({"donor": donors, "kind": kinds})
    found = rehearse(obs, cell_type="kind", group="donor")
    assert sum(found.sizes.values()) == len(obs)
    assert set(found.sizes) == {name for name, share in found.fractions.items() if share}
    assert all(found.sizes.values())
    if len(set(kinds)) < 2:
        assert found.format == "single"
    assert found.format == "multiplets" or found.of_format


@pytest.mark.parametrize("share", [1, 2, 5])
def test_the_smallest_donor_validates(share):
    donors = ["a"] * 40 + ["b"] * 30 + ["c"] * share
    obs = pd.DataFrame(
        {"donor": donors, "kind": ["B", "T"] * (len(donors) // 2) + ["B"] * (len(donors) % 2)}
    )
    found = rehearse(obs, cell_type="kind", group="donor")
    expected = share if share > 1 else 30
    assert found.sizes["validation"] == expected
