"""What is told of a Census source before anything is fetched."""

from __future__ import annotations

import importlib.util

import pytest

from adata_assets.errors import InputError
from adata_assets.sources.opening import open_source
from adata_assets.spec import SourceSpec

URI = "census://2025-01-30/homo_sapiens"


@pytest.mark.parametrize(
    ("uri", "query", "told"),
    [
        ("census://latest/homo_sapiens", "sex == 'male'", "'latest' names other cells tomorrow"),
        ("census://stable/homo_sapiens", "sex == 'male'", "'stable' names other cells tomorrow"),
        ("census://2025-01-30", "sex == 'male'", "the organism is ''"),
        ("census://2025-01-30/Homo sapiens", "sex == 'male'", "give it as the Census does"),
        (URI, None, "the whole Census is too much"),
        (URI, " ", "the whole Census is too much"),
    ],
)
def test_what_is_not_pinned_or_too_much_is_refused(uri, query, told):
    with pytest.raises(InputError, match=told):
        open_source(SourceSpec(uri=uri, query=query), None)


def test_a_missing_extra_is_told_with_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'adata_assets\[census\]'"):
        open_source(SourceSpec(uri=URI, query="sex == 'male'"), None).look()


def test_version_organism_and_query_are_the_version(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    versions = [
        open_source(SourceSpec(uri=uri, query=query), None).look().version
        for uri in (URI, "census://2025-01-30/mus_musculus", "census://2024-07-01/homo_sapiens")
        for query in ("sex == 'male'", "sex == 'female'")
    ]
    assert len(set(versions)) == 6
    assert versions[0].startswith("2025-01-30 homo_sapiens ")
