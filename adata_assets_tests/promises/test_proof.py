"""P1, S8 to S13: the independent proof and lint hold for a dataset with hard negatives.

With ``ADATA_ASSETS_REAL_DATA`` naming a folder with the two files below, they are tried as well, and
the use of their negatives is compared with a plain sampler over what the proof's own rule allows.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adata_assets.annotation.captions.contradictions import fact_classes
from adata_assets.annotation.store import OBS, read_facts
from adata_assets.hub.lint import PublishedFolder, lint_folder
from adata_assets.rows.negatives import KINDS, cell_keys, draw_negatives
from adata_assets_tests.datasets import Dataset, make_spec
from adata_assets_tests.independent import prove
from adata_assets_tests.promises.families import HARD_SHARE, MIXED
from adata_assets_tests.promises.published import read_rows
from adata_assets_tests.rows.test_sampling import entropy, require_even

REAL_DATA = os.environ.get("ADATA_ASSETS_REAL_DATA")
BASE_URL = "http://127.0.0.1:8765"
BY_CELL = {"train": 0.8, "validation": 0.1, "test": 0.1, "split_by": "cell"}
BY_DONOR = {"train": 0.9, "validation": 0.1, "test": 0}
REAL = {
    "pbmc3k": ("pbmc3k_raw.h5ad", {"splits": BY_CELL}, []),
    "covid": (
        "covid_balf_liao2020.h5ad",
        {"splits": BY_DONOR, "keys": {"group": "donor_id"}},
        ["donor_id"],
    ),
}
CASES = ("generated", *(REAL if REAL_DATA else ()))


@pytest.fixture(scope="module", params=CASES)
def proved(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, list[str]]:
    """A dataset, some of whose negatives are hard, and the columns of its groups."""
    if request.param == "generated":
        return request.getfixturevalue("donors"), ["donor_id"]
    file, fields, groups = REAL[request.param]
    spec = make_spec(
        Path(str(REAL_DATA)) / file,
        qc={},
        n_top_genes=2000,
        sentences={"length": 100},
        embedders=({"name": "pca", "method": "pca"},),
        share={"store": "local", "base_url": BASE_URL},
        negatives=MIXED,
        license="cc-by-4.0",
        **fields,
    )
    return Dataset.make(spec, tmp_path_factory.mktemp(request.param)).succeed(), groups


def test_nothing_that_is_published_breaks_a_promise(proved: tuple[Dataset, list[str]]) -> None:
    dataset, groups = proved
    places = {BASE_URL: Path(dataset.storage.root.path) / "share"}
    assert prove.prove(dataset.published, places, groups, 200) == []
    assert lint_folder(PublishedFolder(dataset.published)) == []


def test_about_as_many_are_hard_as_were_asked_for(proved: tuple[Dataset, list[str]]) -> None:
    counts = pd.read_json(proved[0].published / "manifest.json", typ="series")["negatives"]
    for split, rows in read_rows(proved[0]).items():
        told = counts["counts"][f"data/{split}"]
        assert sum(told.values()) == 2 * len(rows)
        assert set(told) == set(KINDS)
        spread = 5 * np.sqrt(HARD_SHARE * (1 - HARD_SHARE) / (2 * len(rows)))
        assert told["hard"] / (2 * len(rows)) == pytest.approx(HARD_SHARE, abs=spread)


if REAL_DATA:

    @pytest.mark.parametrize("proved", list(REAL), indirect=True)
    def test_negatives_of_real_cells_are_used_evenly(proved: tuple[Dataset, list[str]]) -> None:
        dataset, _ = proved
        rows = read_rows(dataset)["train"]
        assert len(rows) >= 1000
        cells = pd.concat(pd.read_parquet(p) for p in dataset.published.glob("cells/train-*"))
        cells = cells.set_index("sample_idx").loc[rows["sample_idx"]].astype(object)
        kind, names = pd.factorize(cells["caption_facts"] + cells["known_facts"])
        one_of = [cells.iloc[int((kind == k).argmax())].to_dict() for k in range(len(names))]
        table = np.array([[prove.contradicts(a, b, "") for b in one_of] for a in one_of])
        allowed = [np.flatnonzero(table[k, kind]) for k in range(len(names))]
        tables = dataset.load("annotated_obs").local(OBS).parent
        classes = fact_classes(read_facts(tables, 0, len(rows)))
        keys, counts = cell_keys(list(cells.index)), np.zeros((len(names), len(rows)), np.int64)
        ours, plain, distinct = [], [], []
        for seed in range(20):
            drawn = draw_negatives(classes, cell_key=keys, n_slots=2, seed=seed, purpose="p")[0]
            rng = np.random.default_rng(seed)
            reference = np.stack([rng.choice(allowed[k], 2) for k in kind])
            ours.append(entropy(drawn, len(rows)))
            plain.append(entropy(reference, len(rows)))
            distinct.append(len(np.unique(drawn)) / len(np.unique(reference)))
            np.add.at(counts, (np.repeat(kind, 2), drawn.ravel()), 1)
        print(f"{dataset.spec.source}: entropy {np.mean(ours):.4f} / {np.mean(plain):.4f}")
        assert np.mean(ours) / np.mean(plain) == pytest.approx(1, abs=0.01)
        assert np.mean(distinct) >= 0.95
        require_even(counts, allowed)
