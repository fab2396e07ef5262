"""Families of tiny raw files as they come: up to three files, 12 cells and 8 features each.

Belongs here: what is drawn. How it is written stands in ``small_files``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from adata_assets.spec import DatasetSpec
from adata_assets_tests.annotation.small_files import KINDS, Column, SmallFile

GENES = (
    *("CD4", "CD4-1", "MT-ND1", "ENSG00000010610", "ENSG00000010610.5", "H2AFZ", "H2AZ1", "nCoV"),
    *("ERCC-00002", "MALAT1", "gène é", "遺伝子", "Cd4", "x", "CD4", "ENSG00000999999"),
)
TEXTS = (
    *("B cell", "T cell", "nan", "", "unknown", "normal", "é 細胞", "1", "a || b", "None", "male"),
    *("x\ty", "<b>NK</b>", "blood", "COVID-19", "true", "nucleus", "CL:0000236", "10x 3' v3"),
)
LEVELS = [(*TEXTS, None), (1, 2, None), (0.5, 7.0), (True, False, None), (None,)]
VALUES = {
    "text": [TEXTS],
    "nullable-text": [(*TEXTS, None), (None,)],
    "category": LEVELS,
    "float": [(0.0, 1.0, 2.5, None, 63.0, -1e-3, 1e30), (None,)],
    "float32": [(0.0, 2.5, None, float("inf"), 1.0)],
    "integer": [(0, 1, 2, 63, -5, 2**40), (2**60,)],
    "byte": [(0, 1, 255)],
    "bool": [(True, False)],
    "bytes": [(b"B cell", b"", b"1")],
    "nullable-integer": [(0, 1, 63, None), (None,)],
    "nullable-boolean": [(True, False, None)],
}
COLUMNS = (
    *("cell_type", "donor_id", "tissue", "disease", "sex", "assay", "donor_age", "organism"),
    *("is_primary_data", "suspension_type", "cell_type_ontology_term_id", "split", "keep"),
    *("sample_idx", "position", "caption_facts", "a.b c", "patient name", "0", "level_0"),
    *("harmonised_cell_type", "note", "index", "Größe", "caption", "batch"),
)
RARELY = st.sampled_from([False] * 19 + [True])
SIZES = st.sampled_from([12, 1, 5, 9, 11, 12, 7, 2, 3, 10, 8, 12, 4, 6, 12, 9, 11, 10, 12, 0])
WIDTHS = st.sampled_from([8, 1, 5, 8, 6, 7, 2, 3, 8, 4, 6, 7, 8, 5, 6, 7, 8, 8, 6, 0])
THREE = {"train": 0.5, "validation": 0.25, "test": 0.25}
ONE = {"train": 1, "validation": 0, "test": 0}


@dataclass(frozen=True)
class Family:
    """The files of one dataset and what its YAML says besides."""

    files: tuple[SmallFile, ...]
    fields: dict[str, Any]

    @property
    def spec(self) -> DatasetSpec:
        """The spec of the dataset."""
        sources = tuple(f"{file.name}.h5ad" for file in self.files)
        return DatasetSpec(
            dataset_id="family",
            title="A family",
            source=sources,
            chunks={"size": 10},
            **self.fields,
        )

    @property
    def ids(self) -> list[str]:
        """The ids that the cells must get."""
        return [
            f"{file.name}:{name}" if len(self.files) > 1 else str(name)
            for file in self.files
            for name in file.obs_names
        ]


@st.composite
def columns(draw, n_rows, rng):
    """Draw obs columns, each of any kind."""
    found = {}
    for name in draw(st.lists(st.sampled_from(COLUMNS), max_size=5, unique=True)):
        kind = draw(st.sampled_from(KINDS))
        pool = draw(st.sampled_from(VALUES[kind]))
        few = pool[: draw(st.integers(1, len(pool)))]
        values = tuple(few[i] for i in rng.integers(0, len(few), n_rows))
        unused = tuple(value for value in pool[:3] if value is not None)
        found[name] = Column(kind, values, unused, ordered=draw(st.booleans()))
    return found


@st.composite
def small_files(draw, number, *, with_obs=True):
    """Draw one file."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_obs, n_vars = draw(SIZES), draw(WIDTHS)
    counts = rng.poisson(rng.gamma(0.8, 4, (1, n_vars)), (n_obs, n_vars))
    if draw(RARELY):
        counts[:] = 0
    ids = "repeated" if draw(RARELY) else draw(st.sampled_from(["plain", "other", "numbers", "é"]))
    names = {
        "plain": [f"c{i}" for i in range(n_obs)],
        "other": [f"{number}:{i} x" for i in range(n_obs)],
        "numbers": list(range(n_obs)),
        "repeated": [f"c{i // 2}" for i in range(n_obs)],
        "é": [f"é細{i}\u200b" for i in range(n_obs)],
    }
    with_ids = draw(st.booleans())
    numbered = ["numbers"] if with_ids or draw(RARELY) else []
    features = {
        "symbols": [GENES[i] for i in rng.integers(0, len(GENES), n_vars)],
        "numbers": list(range(n_vars)),
        "plain": [f"G{i}" for i in rng.permutation(n_vars)],
    }
    own_ids = tuple(f"ENSG{i:011d}" for i in rng.integers(0, 12, n_vars))
    dtype = draw(st.sampled_from(["f4", "f8", "i4", "u2", "i8"]))
    return SmallFile(
        name=f"s{number}",
        counts=counts,
        obs_names=names[ids],
        var_names=features[draw(st.sampled_from(["symbols", "symbols", "plain", *numbered]))],
        obs=draw(columns(n_obs, rng)) if with_obs else {},
        var={"gene_ids": Column("text", own_ids)} if with_ids else {},
        encoding=draw(st.sampled_from(["csr", "csc", "dense"])),
        dtype=dtype,
        noise=1e-11 if dtype == "f8" and draw(st.booleans()) else 0.0,
        slot=draw(st.sampled_from(["X", "X", "X", "raw/X", "layers/counts"])),
    )


@st.composite
def file_lists(draw, *, with_obs=True):
    """Draw one to three files; the second is often the first again, with obs of its own."""
    n_files = draw(st.integers(1, 3))
    files = [draw(small_files(number, with_obs=with_obs)) for number in range(n_files)]
    if n_files > 1 and draw(st.booleans()):
        n_obs = len(files[0].obs_names)
        obs = {
            name: column.taken([row % len(column.values) for row in range(n_obs)])
            for name, column in files[1].obs.items()
            if column.values
        }
        files[1] = replace(files[0], name="s1", obs=obs)
    return tuple(files)


@st.composite
def families(draw):
    """Draw files and a spec that asks for what they have."""
    files = draw(file_lists())
    named = {name for file in files for name in file.obs}
    keys = [{}, {}, {"batch": "depth_mode"}]
    keys += [{name: name} for name in ("batch", "caption") if name in named]
    keys += [{"group": "note", "cell_type": "batch"}] if {"note", "batch"} <= named else []
    by_cell = draw(st.sampled_from([None, "cell", "cell"]))
    subset = {"n_obs": 8, "stratify_by": tuple(sorted(named)[:2])}
    fields = {
        "format": draw(st.sampled_from(["single"] * 4 + ["pairs", "multiplets"])),
        "splits": {**draw(st.sampled_from([ONE, ONE, THREE])), "split_by": by_cell},
        "qc": {
            "min_genes": draw(st.integers(0, 3)),
            "max_pct_mt": draw(st.sampled_from([None, 20])),
            "mad": draw(st.sampled_from([None, None, {}])),
        },
        "keys": draw(st.sampled_from(keys)),
        "on_missing_caption": draw(st.sampled_from(["remove", "from_obs", "from_obs"])),
        "harmonise": {"fold_below": draw(st.integers(0, 3))},
        "captions": {"instrument_prefix": draw(st.booleans())},
        "species": draw(st.sampled_from([None, "human", "other"])),
        "subset": draw(st.sampled_from([None, None, None, subset])),
        "drop_obs": tuple(named & {"patient name"}) if draw(st.booleans()) else (),
        "seed": draw(st.integers(0, 3)),
    }
    return Family(files, fields)
