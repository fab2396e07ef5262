"""The independent proof holds for what is published, and finds every kind of breach."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adata_assets.splitting.lock import LOCK
from adata_assets_tests.datasets import Dataset, write_cells
from adata_assets_tests.independent import prove
from adata_assets_tests.promises.families import BY_GROUP, donor_cells, donor_spec

SCRIPT = Path(prove.__file__)
PREFIX = "http://127.0.0.1:8765"
MIN_GENES = 20


@dataclass
class Copy:
    """A published folder and its shared files, which a test may damage."""

    folder: Path
    share: Path

    def rows(self, split: str) -> pd.DataFrame:
        """Return the rows of a split."""
        return pd.read_parquet(self.folder / "data" / f"{split}-00000-of-00001.parquet")

    def write(self, split: str, rows: pd.DataFrame) -> None:
        """Replace the rows of a split."""
        path = self.folder / "data" / f"{split}-00000-of-00001.parquet"
        table = pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, path, write_page_checksum=True)

    def file(self, split: str) -> Path:
        """Return the file behind the first row of a split."""
        link = self.rows(split)["share_link"].iloc[0]
        return self.share / link.removeprefix(PREFIX).lstrip("/")

    def change(self, split: str, change: Callable[[ad.AnnData], None]) -> None:
        """Change the file behind the first row of a split."""
        adata = ad.read_h5ad(self.file(split))
        change(adata)
        adata.write_h5ad(self.file(split))

    def prove(self) -> set[str]:
        """Return the promises that are broken."""
        found = prove.prove(self.folder, {PREFIX: self.share}, [], MIN_GENES)
        return {line.split(":")[0] for line in found}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Multiplets of eight donors of four studies, in three chunks."""
    root = tmp_path_factory.mktemp("proof")
    adata = donor_cells()
    number = adata.obs["donor_id"].astype(str).str[-1].astype(int)
    adata.obs["study"] = pd.Categorical("study" + (number // 2).astype(str))
    spec = donor_spec(
        write_cells(root, adata),
        keys={"group": ["donor_id", "study"]},
        embedders=(),
        splits={**BY_GROUP, "held_out": {"test": {"study": "study0"}}},
    )
    return Dataset.make(spec, root, folder=root).succeed()


@pytest.fixture
def copy(dataset: Dataset, tmp_path: Path) -> Copy:
    """A copy of what was published."""
    found = Copy(tmp_path / "published", tmp_path / "share")
    shutil.copytree(dataset.published.resolve(), found.folder)
    shutil.copytree(Path(dataset.storage.root.path) / "share", found.share)
    return found


def test_the_proof_is_short_and_independent() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        str(node.module).split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
    }
    outside = {"anndata", "cellxgene_ontology_guide", "numpy", "pandas", "pyarrow", "requests"}
    assert names - set(sys.stdlib_module_names) <= outside


def test_what_is_published_holds(dataset: Dataset) -> None:
    command = [sys.executable, str(SCRIPT), str(dataset.published)]
    share = Path(dataset.storage.root.path) / "share"
    options = ["--map", f"{PREFIX}={share}", "--min-genes", str(MIN_GENES)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "every promise holds\n"), ended.stderr


def test_a_cell_in_two_splits(copy: Copy) -> None:
    moved = copy.rows("train").iloc[:1]
    copy.write("test", pd.concat([copy.rows("test"), moved]))
    assert "S12" in copy.prove()


@pytest.mark.parametrize("column", ["donor_id", "study"])
def test_a_group_in_two_splits(copy: Copy, column: str) -> None:
    value = ad.read_h5ad(copy.file("test")).obs[column].astype(str).iloc[0]

    def rename(adata: ad.AnnData) -> None:
        values = adata.obs[column].astype(str)
        values.iloc[0] = value
        adata.obs[column] = pd.Categorical(values)

    copy.change("train", rename)
    assert copy.prove() == {"group"}


def test_a_duplicate_in_two_splits(copy: Copy) -> None:
    row = ad.read_h5ad(copy.file("test")).X[0].toarray()

    def repeat(adata: ad.AnnData) -> None:
        counts = adata.X.tolil()
        counts[0] = row
        adata.X = counts.tocsr()

    copy.change("train", repeat)
    assert "duplicate" in copy.prove()


def test_a_negative_of_the_same_facts(copy: Copy) -> None:
    rows = copy.rows("train")
    text = rows["positive"].iloc[0]
    kind = next(kind for kind in ("NK cell", "B cell", "T cell", "monocyte") if kind in text)
    twin = rows["sample_idx"][rows["positive"].str.contains(kind, regex=False)].iloc[1]
    rows.loc[0, "negative_2_idx"] = twin
    copy.write("train", rows)
    assert copy.prove() == {"negative"}


def test_a_negative_of_another_split(copy: Copy) -> None:
    rows = copy.rows("train")
    rows.loc[0, "negative_1_idx"] = copy.rows("test")["sample_idx"].iloc[0]
    copy.write("train", rows)
    assert copy.prove() == {"negative"}


def test_related_cell_types_do_not_contradict() -> None:
    anchor = {"cell_type": "T cell", "cell_type_ontology_term_id": "CL:0000084"}
    child = {"cell_type": "CD4 T", "cell_type_ontology_term_id": "CL:0000624"}
    other = {"cell_type": "B cell", "cell_type_ontology_term_id": "CL:0000236"}
    assert not prove.contradicts(anchor, child, "This is a T cell.")
    assert not prove.contradicts(child, anchor, "This is a CD4 T cell.")
    assert prove.contradicts(anchor, other, "This is a T cell.")
    assert not prove.contradicts(
        anchor, {"cell_type": None, "caption_id": "b"}, "This is a T cell."
    )


def test_what_the_cells_config_tells_goes_before_what_is_read_off(copy: Copy) -> None:
    """There all cells of train are of one type, so that every negative is wrong."""
    for path in (copy.folder / "cells").glob("*.parquet"):
        path.unlink()
    told = copy.rows("train")[["sample_idx"]].assign(
        caption_facts='{"cell_type": "T cell"}',
        known_facts='{"cell_type": "T cell"}',
        known_terms="{}",
    )
    told.to_parquet(copy.folder / "cells" / "train-00000-of-00001.parquet")
    assert copy.prove() == {"negative"}


def test_terms_of_the_cells_config_decide() -> None:
    anchor = {"caption_facts": '{"cell_type": "T"}', "known_terms": '{"cell_type": "CL:0000084"}'}
    child = {"caption_facts": '{"cell_type": "CD4"}', "known_terms": '{"cell_type": "CL:0000624"}'}
    assert not prove.contradicts(anchor, child, "")
    assert prove.contradicts(anchor, {**child, "known_terms": "{}"}, "")


def test_pairs_hold_and_a_false_caption_that_is_true_is_found(tmp_path: Path) -> None:
    spec = donor_spec(
        write_cells(tmp_path, donor_cells()),
        format="pairs",
        chunks={"count": 2},
        splits={"train": 0.75, "validation": 0.25, "test": 0},
        embedders=(),
    )
    pairs = Dataset.make(spec, tmp_path / "root").succeed()
    copy = Copy(tmp_path / "published", tmp_path / "root" / "storage" / "share")
    shutil.copytree(pairs.published.resolve(), copy.folder)
    assert copy.prove() == set()
    rows = copy.rows("train")
    rows.loc[1, "caption"] = rows.loc[0, "caption"]
    copy.write("train", rows)
    assert copy.prove() == {"negative"}


@pytest.mark.parametrize("kind", ["turned", "unexpressed", "short"])
def test_a_sentence_that_is_not_the_cells_own(copy: Copy, kind: str) -> None:
    rows = copy.rows("validation")
    genes = rows["cell_sentence_2"].iloc[0].split(" ")
    wrong = {
        "turned": [*genes[1::-1], *genes[2:]],
        "unexpressed": [*genes[:-1], "GENE_NOBODY_HAS"],
        "short": genes[:-1],
    }[kind]
    rows.loc[0, "cell_sentence_2"] = " ".join(wrong)
    copy.write("validation", rows)
    assert copy.prove() == {"sentence"}


def test_a_row_without_a_link(copy: Copy) -> None:
    rows = copy.rows("train")
    rows.loc[0, "share_link"] = None
    copy.write("train", rows)
    assert copy.prove() == {"S13", "S12"}


def test_a_link_to_another_file(copy: Copy) -> None:
    rows = copy.rows("train")
    rows.loc[0, "share_link"] = copy.rows("test")["share_link"].iloc[0]
    copy.write("train", rows)
    assert copy.prove() == {"S11", "S12"}


def test_the_lock_lies_beside_the_yaml(dataset: Dataset) -> None:
    folder = Path(dataset.graph.folder)
    lines = (folder / LOCK).read_text().splitlines()
    assert lines[0] == "column,group,split"
    assert len(lines) == 1 + 8 + 4
    assert "study,study0,test" in lines
    assert "donor_id,donor0,test" in lines
    assert dataset.load("annotated_obs").metadata["split_lock"]["state"] == "written"
    assert dataset.materialize() == []


def test_the_card_tells_how_the_cells_were_dealt(dataset: Dataset) -> None:
    card = (dataset.published / "README.md").read_text()
    assert "by whole groups of the obs columns `donor_id`, `study`" in card
    assert "Shares of the cells: train " in card
    assert "(asked 20 %, " in card
    assert "Held out by the settings: test by `study`." in card
    assert "Cells with the same counts (at least 200 genes) in several splits: 0." in card
    assert "| `donor_id` | yes | 8 | 0 |" in card
    assert "Gap: what a classifier gains" in card
