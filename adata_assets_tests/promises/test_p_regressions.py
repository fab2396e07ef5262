"""P4 to P10: defects of the older pipeline, each shown to fail there and to hold here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from click.testing import CliRunner

from adata_assets.cli import EXIT_FAILED, main
from adata_assets.errors import InputError
from adata_assets.hub.card import code_blocks, placeholders, render_card
from adata_assets.runs import Outcome, Run, execute
from adata_assets.splitting.chunks import ChunkSlice
from adata_assets.tables import read_table
from adata_assets.text import chunk_texts
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells
from adata_assets_tests.promises import old_pipeline as old
from adata_assets_tests.promises.families import copy_of, donor_spec
from adata_assets_tests.promises.published import (
    bytes_of,
    read_all_rows,
    read_card,
    read_files,
    read_rows,
)

HEAD = ("raw_h5ad", "annotated_obs", "counts", "gene_stats")
MODELS = ("models/pca", "models/hvg")


def _run_head(dataset: Dataset, stages: tuple[str, ...] = HEAD) -> Outcome:
    return execute(dataset.graph.defs, dataset.instance, Run(dataset.spec.dataset_id, stages))


def _obs(dataset: Dataset) -> pd.DataFrame:
    return read_table(dataset.load("annotated_obs").local("obs.parquet"))


def test_p4_old_variable_genes_change_from_chunk_to_chunk(donors: Dataset) -> None:
    """Ours are the same columns in every file, whatever the chunks."""
    found = [old.variable_genes(adata.X.toarray(), 20) for adata in read_files(donors).values()]
    assert min(len(a & b) / len(a | b) for a in found for b in found) < 0.6
    models = {
        donors.load("embeddings/hvg", key).metadata["model_hash"] for key in donors.graph.chunk_keys
    }
    assert models == {donors.load("models/hvg").data_version}


def test_p4_test_cells_cannot_change_what_was_learnt(
    donors: Dataset, source: Path, tmp_path: Path
) -> None:
    """Values of test cells change, the kept cells and their splits do not: equal model hashes."""
    adata, obs = ad.read_h5ad(source), _obs(donors)
    others = obs["split"].isin(["test", "validation"]).to_numpy()
    counts = adata.X.toarray()
    # Counts trade places among genes that no rule looks at.
    counts[others, 2:] = counts[others, :1:-1]
    before = old.variable_genes(adata.X.toarray(), 20)
    assert old.variable_genes(counts, 20) != before
    adata.X = sp.csr_matrix(counts)
    spec = donor_spec(write_cells(tmp_path, adata))
    changed = Dataset.make(spec, tmp_path)
    assert _run_head(changed, HEAD + MODELS).errors == ()
    columns = ["sample_idx", "split", "position"]
    pd.testing.assert_frame_equal(_obs(changed)[columns], obs[columns])
    assert changed.load("counts").data_version != donors.load("counts").data_version
    for stage in MODELS:
        assert changed.load(stage).data_version == donors.load(stage).data_version


def test_p5_no_donor_is_in_two_splits(donors: Dataset) -> None:
    obs = _obs(donors)
    obs = obs[obs["keep"]]
    chunks = [list(adata.obs_names) for adata in read_files(donors).values()]
    dealt = obs["sample_idx"].map(old.split_inside_chunks(chunks, seed=0))
    assert dealt.groupby(obs["group"]).nunique().max() == 2
    assert obs.groupby("group")["split"].nunique().eq(1).all()
    for split, rows in read_rows(donors).items():
        assert set(obs.loc[obs["split"] == split, "sample_idx"]) == set(rows["sample_idx"])


def test_p6_a_failing_chunk_is_named_and_alone_is_resumed(
    donors: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = copy_of(donors, tmp_path, sentences={"length": 10})
    keys, bad = dataset.graph.chunk_keys, dataset.graph.chunk_keys[1]
    published = bytes_of(dataset)
    build = chunk_texts.build_chunk_texts

    def break_one(chunk: ChunkSlice, *inputs: Any, **options: Any) -> pd.DataFrame:
        if chunk.partition_key == bad:
            raise OSError("the disk is gone")
        return build(chunk, *inputs, **options)

    with monkeypatch.context() as patch:
        patch.setattr(chunk_texts, "build_chunk_texts", break_one)
        outcomes = dataset.materialize()
    runs = {(o.run.stages, o.run.partition_key): o.errors for o in outcomes}
    assert sorted(runs) == [(("cell_texts",), key) for key in keys]
    assert [key for (_, key), errors in runs.items() if errors] == [bad]
    assert f"cells/cell_texts {bad}: " in "".join(runs[("cell_texts",), bad])
    assert "the disk is gone" in "".join(runs[("cell_texts",), bad])
    assert bytes_of(dataset) == published
    resumed = [outcome.run for outcome in dataset.materialize()]
    assert resumed == [Run("cells", ("cell_texts",), bad), Run("cells", ("hf_splits",))]
    assert read_all_rows(dataset)["cell_sentence_2"].str.count(" ").max() == 9


def test_p6_the_command_fails_and_names_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(chunk: str) -> None:
        raise OSError(chunk)

    assert old.run_chunks(["0001-of-0002", "0002-of-0002"], fail) == 0
    failed = Outcome(Run("cells", ("counts",), "0002-of-0002"), ("cells/x 0002-of-0002: no",), 0.1)

    class Stub:
        def __enter__(self) -> Stub:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def materialize(self, **_: object) -> list[Outcome]:
            return [failed]

    monkeypatch.setattr("adata_assets.workplace.Workplace.open", lambda *_, **__: Stub())
    result = CliRunner().invoke(main, ["materialize", "cells"])
    assert result.exit_code == EXIT_FAILED
    assert "0002-of-0002" in result.output


def test_p7_the_card_has_no_placeholder_and_no_foreign_column(donors: Dataset) -> None:
    names = placeholders()
    values = {name: "x" for name in names if name != "cs_length"}
    assert "$cs_length" in old.fill_card(" ".join(f"${name}" for name in names), values)
    with pytest.raises(InputError, match="cs_length"):
        render_card(front_matter="a: 1", values=values)
    card, columns = read_card(donors), set(read_all_rows(donors))
    assert not [name for name in names if f"${name}" in card]
    code = "\n".join(code_blocks(card))
    used = [part.split('"]')[0] for part in code.split('row["')[1:]]
    assert used
    assert set(used) <= columns


def test_p8_a_reader_never_sees_a_card_without_its_rows(
    donors: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks before and after every rename of a refresh: card and rows always agree."""
    dataset = copy_of(donors, tmp_path, negatives_per_sample=3)
    seen: list[bool] = []

    def look() -> None:
        told = yaml.safe_load(read_card(dataset).split("---\n")[1])["dataset_info"][0]
        rows = read_rows(dataset)["train"]
        assert [feature["name"] for feature in told["features"]] == list(rows)
        seen.append("negative_3_idx" in rows)

    replace = os.replace

    def replace_and_look(*names: Any, **options: Any) -> None:
        look()
        replace(*names, **options)
        look()

    monkeypatch.setattr("os.replace", replace_and_look)
    dataset.succeed()
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_p8_old_commits_show_rows_without_their_card(tmp_path: Path) -> None:
    states = []
    rows = pd.DataFrame({"a": [1]})
    old.push(tmp_path, rows, "# a", lambda: states.append((tmp_path / "README.md").exists()))
    assert states == [False, True]


def test_p8_a_card_that_fails_leaves_the_release_as_it_was(
    donors: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise InputError("no card today")

    dataset = copy_of(donors, tmp_path, description="Another one.")
    before = bytes_of(dataset)
    with monkeypatch.context() as patch:
        patch.setattr("adata_assets.hub.splits.build_card", fail)
        assert "no card today" in dataset.fail()
    assert bytes_of(dataset) == before
    dataset.succeed()
    assert "Another one." in read_card(dataset)


def test_p9_values_that_are_no_counts_are_refused(tmp_path: Path) -> None:
    """Sparse enough for a rule that counts zeros, which then truncates them."""
    rng = np.random.default_rng(0)
    values = sp.random_array((50, 400), density=0.008, rng=rng, format="csr", dtype=np.float32)
    values.data += np.float32(0.3)
    counts = old.to_counts(values.toarray())
    assert counts is not None
    assert counts.sum() < values.sum() / 2
    adata = ad.AnnData(sp.csr_matrix(values), obs=make_cells(50).obs)
    spec = make_spec(write_cells(tmp_path, adata), qc={"min_genes": 0})
    dataset = Dataset.make(spec, tmp_path)
    (error,) = _run_head(dataset).errors
    assert "holds no raw counts" in error
    assert "not a count" in error
    assert dataset.storage.find("cells", "annotated_obs") is None


def test_p9_counts_come_back_exactly_from_log_values(
    tmp_path: Path, source: Path, donors: Dataset
) -> None:
    adata = ad.read_h5ad(source)
    counts = adata.X.toarray()
    adata.X = sp.csr_matrix(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4))
    dataset = Dataset.make(donor_spec(write_cells(tmp_path, adata)), tmp_path)
    assert _run_head(dataset).errors == ()
    assert dataset.load("annotated_obs").metadata["counts"][0]["form"] == "log1p"
    assert dataset.load("counts").data_version == donors.load("counts").data_version


def test_p10_small_counts_are_logged(donors: Dataset) -> None:
    """Counts that a guess takes for logged ones: the embedding holds their log all the same."""
    files = list(read_files(donors).values())
    assert max(adata.X.max() for adata in files) < 50
    assert all(old.is_logged(adata.X.data) for adata in files)
    stats = read_table(donors.load("gene_stats").local("gene_stats.parquet"))
    genes = np.argsort(stats["hvg_rank"].where(stats["hvg_rank"] >= 0, 10**6))[:20]
    for adata in files:
        rates = adata.X.toarray() / adata.obs[["total_counts_source"]].to_numpy() * 1e4
        np.testing.assert_allclose(adata.obsm["X_hvg"], np.log1p(rates[:, genes]), rtol=1e-6)
