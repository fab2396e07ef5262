"""What the card says about embeddings, splits, the ledger, sources and works to cite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from adata_assets.errors import InputError
from adata_assets.hub.card_parts import (
    cite_methods,
    cite_sources,
    describe_embeddings,
    describe_ledger,
    describe_source,
    describe_splits,
)
from adata_assets.spec import Citation


def _facts(**changed: Any) -> dict[str, Any]:
    facts = {"method": "pca", "n_dims": 50, "model_hash": "ab" * 32, "version": "2"}
    return {**facts, "fit_scope": "train", **changed}


def test_s8_embeddings_are_told_by_the_files() -> None:
    """S8: key, method, dimension, version and hash of each, sorted by name."""
    metadata = {"embeddings": {"scvi_30": _facts(method="scvi", n_dims=30), "pca": _facts()}}
    lines = describe_embeddings([metadata, metadata]).splitlines()
    assert lines[0] == (
        f"- `X_pca`: method `pca`, 50 dimensions, model version `2`, model hash `{'ab' * 32}`, "
        "fitted on the train cells of this dataset"
    )
    assert lines[1].startswith("- `X_scvi_30`: method `scvi`, 30 dimensions")


def test_s8_numbers_as_h5ad_gives_them_are_equal() -> None:
    """S8: a file that was read back holds numpy scalars."""
    files = [{"embeddings": {"pca": _facts(n_dims=n)}} for n in (50, np.int64(50))]
    assert "50 dimensions" in describe_embeddings(files)


def test_s9_files_that_disagree_are_refused() -> None:
    """S9: one fitted transform for all chunks."""
    files = [{"embeddings": {"pca": _facts(model_hash=h)}} for h in ("aa", "aa", "bb")]
    with pytest.raises(InputError, match="chunk files 0 and 2"):
        describe_embeddings(files)
    with pytest.raises(InputError, match="0 and 1"):
        describe_embeddings([files[0], {"embeddings": {}}])


@pytest.mark.parametrize("field", ["method", "n_dims", "model_hash", "fit_scope", "version"])
def test_s8_a_missing_field_is_named(field: str) -> None:
    facts = _facts()
    del facts[field]
    with pytest.raises(InputError, match=rf"'pca'.*{field}"):
        describe_embeddings([{"embeddings": {"pca": facts}}])


def test_s8_other_metadata_is_refused() -> None:
    with pytest.raises(InputError, match="no chunk files"):
        describe_embeddings([])
    with pytest.raises(InputError, match=r"chunk file 0.*generation"):
        describe_embeddings([{"generation": "x"}])
    with pytest.raises(InputError, match="somewhere"):
        describe_embeddings([{"embeddings": {"pca": _facts(fit_scope="somewhere")}}])
    assert describe_embeddings([{"embeddings": {}}]).startswith("None")


def test_c2_splits_are_counted_and_their_dealing_told() -> None:
    """C2, P5: whole groups; or by cell, and then it says why."""
    counts = {"train": 5_477, "test": 624}
    groups = {"train": 2, "test": 1}
    text = describe_splits(counts, by="group", group_key="donor_id", n_groups=groups)
    assert "`donor_id`: no group is in two splits" in text
    assert "| `train` | 2 | 5,477 |\n| `test` | 1 | 624 |" in text
    no_donor = describe_splits(counts, by="cell", group_key=None, n_groups=None)
    assert "because the source names no donor" in no_donor
    assert "| `test` | 624 |" in no_donor
    assert "groups" not in no_donor
    asked = describe_splits(counts, by="cell", group_key="donor_id", n_groups=None)
    assert "as the dataset's settings ask" in asked


def test_shares_deviations_and_what_was_held_out_are_told() -> None:
    dealing = {
        "asked": {"train": 0.8, "test": 0.2},
        "shares": {"train": 0.7641, "test": 0.2359},
        "deviation_points": {"train": -3.59, "test": 3.59},
        "group_columns": ["donor_id", "study"],
        "held_out": {"test": ["study", "tissue"]},
        "n_labels": 10,
        "labels": {"train": 10, "test": 7},
    }
    text = describe_splits(
        {"train": 764, "test": 236},
        by="group",
        group_key="donor_id",
        n_groups=None,
        dealing=dealing,
    )
    assert "obs columns `donor_id`, `study`: no value of them is in two splits" in text
    assert "train 76.4 % (asked 80 %, -3.6 points), test 23.6 % (asked 20 %, +3.6 points)" in text
    assert "Held out by the settings: test by `study`, `tissue`." in text
    assert "Of 10 cell types occur: train 10, test 7." in text


@pytest.mark.parametrize(("by", "group_key"), [("group", None), ("donor", "donor_id")])
def test_a_dealing_that_cannot_be_told_is_refused(by: str, group_key: str | None) -> None:
    with pytest.raises(InputError, match=by):
        describe_splits({"train": 1}, by=by, group_key=group_key, n_groups=None)


def test_p2_the_ledger_accounts_for_every_cell() -> None:
    """P2: removed cells stand in the card with their rule, and the total is that of the source."""
    ledger = pd.DataFrame(
        {
            "source": ["a|b.h5ad"] * 3,
            "outcome": ["kept", "removed", "removed"],
            "rule": [None, "min_genes < 200", np.nan],
            "n_obs": [6_101, 4_600, 5],
        }
    )
    text = describe_ledger(ledger)
    assert "| a\\|b.h5ad | kept |  | 6,101 |" in text
    assert "| removed | min_genes &lt; 200 | 4,600 |" in text
    assert text.endswith("| all |  |  | 10,706 |")


def test_a_ledger_without_its_columns_is_refused() -> None:
    with pytest.raises(InputError, match="rule"):
        describe_ledger(pd.DataFrame({"source": ["a"], "outcome": ["kept"], "n_obs": [1]}))
    with pytest.raises(InputError, match="empty"):
        describe_ledger(pd.DataFrame({"source": [], "outcome": [], "rule": [], "n_obs": []}))


def test_s5_sources_come_from_the_yaml() -> None:
    """S5."""
    works = [
        Citation(role="data", text="CZ CELLxGENE Discover", doi="10.1101/2023.10.30.563174"),
        Citation(role="data", text="Edgar R. GEO. NAR 30:207 (2002)", doi=None),
        Citation(role="annotation", text="CellWhisperer", doi="10.1101/2024.10.15.618501"),
    ]
    text = cite_sources(works)
    data, annotation = text.split("**Annotation**")
    assert "(https://doi.org/10.1101/2023.10.30.563174)" in data
    assert "30:207" in data
    assert "10.1101/2024.10.15.618501" in annotation
    assert cite_sources([]) == "The dataset's settings name no works to cite."
    assert describe_source("") == "The dataset's settings state no data sources."
    assert describe_source("<img src=x>") == "&lt;img src=x&gt;"


def test_s5_methods_are_cited_only_when_used() -> None:
    """S5: anndata and scanpy always."""
    scvi, geneformer = "10.1038/s41592-018-0229-2", "10.1038/s41586-023-06139-9"
    always = ("10.1101/2021.12.16.473007", "10.1186/s13059-017-1382-0")
    none, both = cite_methods(["pca", "hvg"]), cite_methods({"scvi", "geneformer"})
    assert all(doi in none and doi in both for doi in always)
    assert scvi in both
    assert geneformer in both
    assert scvi not in none
    assert geneformer not in none
    own = Citation(role="method", text="Own tool", doi="10.1/a(b)")
    assert "https://doi.org/10.1/a%28b%29)" in cite_methods([], [own])
