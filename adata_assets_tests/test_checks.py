"""Checks report all broken rows at once, over all row groups."""

from __future__ import annotations

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from adata_assets.checks import artefact_type, column_schema, find_schema_breaches
from adata_assets.schemas.annotated import LedgerSchema, ObsSchema, VarSchema
from adata_assets.schemas.chunked import (
    CellTextSchema,
    EmbeddingSchema,
    GeneStatsSchema,
    ShareLinkSchema,
)
from adata_assets.schemas.rows import row_schema
from adata_assets.schemas.slots import ChunkSlots
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells

SCHEMAS = [
    ObsSchema,
    VarSchema,
    LedgerSchema,
    GeneStatsSchema,
    EmbeddingSchema,
    CellTextSchema,
    ShareLinkSchema,
    row_schema("multiplets", sentence_keys=["cell_sentence_1"], negatives_per_sample=2),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_every_column_is_described_in_the_ui(schema):
    columns = column_schema(schema).columns
    assert columns
    assert all(column.description for column in columns)


def texts(n, first=0):
    return pd.DataFrame(
        {
            "sample_idx": [f"c{first + i}" for i in range(n)],
            "cell_sentence_2": ["A B"] * n,
            "n_genes": [2] * n,
        }
    )


def test_all_broken_rows_are_told_with_their_place():
    broken = texts(4)
    broken.loc[[1, 3], "n_genes"] = 7
    found = find_schema_breaches([texts(5, 10), broken], CellTextSchema)
    assert found.n_checked == 9
    assert {breach.split(",")[0] for breach in found.breaches} == {"row 6", "row 8"}


def test_values_that_repeat_in_another_row_group_are_found():
    found = find_schema_breaches([texts(3), texts(3)], CellTextSchema)
    assert found.breaches == [
        "sample_idx: 3 values occur in several row groups, e.g. ['c0' 'c1' 'c2']"
    ]


def test_vectors_must_be_finite_and_differ():
    def table(vectors):
        return pd.DataFrame({"sample_idx": ["a", "b"], "embedding": list(vectors)})

    good = np.array([[1, 2], [3, 4]], np.float32)
    assert not find_schema_breaches([table(good)], EmbeddingSchema).breaches
    for bad in (good * np.nan, np.ones((2, 2), np.float32), good.astype(np.float64)):
        assert find_schema_breaches([table(bad)], EmbeddingSchema).breaches


def test_a_cell_is_published_or_removed_with_a_reason(tmp_path):
    dataset = Dataset.make(make_spec(write_cells(tmp_path)), tmp_path)
    dataset.materialize()
    obs = pd.read_parquet(dataset.load("annotated_obs").local("obs.parquet"))
    assert not find_schema_breaches([obs], ObsSchema).breaches
    lost = obs.assign(keep=obs["keep"].where(obs.index != 4, False))
    assert any("row 4" in breach for breach in find_schema_breaches([lost], ObsSchema).breaches)


def test_the_slots_of_a_chunk_name_every_breach():
    adata = make_cells(5, 6)
    slots = ChunkSlots(list(adata.obs_names), ["X_pca"])
    adata.obsm["X_pca"] = np.zeros((5, 2))
    told = "\n".join(slots.find_breaches(adata))
    for part in ("X: stored values must be positive integers", "obsm['X_pca']", "uns:"):
        assert part in told
    assert "obs_names" in "\n".join(slots.find_breaches(adata[:4]))


def test_the_type_of_an_artefact_compares_columns(tmp_path):
    kind = artefact_type("cell_texts.parquet", CellTextSchema)
    checked = dg.check_dagster_type(kind, "not an artefact")
    assert not checked.success
    assert "not an artefact: str" in checked.description
