"""C7, S10: the configs beside the default one, negatives as texts, a limit of cells per label."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from adata_assets.tables import read_table
from adata_assets_tests.datasets import Dataset
from adata_assets_tests.promises.families import donor_cells
from adata_assets_tests.promises.published import read_rows

SPLITS = ("train", "validation", "test")


def read_config(dataset: Dataset, name: str, split: str) -> pd.DataFrame:
    files = sorted((dataset.published / name).glob(f"{split}-*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def kept_obs(dataset: Dataset) -> pd.DataFrame:
    obs = read_table(dataset.load("annotated_obs").local("obs.parquet"))
    return obs[obs["keep"]].sort_values("position").set_index("sample_idx")


def test_s10_every_config_loads_and_the_default_one_without_a_name(
    varied: Dataset, tmp_path: Path
) -> None:
    from datasets import get_dataset_config_names, load_dataset

    folder = str(varied.published)
    names = ["default", "short", "ratio", "author", "cells", "labels"]
    assert get_dataset_config_names(folder, cache_dir=str(tmp_path)) == names
    default = load_dataset(folder, cache_dir=str(tmp_path))
    for split, rows in read_rows(varied).items():
        pd.testing.assert_frame_equal(default[split].to_pandas(), rows)
    for name in names[1:]:
        loaded = load_dataset(folder, name, cache_dir=str(tmp_path))
        assert list(loaded) == (["train"] if name == "labels" else list(SPLITS))
        assert len({json.dumps(split.features.to_dict()) for split in loaded.values()}) == 1
    stream = load_dataset(folder, "cells", streaming=True)
    assert next(iter(stream["test"]))["split"] == "test"
    card = (varied.published / "README.md").read_text()
    assert all(f"- `{name}`: " in card for name in names[1:])


def test_c7_text_negatives_are_captions_and_sentences_of_contradicting_cells(
    varied: Dataset,
) -> None:
    obs = kept_obs(varied)
    for split, rows in read_rows(varied).items():
        slots = [name for name in rows if name.startswith("negative")]
        assert slots == ["negative_1", "negative_2", "negative_3"]
        own = rows["sample_idx"].map(obs["cell_type"])
        type_of_caption = dict(zip(rows["positive"], own, strict=True))
        type_of_sentence = dict(zip(rows["cell_sentence_2"], own, strict=True))
        assert len(type_of_sentence) == len(rows), split
        for i, slot in enumerate(slots):
            found = rows[slot].map(type_of_sentence if i % 2 else type_of_caption)
            assert found.notna().all()
            assert (found.to_numpy() != own.to_numpy()).all()


def test_sweeps_hold_the_same_cells_with_other_texts(varied: Dataset) -> None:
    for split, rows in read_rows(varied).items():
        short, ratio = (read_config(varied, name, split) for name in ("short", "ratio"))
        words = rows["cell_sentence_2"].str.split(" ")
        assert short["cell_sentence_2"].tolist() == words.str[:5].str.join(" ").tolist()
        assert ratio["cell_sentence_2"].tolist() != rows["cell_sentence_2"].tolist()
        for other in (short, ratio):
            assert list(other) == list(rows)
            assert other[["sample_idx", "positive"]].equals(rows[["sample_idx", "positive"]])


def test_a_config_with_captions_holds_the_cells_that_have_one(varied: Dataset) -> None:
    obs = kept_obs(varied)
    source = read_table(varied.load("annotated_obs").local("source_obs.parquet"))
    author = pd.Series(source["author"].to_numpy(), index=donor_cells().obs_names)
    for split in SPLITS:
        rows = read_config(varied, "author", split)
        own = obs[obs["split"] == split]
        assert rows["sample_idx"].tolist() == own.index[own.index.map(author).notna()].tolist()
        assert rows["positive"].tolist() == rows["sample_idx"].map(author).tolist()
        type_of = {f"Free words on {name}.": name for name in obs["cell_type"].unique()}
        assert (rows["negative_1"].map(type_of) != rows["positive"].map(type_of)).all()


def test_cells_say_what_is_known_and_nothing_that_stays_at_home(varied: Dataset) -> None:
    obs = kept_obs(varied)
    hidden = {"secret", "donor_id", "group", "batch", "harmonised_donor_id"}
    schemas = {pq.read_schema(path) for path in (varied.published / "cells").iterdir()}
    assert len(schemas) == 1
    for split in SPLITS:
        cells = read_config(varied, "cells", split).set_index("sample_idx")
        own = obs[obs["split"] == split]
        assert cells.index.tolist() == own.index.tolist()
        assert not hidden & set(cells)
        assert not cells.astype(str).isin([f"s{i}" for i in range(240)]).any().any()
        for name in ("caption_id", "caption_facts", "known_facts", "known_terms", "split"):
            assert cells[name].tolist() == own[name].tolist()
        assert set(cells["obs_split"]) == {"left", "right"}
        assert cells["flag"].dtype == bool
        assert cells["cell_type"].tolist() == own["cell_type"].tolist()
        assert set(cells) >= {"score", "tissue", "harmonised_cell_type"}
        assert not {"caption", "cell_sentence_2", "positive"} & set(cells)


def test_labels_count_the_cells_of_each_split(varied: Dataset) -> None:
    labels = read_config(varied, "labels", "train").set_index("label")
    obs = kept_obs(varied)
    for split in SPLITS:
        counts = obs.loc[obs["split"] == split, "cell_type"].value_counts()
        assert labels[f"n_{split}"].to_dict() == counts.to_dict()
        cells = read_config(varied, "cells", split)
        assert (cells["label_id"] == cells["cell_type"].map(labels["label_id"])).all()
    assert labels.loc["B cell", "ontology_term_id"] == "CL:0000236"
    assert labels.loc["NK cell", "ontology_label"] == "natural killer cell"
    assert labels.loc["NK cell", "text"] == "This is an NK cell."


def test_the_limit_per_label_is_of_train_and_in_the_ledger(varied: Dataset) -> None:
    obs = kept_obs(varied)
    assert obs.loc[obs["split"] == "train", "cell_type"].value_counts().max() == 15
    assert obs.loc[obs["split"] != "train", "cell_type"].value_counts().max() > 15
    ledger = read_table(varied.load("ledger").local("ledger.parquet")).set_index("rule")
    assert ledger.loc["max_cells_per_label", "n_obs"] > 30
    assert ledger.loc["max_cells_per_label", "outcome"] == "removed"
    assert "train cells" in ledger.loc["max_cells_per_label", "values_seen"]
