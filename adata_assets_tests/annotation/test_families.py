"""P2: any family of raw files is refused in plain words, or every cell and every UMI is there.

Generated files are written for real: up to three in a family, up to 12 cases of cells and 8 of
features, everything that was seen in files of others and some things that were not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import event
from hypothesis import strategies as st
from upath import UPath

from adata_assets.annotation.annotate import annotate
from adata_assets.annotation.ledger import build_ledger
from adata_assets.annotation.order import COUNTS, write_ordered_counts
from adata_assets.annotation.store import SOURCE_OBS, write_annotated
from adata_assets.artefact import Artefact
from adata_assets.errors import InputError
from adata_assets.matrix.counts import open_counts
from adata_assets.schemas.annotated import LedgerSchema, ObsSchema, VarSchema
from adata_assets.spec import DatasetSpec
from adata_assets.tables import read_table
from adata_assets_tests.annotation.small_files import (
    KINDS,
    Column,
    SmallFile,
    plain,
    write_small,
)

GENES = (
    *("CD4", "CD4-1", "MT-ND1", "ENSG00000010610", "ENSG00000010610.5", "H2AFZ", "H2AZ1", "nCoV"),
    *("ERCC-00002", "MALAT1", "gène é", "遺伝子", "Cd4", "x", "CD4", "ENSG00000999999"),
)
TEXTS = (
    *("B cell", "T cell", "nan", "", "unknown", "normal", "é 細胞", "1", "a || b", "None", "male"),
    *("x\ty", "<b>NK</b>", "blood", "COVID-19", "true", "nucleus", "CL:0000236", "10x 3' v3"),
)
NUMBERS = (0, 1, 2, 63, -5, 2**40)
FLOATS = (0.0, 1.0, 2.5, None, 63.0, -1e-3, 1e30)
LEVELS = [(*TEXTS, None), (1, 2, None), (0.5, 7.0), (True, False, None), (None,)]
COLUMNS = (
    *("cell_type", "donor_id", "tissue", "disease", "sex", "assay", "donor_age", "organism"),
    *("is_primary_data", "suspension_type", "cell_type_ontology_term_id", "split", "keep"),
    *("sample_idx", "position", "caption_facts", "a.b c", "patient name", "0"),
    *("harmonised_cell_type", "note", "level_0", "index", "Größe", "caption", "batch"),
)


RARELY = st.sampled_from([False] * 19 + [True])
SIZES = st.sampled_from([12, 1, 5, 9, 11, 12, 7, 2, 3, 10, 8, 12, 4, 6, 12, 9, 11, 10, 12, 0])
WIDTHS = st.sampled_from([8, 1, 5, 8, 6, 7, 2, 3, 8, 4, 6, 7, 8, 5, 6, 7, 8, 8, 6, 0])


@st.composite
def columns(draw, n_rows, rng):
    found = {}
    for name in draw(st.lists(st.sampled_from(COLUMNS), max_size=5, unique=True)):
        kind = draw(st.sampled_from(KINDS))
        pool = {
            "text": TEXTS,
            "nullable-text": (*TEXTS, None),
            "category": draw(st.sampled_from(LEVELS)),
            "float32": (0.0, 2.5, None, float("inf"), 1.0),
            "byte": (0, 1, 255),
            "bytes": (b"B cell", b"", b"1"),
            "nullable-boolean": (True, False, None),
            "float": draw(st.sampled_from([FLOATS, (None,)])),
            "integer": NUMBERS,
            "nullable-integer": draw(st.sampled_from([(*NUMBERS, None), (None,)])),
            "bool": (True, False),
        }[kind]
        unused = [value for value in pool[:3] if value is not None] if kind == "category" else ()
        few = pool[: draw(st.integers(1, len(pool)))]
        values = tuple(few[i] for i in rng.integers(0, len(few), n_rows))
        found[name] = Column(kind, values, tuple(unused), ordered=draw(st.booleans()))
    return found


@st.composite
def small_files(draw, number):
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
    }[ids]
    with_ids = draw(st.booleans())
    numbered = ["numbers"] if with_ids or draw(RARELY) else []
    named = draw(st.sampled_from(["symbols", "symbols", "plain", *numbered]))
    genes = [GENES[i] for i in rng.integers(0, len(GENES), n_vars)]
    features = {
        "symbols": genes,
        "numbers": list(range(n_vars)),
        "plain": [f"G{i}" for i in rng.permutation(n_vars)],
    }[named]
    var = {}
    if with_ids:
        ids_of = [f"ENSG{i:011d}" for i in rng.integers(0, 12, n_vars)]
        var["gene_ids"] = Column(draw(st.sampled_from(["text", "category"])), tuple(ids_of))
    dtype = draw(st.sampled_from(["f4", "f8", "i4", "u2", "i8"]))
    return SmallFile(
        name=f"s{number}",
        counts=counts,
        obs_names=names,
        var_names=features,
        obs=draw(columns(n_obs, rng)),
        var=var,
        encoding=draw(st.sampled_from(["csr", "csc", "dense"])),
        dtype=dtype,
        noise=1e-11 if dtype == "f8" and draw(st.booleans()) else 0.0,
        slot=draw(st.sampled_from(["X", "X", "X", "raw/X", "layers/counts"])),
    )


@dataclass(frozen=True)
class Family:
    files: tuple[SmallFile, ...]
    fields: dict


@st.composite
def families(draw):
    n_files = draw(st.integers(1, 3))
    files = tuple(draw(small_files(number)) for number in range(n_files))
    if n_files > 1 and draw(st.booleans()):
        # The same file again: equal barcodes, equal genes, other obs columns.
        first = files[0]
        again = SmallFile(**{**vars(first), "name": "s1", "obs": files[1].obs})
        rows = {name: column for name, column in again.obs.items()}
        n_obs = len(first.obs_names)
        obs = {
            name: column.taken([row % len(column.values) for row in range(n_obs)])
            for name, column in rows.items()
            if column.values
        }
        files = (first, SmallFile(**{**vars(again), "obs": obs}), *files[2:])
    named = {name for file in files for name in file.obs}
    keys = [{}, {}, {"batch": "depth_mode"}]
    keys += [{name: name} for name in ("batch", "caption") if name in named]
    keys += [{"group": "note", "cell_type": "batch"}] if {"note", "batch"} <= named else []
    subsets = [{"n_obs": 8, "stratify_by": tuple(sorted(named)[:2])}]
    train_only = {"train": 1, "validation": 0, "test": 0}
    fields = {
        "format": draw(st.sampled_from(["single"] * 4 + ["pairs", "multiplets"])),
        "splits": draw(
            st.sampled_from([train_only, {"train": 0.5, "validation": 0.25, "test": 0.25}])
        )
        | {"split_by": draw(st.sampled_from([None, "cell", "cell"]))},
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
        "subset": draw(st.sampled_from([None, None, *subsets])),
        "seed": draw(st.integers(0, 3)),
    }
    return Family(files, fields)


def make_spec(family):
    names = [file.name for file in family.files]
    return DatasetSpec(
        dataset_id="family",
        title="A family",
        source=tuple(f"{name}.h5ad" for name in names),
        **{**family.fields, "chunks": {"size": 10}},
    )


@dataclass(frozen=True)
class Run:
    """What one annotation of a family left."""

    annotated: object
    folder: Path
    dense: np.ndarray
    content: str


def run(family, folder):
    """Annotate a family for real, store it, write its counts; None where it is refused."""
    for name in ("raw", "tables", "counts", "scratch"):
        (folder / name).mkdir(parents=True)
    files = [write_small(file, folder / "raw") for file in family.files]
    spec = make_spec(family)
    try:
        annotated = annotate(files, spec, scratch=folder / "scratch", cache=folder / "cache")
    except InputError as error:
        require_sentence(str(error))
        event(f"refused: {' '.join(str(error).split()[-4:])}")
        return None
    write_annotated(annotated, folder / "tables")
    files_of = dict.fromkeys((path.name for path in (folder / "tables").iterdir()), {})
    artefact = Artefact(
        *("family", "annotated_obs", None, UPath(folder / "tables"), files_of, "1", "1", {}, {}),
        annotated.facts,
    )
    summary = write_ordered_counts(files, artefact, folder / "counts", scratch=folder / "scratch")
    assert not list((folder / "scratch").iterdir())
    counts = open_counts(folder / "counts" / COUNTS)
    dense = counts.rows(0, counts.n_obs).toarray()
    return Run(annotated, folder, dense, summary.content_hash)


def require_sentence(text):
    assert len(text) > 20
    assert "Traceback" not in text
    assert "object at 0x" not in text


def check(family, ran):
    obs, genes = ran.annotated.obs, ran.annotated.genes
    ObsSchema.validate(obs)
    VarSchema.validate(genes.var)
    ledger = build_ledger(obs)
    LedgerSchema.validate(ledger)
    raw = {file.name: len(file.obs_names) for file in family.files}
    assert ledger.groupby("source")["n_obs"].sum().to_dict() == raw
    kept = obs["position"] >= 0
    assert sorted(obs["position"][kept]) == list(range(kept.sum()))
    ids = [
        f"{file.name}:{name}" if len(family.files) > 1 else str(name)
        for file in family.files
        for name in file.obs_names
    ]
    assert obs["sample_idx"].tolist() == ids
    assert obs["sample_idx"].is_unique
    check_counts(family, ran)
    check_columns(family, ran)


def check_counts(family, ran):
    obs, genes = ran.annotated.obs, ran.annotated.genes
    wide = spread(family, genes)
    assert obs["n_counts"].tolist() == wide.sum(axis=1).tolist()
    order = np.argsort(obs["position"].to_numpy(), kind="stable")
    kept = order[(obs["position"] < 0).sum() :]
    assert (ran.dense == wide[kept]).all()
    assert ran.annotated.gene_report["n_counts"].sum() == wide.sum()
    assert genes.var["n_source_features"].sum() == sum(len(f.var_names) for f in family.files)


def spread(family, genes):
    """Counts of every raw cell over the genes of the dataset, added up the slow way."""
    n_obs = [len(file.obs_names) for file in family.files]
    wide = np.zeros((sum(n_obs), len(genes.var)), np.int64)
    row = feature = 0
    for file, n in zip(family.files, n_obs, strict=True):
        for column in range(len(file.var_names)):
            wide[row : row + n, genes.gene_index[feature]] += file.counts[:, column]
            feature += 1
        row += n
    return wide


def check_columns(family, ran):
    """C14: what a file says of a cell is said of it still, missing stays missing."""
    stored = read_table(ran.folder / "tables" / SOURCE_OBS)
    row = 0
    for file in family.files:
        rows = slice(row, row + len(file.obs_names))
        for name in stored:
            told = stored[name].iloc[rows].tolist()
            column = file.obs.get(name)
            given = [None] * len(told) if column is None else list(column.values)
            if column is not None and column.kind == "text":
                given = ["" if value is None else value for value in given]
            assert [plain(value) for value in told] == [plain(value) for value in given], name
        row = rows.stop
    named = {name for file in family.files for name in file.obs}
    assert set(stored) == named


def hash_files(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parts[-2] != "raw"
    }
