"""The spec refuses what cannot work, and says what is allowed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from adata_assets.spec import DatasetSpec, Frozen
from adata_assets_tests.datasets import make_spec


def described(model: type[Frozen]):
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        for part in [field.annotation, *getattr(field.annotation, "__args__", ())]:
            if isinstance(part, type) and issubclass(part, Frozen):
                yield from described(part)


def test_every_field_is_described():
    assert [name for name, field in described(DatasetSpec) if not field.description] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"formt": "single"}, "formt"),
        ({"format": "triples"}, "'single', 'pairs' or 'multiplets'"),
        ({"chunks": {"count": 2}}, "3 splits .train, validation, test. need a chunk each"),
        ({"chunks": {}}, "exactly one of count and size"),
        ({"chunks": {"count": 3, "size": 5}}, "exactly one of count and size"),
        ({"splits": {"train": 0.5, "validation": 0.1, "test": 0.1}}, "must be 1, found 0.7"),
        ({"dataset_id": "My Data"}, "lower-case letters"),
        ({"dataset_id": "share"}, "folder of shared files"),
        (
            {"embedders": [{"name": "a", "method": "pca"}, {"name": "a", "method": "hvg"}]},
            r"share a name: \['a'\]",
        ),
        ({"publish": {"repo_id": "me/cells"}}, "publish needs a license"),
        ({"sha256": "abc"}, "sha256"),
        ({"format": "pairs", "negatives": {"form": "text"}}, "text goes with format multiplets"),
        ({"negatives": {"same_batch_share": 0.5}}, "same_batch_share needs keys.batch"),
        (
            {"negatives": {"hard_share": 0.5, "hard_by": "scvi"}},
            r"negatives.hard_by is 'scvi', .* name one of \['pca', 'hvg'\]",
        ),
        (
            {"negatives": {"hard_share": 0.5, "hard_by": "pca"}, "embedders": ()},
            "hard_by is 'pca', .* there are none, add one first",
        ),
        ({"negatives": {"hard_share": 0.5}}, "hard_share is 0.5 and hard_by None: give both"),
        ({"negatives": {"hard_by": "pca"}}, "hard_share is 0 and hard_by 'pca': give both"),
        ({"negatives": {"hard_share": -0.1, "hard_by": "pca"}}, "hard_share"),
        (
            {
                "negatives": {"same_batch_share": 0.6, "hard_share": 0.5, "hard_by": "pca"},
                "keys": {"batch": "donor_id"},
            },
            "same_batch_share 0.6 and hard_share 0.5 are 1.1 together: at most 1",
        ),
        (
            {"format": "single", "negatives": {"hard_share": 0.5, "hard_by": "pca"}},
            "hard_share goes with format pairs or multiplets",
        ),
        ({"configs": [{"name": "cells"}]}, "config name 'cells' is taken"),
        ({"configs": [{"name": "a"}, {"name": "a"}]}, r"configs share a name: \['a'\]"),
        (
            {"format": "single", "configs": [{"name": "a", "caption": "text"}]},
            "a config with a caption goes with format pairs or multiplets",
        ),
        ({"sentences": {"keys": ["cell_sentence_2"]}}, "allowed:"),
    ],
)
def test_wrong_specs_are_refused_with_the_field(fields, told):
    with pytest.raises(ValidationError, match=told):
        make_spec("raw.h5ad", **fields)


def test_a_config_changes_what_it_names_of_the_sentences():
    configs = [{"name": "short", "length": 7}, {"name": "author", "caption": "text"}]
    spec = make_spec("raw.h5ad", configs=configs)
    short, author = spec.configs
    assert spec.sentences_of(short) == spec.sentences.model_copy(update={"length": 7})
    assert spec.sentences_of(author) == spec.sentences_of(None) == spec.sentences


def test_a_spec_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        make_spec("raw.h5ad").seed = 3


def test_s10_without_a_release_the_id_is_relative_to_the_root():
    assert make_spec("raw.h5ad").repo_id == "cells/hf_splits"
    published = make_spec("raw.h5ad", publish={"repo_id": "me/cells"}, license="mit")
    assert published.repo_id == "me/cells"


@pytest.mark.parametrize(
    "source", ["a.h5ad", {"uri": "a.h5ad"}, ["a.h5ad"], [{"uri": "a.h5ad"}]], ids=str
)
def test_one_source_is_written_in_any_way(source):
    fields = {**make_spec("x.h5ad").model_dump(exclude_unset=True), "source": source}
    assert [one.uri for one in DatasetSpec.model_validate(fields).sources] == ["a.h5ad"]


@pytest.mark.parametrize("source", ["", []], ids=str)
def test_a_dataset_has_a_source(source):
    fields = {**make_spec("x.h5ad").model_dump(exclude_unset=True), "source": source}
    with pytest.raises(ValidationError, match="say where the raw cells are"):
        DatasetSpec.model_validate(fields)
