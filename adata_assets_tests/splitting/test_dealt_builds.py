"""Builds: the lock beside the YAML, what moves, what is stale, which cells fractions are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from adata_assets.freshness import find_stale
from adata_assets.runs import Run, execute
from adata_assets.splitting.lock import LOCK
from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset, make_cells, make_spec, write_cells

SPLITS = {"train": 0.6, "validation": 0.2, "test": 0.2}
HEAD = ("raw_h5ad", "annotated_obs", "ledger")


def build(
    root: Path, adata: ad.AnnData, name: str, *, fields: dict[str, Any] | None = None, **splits: Any
) -> tuple[Dataset, list[str]]:
    """Annotate cells; the YAML's folder is ``root/yaml``, stored is below ``root/name``."""
    folder = root / "yaml"
    folder.mkdir(exist_ok=True)
    (root / name).mkdir(exist_ok=True)
    spec = make_spec(
        write_cells(root, adata, f"{name}.h5ad"),
        **{
            "keys": {"group": ["donor_id", "study"]},
            "splits": {**SPLITS, **splits},
            "embedders": (),
            **(fields or {}),
        },
    )
    dataset = Dataset.make(spec, root / name, folder=folder)
    return dataset, list(execute(dataset.graph.defs, dataset.instance, Run("cells", HEAD)).errors)


def make_studies(n_donors: int) -> ad.AnnData:
    """Return cells of donors, two of each study."""
    adata = make_cells(240, n_donors=n_donors)
    number = np.arange(240) % n_donors
    adata.obs["study"] = pd.Categorical([f"study{i // 2}" for i in number])
    return adata


def splits_of(dataset: Dataset) -> dict[str, str]:
    """Return the split of every donor."""
    obs = read_table(dataset.load("annotated_obs").local("obs.parquet"), ["group", "split"])
    return (
        obs.dropna()
        .groupby(obs["group"].str.split(" | ", regex=False).str[0])["split"]
        .first()
        .to_dict()
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    """The first build, of six donors."""
    root = tmp_path_factory.mktemp("locked")
    dataset, errors = build(root, make_studies(6), "first")
    assert not errors
    return root, dataset


def test_the_first_build_writes_the_lock_and_is_fresh(first: tuple[Path, Dataset]) -> None:
    root, dataset = first
    lines = (root / "yaml" / LOCK).read_text().splitlines()
    assert lines[0] == "column,group,split"
    assert len(lines) == 1 + 6 + 3
    for donor, split in splits_of(dataset).items():
        assert f"donor_id,{donor},{split}" in lines
    assert [path.name for path in (root / "yaml").iterdir()] == [LOCK]
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert not {"annotated_obs", "ledger"} & {node.stage for node in stale}


def test_added_donors_move_no_old_one(first: tuple[Path, Dataset]) -> None:
    root, dataset = first
    before = (root / "yaml" / LOCK).read_text()
    more, errors = build(root, make_studies(10), "more")
    assert not errors
    assert splits_of(more).items() >= splits_of(dataset).items()
    assert more.load("annotated_obs").metadata["dealing"]["method"] == "deficit"
    assert set(before.splitlines()) < set((root / "yaml" / LOCK).read_text().splitlines())
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert {node.stage: why for node, why in stale.items()}["annotated_obs"] == (
        "stale: splits.lock.csv changed"
    )
    (root / "yaml" / LOCK).unlink()
    stale = find_stale(dataset.graph, dataset.storage, dataset.instance)
    assert "splits.lock.csv is gone" in {n.stage: why for n, why in stale.items()}["annotated_obs"]
    (root / "yaml" / LOCK).write_text(before)


def make_joined(dataset: Dataset) -> tuple[ad.AnnData, str]:
    """One cell of a test donor now is of a train study; return its id too."""
    adata, split = make_studies(6), splits_of(dataset)
    donors = adata.obs["donor_id"].astype(str).map(split)
    row = int(np.flatnonzero(donors == "test")[0])
    study = adata.obs["study"].astype(str)
    study.iloc[row] = study[donors == "train"].iloc[0]
    adata.obs["study"] = pd.Categorical(study)
    return adata, str(adata.obs_names[row])


def test_a_cell_that_joins_locked_groups_stops_the_build(first: tuple[Path, Dataset]) -> None:
    root, dataset = first
    before = (root / "yaml" / LOCK).read_text()
    adata, name = make_joined(dataset)
    _, errors = build(root, adata, "joined")
    told = "\n".join(errors)
    assert f"1 cell(s) join groups that {LOCK} locks to different splits: cell '{name}'" in told
    assert (root / "yaml" / LOCK).read_text() == before


def test_or_it_is_quarantined(first: tuple[Path, Dataset]) -> None:
    root, dataset = first
    adata, name = make_joined(dataset)
    apart, errors = build(root, adata, "apart", on_lock_conflict="quarantine")
    assert not errors
    obs = read_table(apart.load("annotated_obs").local("obs.parquet")).set_index("sample_idx")
    assert obs.loc[name, "removed_rule"] == "split_conflict"
    assert "joins donor_id" in obs.loc[name, "removed_value"]
    ledger = read_table(apart.load("ledger").local("ledger.parquet"))
    assert ledger.set_index("rule").loc["split_conflict", ["outcome", "n_obs"]].tolist() == [
        "quarantined",
        1,
    ]
    assert splits_of(apart) == splits_of(dataset)


def test_without_a_folder_the_reason_is_stored(tmp_path: Path) -> None:
    spec = make_spec(write_cells(tmp_path), splits=SPLITS, embedders=())
    dataset = Dataset.make(spec, tmp_path)
    assert execute(dataset.graph.defs, dataset.instance, Run("cells", HEAD)).errors == ()
    left = dataset.load("annotated_obs").metadata["split_lock"]
    assert (left["state"], left["sha256"]) == ("none", None)
    assert "not known" in left["reason"]


def test_donors_that_share_an_equal_cell_are_dealt_together(tmp_path: Path) -> None:
    """Duplicates stay, so the three studies with equal cells are one component."""
    adata = make_cells(120, 700, n_donors=12)
    number = np.arange(120) % 12
    adata.obs["study"] = pd.Categorical([f"study{i:02d}" for i in number])
    counts = adata.X.tolil()
    counts[1] = counts[2] = counts[3]
    assert (counts[3].toarray() > 0).sum() >= 200
    adata.X = counts.tocsr()
    rules = {"qc": {"min_genes": 5, "remove_duplicates": False}}
    dataset, errors = build(tmp_path, adata, "equal", fields=rules)
    assert not errors
    metadata = dataset.load("annotated_obs").metadata
    assert sum(metadata["dealing"]["n_components"].values()) == 10
    assert sum(metadata["n_groups"].values()) == 12
    found = splits_of(dataset)
    assert found["donor1"] == found["donor2"] == found["donor3"]


def test_fractions_are_of_cells_that_can_be_published(tmp_path: Path) -> None:
    """Nine of ten cells of the first donor say nothing that another contradicts: it is the smallest."""
    adata = make_cells(240, n_donors=4)
    types = adata.obs["cell_type"].astype(object)
    types[(adata.obs["donor_id"] == "donor0").to_numpy() & (np.arange(240) % 40 > 3)] = None
    adata.obs["cell_type"] = pd.Categorical(types)
    fields = {"keys": {"group": "donor_id"}, "on_missing_caption": "from_obs"}
    dataset, errors = build(
        tmp_path, adata, "labelled", fields=fields, train=0.97, validation=0, test=0.03
    )
    assert not errors
    assert splits_of(dataset) == {"donor0": "test"} | dict.fromkeys(
        ("donor1", "donor2", "donor3"), "train"
    )
    assert abs(dataset.load("annotated_obs").metadata["dealing"]["deviation_points"]["test"]) < 2


def test_cells_that_none_contradicts_at_all_are_named(tmp_path: Path) -> None:
    adata = make_cells(60)
    adata.obs["cell_type"] = pd.Categorical(["B cell"] * 60)
    _, errors = build(tmp_path, adata, "alike", fields={"keys": {"group": "donor_id"}})
    assert "no_valid_negative 60" in errors[0]
    assert "No two cells contradict each other's captions" in errors[0]
    assert "set format to single" in errors[0]
