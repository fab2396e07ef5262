"""S4, P3, P4: the texts of a chunk, from artefacts as they are stored."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from adata_assets.annotation.genes.markers import MARKERS
from adata_assets.annotation.order import COUNTS
from adata_assets.annotation.store import GENE_INDEX, OBS, VAR
from adata_assets.annotation.train import measure_train_genes, rank_train_markers
from adata_assets.artefact import Artefact
from adata_assets.matrix.counts import write_counts
from adata_assets.schemas.chunked import CellTextSchema, MarkerSchema, cell_text_schema
from adata_assets.spec import Sentences
from adata_assets.splitting.chunks import deal_chunks
from adata_assets.tables import write_table
from adata_assets.text.chunk_texts import ChunkTexts, build_chunk_texts
from adata_assets_tests.datasets import make_cells, make_spec

SIZES = {"train": 150, "validation": 30, "test": 40}
KEYS = tuple(f"cell_sentence_{i}" for i in range(1, 5))
RULES = Sentences(length=12, keys=KEYS, n_markers=5, label_probability=0.5)


def artefact(folder: Path, stage: str) -> Artefact:
    files = {str(p.relative_to(folder)): {} for p in folder.rglob("*") if p.is_file()}
    metadata = {"split_sizes": SIZES} if stage == "annotated_obs" else {}
    return Artefact("cells", stage, None, UPath(folder), files, stage, "1", {}, {}, metadata)


def store_cells(adata: ad.AnnData, folder: Path, **more_var: np.ndarray) -> dict[str, Artefact]:
    """Store annotated_obs, counts and gene_stats of cells that are in dataset order."""
    for stage in ("annotated_obs", "counts", "gene_stats"):
        (folder / stage).mkdir(parents=True)
    tables, n_vars = folder / "annotated_obs", adata.n_vars
    obs = pd.DataFrame(
        {
            "sample_idx": adata.obs_names.to_numpy(dtype=object),
            "cell_type": adata.obs["cell_type"].astype(object).to_numpy(),
            "total_counts_source": np.asarray(adata.X.sum(axis=1)).ravel().astype(np.int64),
            "position": np.arange(adata.n_obs),
        }
    )
    obs.loc[::7, "cell_type"] = None
    write_table(obs, tables / OBS)
    var = pd.DataFrame(
        {
            "gene_id": adata.var["gene_ids"].to_numpy(dtype=object),
            "symbol": adata.var_names.to_numpy(dtype=object),
            "feature_class": ["viral" if i == 7 else "gene" for i in range(n_vars)],
            **more_var,
        }
    )
    write_table(var, tables / VAR)
    np.save(tables / GENE_INDEX, np.arange(n_vars, dtype=np.int32), allow_pickle=False)
    write_counts(
        [(0, adata.X.astype(np.int32))],
        position=np.arange(adata.n_obs),
        gene_index=np.arange(n_vars, dtype=np.int32),
        n_genes=n_vars,
        path=folder / "counts" / COUNTS,
        scratch=folder,
    )
    stored = {stage: artefact(folder / stage, stage) for stage in ("annotated_obs", "counts")}
    spec = make_spec("cells.h5ad")
    stats = measure_train_genes(*stored.values(), spec, scratch=folder)
    markers = rank_train_markers(*stored.values(), stats["in_mask"].to_numpy(), n_markers=5)
    write_table(stats, folder / "gene_stats" / "gene_stats.parquet")
    write_table(markers, folder / "gene_stats" / MARKERS)
    return stored | {"gene_stats": artefact(folder / "gene_stats", "gene_stats")}


def write_texts(stored: dict[str, Artefact], n_chunks: int, **changed: object) -> list[ChunkTexts]:
    rules = RULES.model_copy(update=changed)
    return [
        build_chunk_texts(chunk, *stored.values(), rules=rules, seed=4)
        for chunk in deal_chunks(SIZES, n_chunks)
    ]


def whole(texts: list[ChunkTexts]) -> pd.DataFrame:
    return pd.concat([text.table for text in texts], ignore_index=True)


@pytest.fixture(scope="module")
def cells() -> ad.AnnData:
    return make_cells(sum(SIZES.values()), 60, seed=2)


@pytest.fixture(scope="module")
def stored(cells: ad.AnnData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    return store_cells(cells, tmp_path_factory.mktemp("stored"))


def test_the_tables_have_the_columns_that_are_asked_for(stored: dict[str, Artefact]) -> None:
    for n in (2, 3, 4):
        table = whole(write_texts(stored, 3, keys=KEYS[:n]))
        schema = cell_text_schema(KEYS[:n])
        schema.validate(table)
        assert list(schema.to_schema().columns) == list(table.columns)
    assert cell_text_schema(KEYS[:2]) is CellTextSchema
    plain = whole(write_texts(stored, 3, keys=KEYS[:2]))
    pd.testing.assert_frame_equal(plain, table[list(plain.columns)])


def test_chunks_change_no_sentence(stored: dict[str, Artefact]) -> None:
    """P3: the same bytes for any number of chunks."""
    few, many = write_texts(stored, 3), write_texts(stored, 11)
    pd.testing.assert_frame_equal(whole(many), whole(few))
    n_labelled = [
        {key: sum(text.n_labelled[key] for text in texts) for key in KEYS[2:]}
        for texts in (few, many)
    ]
    assert n_labelled[0] == n_labelled[1]


def test_the_manifest_says_which_sentences_contain_labels(stored: dict[str, Artefact]) -> None:
    train, validation, test = write_texts(stored, 3)
    assert train.facts["contains_label"] == list(KEYS[2:])
    for text in (validation, test):
        assert text.facts["contains_label"] == []
        assert text.facts["n_labelled"] == dict.fromkeys(KEYS[2:], 0)
        assert (text.table[KEYS[3]] == text.table[KEYS[1]]).all()
    has_label = train.table[KEYS[3]] != train.table[KEYS[1]]
    assert train.facts["n_labelled"][KEYS[3]] == has_label.sum()
    assert not has_label[::7].any()
    assert write_texts(stored, 3, label_probability=0.0)[0].facts["contains_label"] == []
    assert set(write_texts(stored, 3, keys=KEYS[:2])[0].facts) == {"n_genes_min", "n_genes_max"}


def test_test_cells_change_no_train_sentence(
    cells: ad.AnnData, stored: dict[str, Artefact], tmp_path: Path
) -> None:
    """P4: neither counts nor labels of other splits reach what train taught."""
    other = cells.copy()
    counts = other.X.toarray()
    counts[SIZES["train"] :] = np.roll(counts[SIZES["train"] :], 5, axis=1) * 2
    other.X = type(cells.X)(counts)
    other.obs["cell_type"] = [*cells.obs["cell_type"][: SIZES["train"]], *["new"] * 70]
    before, after = write_texts(stored, 5), write_texts(store_cells(other, tmp_path), 5)
    for old, new, chunk in zip(before, after, deal_chunks(SIZES, 5), strict=True):
        assert old.table.equals(new.table) == (chunk.split == "train")


def test_only_shared_genes_of_the_mask_become_markers(cells: ad.AnnData, tmp_path: Path) -> None:
    """A gene that one source lacks is neither in the mask nor a marker; nor is a virus."""
    shared = np.arange(cells.n_vars) % 2 == 1
    stored = store_cells(cells, tmp_path, in_all_sources=shared)
    stats = pd.read_parquet(stored["gene_stats"].local("gene_stats.parquet"))
    markers = pd.read_parquet(stored["gene_stats"].local(MARKERS))
    MarkerSchema.validate(markers)
    assert len(markers)
    assert not stats.loc[~shared, "in_mask"].any()
    assert set(markers["gene_id"]) <= set(cells.var["gene_ids"][shared]) - {
        cells.var["gene_ids"].iloc[7]
    }
