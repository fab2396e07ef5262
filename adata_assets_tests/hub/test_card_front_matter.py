"""S1: the YAML at the top of the card."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from adata_assets.errors import InputError
from adata_assets.hub.card_parts import front_matter, size_category


def _facts(**changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "license": "MIT",
        "tags": ["blood"],
        "splits": {"train": ["data/train-*"], "test": ["data/test-*"]},
        "features": [{"name": "sample_idx", "dtype": "string"}],
        "n_rows": {"train": 560, "test": 140},
        "n_bytes": {"train": 1000, "test": 300},
        "download_size": 400,
    }
    return {**facts, **changed}


def test_s1_all_fields_are_there() -> None:
    """S1."""
    fields = yaml.safe_load(front_matter(**_facts()))
    assert fields["language"] == ["code"]
    assert fields["pretty_name"] == "Transcriptome with text annotations - paired dataset"
    assert fields["license"] == "mit"
    assert fields["task_categories"] == ["zero-shot-classification"]
    assert fields["size_categories"] == ["n<1K"]
    assert fields["tags"] == ["multimodal", "omics", "sentence-transformers", "anndata", "blood"]
    assert fields["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*"},
                {"split": "test", "path": "data/test-*"},
            ],
        }
    ]
    info = fields["dataset_info"]
    assert info["features"] == [{"name": "sample_idx", "dtype": "string"}]
    assert info["splits"][1] == {"name": "test", "num_bytes": 300, "num_examples": 140}
    assert (info["download_size"], info["dataset_size"]) == (400, 1300)


def test_s1_no_license_unless_given() -> None:
    assert "license" not in yaml.safe_load(front_matter(**_facts(license=None)))


def test_s1_a_title_that_looks_like_yaml_stays_a_title() -> None:
    name = 'a: "b"\n---\nlicense: mit # x'
    fields = yaml.safe_load(front_matter(**_facts(pretty_name=name, license=None)))
    assert fields["pretty_name"] == name
    assert "license" not in fields


def test_a_tag_that_every_dataset_has_is_not_repeated() -> None:
    fields = yaml.safe_load(front_matter(**_facts(tags=["omics", "blood", "blood"])))
    assert fields["tags"].count("omics") == fields["tags"].count("blood") == 1


@pytest.mark.parametrize("change", [{"n_rows": {"train": 1}}, {"n_bytes": {}}, {"splits": {}}])
def test_splits_must_agree(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="splits"):
        front_matter(**_facts(**change))


@pytest.mark.parametrize(
    ("n_rows", "word"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (9_999, "1K<n<10K"),
        (100_000, "100K<n<1M"),
        (1_000_000, "1M<n<10M"),
        (10**12, "n>1T"),
        (10**15, "n>1T"),
    ],
)
def test_s1_sizes_are_the_words_of_the_hub(n_rows: int, word: str) -> None:
    assert size_category(n_rows) == word
