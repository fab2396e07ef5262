"""Proves what a published dataset promises, from its files alone; shares no code with the package.

``python prove.py FOLDER [--map PREFIX=FOLDER] [--group COLUMN] [--min-genes N]``: FOLDER holds
``data/*.parquet`` and ``README.md``; links that begin with PREFIX are files below the other folder.
Exit status 1 if a promise is broken; every breach is a line ``promise: what is wrong``.

Without a ``cells`` config what a caption states is read off it: the obs values whose words it holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from functools import lru_cache
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import requests

FIELDS = ("cell_type", "tissue", "disease", "sex", "development_stage", "assay", "suspension_type")
UNKNOWN = {"", "unknown", "na", "n/a", "nan", "none", "not reported", "unassigned", "<na>"}
GENES = "cell_sentence_2"


class Published:
    """Rows by split, files by link, obs of all cells, and the breaches that were found."""

    def __init__(self, folder: Path, places: dict[str, Path]) -> None:
        self.places, self.breaches = places, []
        self.card = (folder / "README.md").read_text(encoding="utf-8")
        self.rows = {}
        for path in sorted((folder / "data").glob("*.parquet")):
            part = pq.read_table(path, page_checksum_verification=True).to_pandas()
            self.rows.setdefault(path.name.split("-")[0], []).append(part)
        self.rows = {name: pd.concat(parts) for name, parts in self.rows.items()}
        cells = sorted((folder / "cells").rglob("*.parquet"))
        self.cells = pd.concat([pd.read_parquet(path) for path in cells]) if cells else None
        self.split = pd.concat(
            [pd.Series(name, rows["sample_idx"].unique()) for name, rows in self.rows.items()]
        )

    def say(self, promise: str, text: str) -> None:
        """Record a breach."""
        self.breaches.append(f"{promise}: {text}")

    def open(self, link: str) -> ad.AnnData:
        """Return the file behind a link, from a folder that stands for it or as anybody would."""
        for prefix, folder in self.places.items():
            if link.startswith(prefix):
                return ad.read_h5ad(folder / link.removeprefix(prefix).lstrip("/"))
        answer = requests.get(link, timeout=60)
        answer.raise_for_status()
        with tempfile.NamedTemporaryFile(suffix=".h5ad") as file:
            file.write(answer.content)
            file.flush()
            return ad.read_h5ad(file.name)


def known(value: object) -> str | None:
    """Return a value as text, None for every way of saying that nothing is known."""
    if value is None or value != value:
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = " ".join(text.split())
    return None if text.lower() in UNKNOWN or "||" in text else text


def check_links(data: Published) -> dict[str, ad.AnnData]:
    """S11 to S13: every row has a link, whose file holds its cell once and nothing that has no row."""
    rows = pd.concat(data.rows.values())
    for name in rows.loc[rows["share_link"].isna(), "sample_idx"]:
        data.say("S13", f"{name!r} has no share_link")
    for name in data.split.index[data.split.index.duplicated()]:
        data.say("S12", f"{name!r} is in two splits")
    files = {link: data.open(link) for link in sorted(rows["share_link"].dropna().unique())}
    seen: Counter[str] = Counter()
    for link, own in rows.dropna(subset=["share_link"]).groupby("share_link"):
        names, wanted = Counter(files[link].obs_names), set(own["sample_idx"])
        seen.update(names.keys())
        for name in wanted:
            if names[name] != 1:
                data.say("S11", f"{name!r} occurs {names[name]} times in {link}")
        for name in names.keys() - wanted:
            data.say("S12", f"{name!r} in {link} has no row with that link")
    for name in (name for name, n in seen.items() if n > 1):
        data.say("S12", f"{name!r} is in {seen[name]} files")
    return files


def check_groups(data: Published, obs: pd.DataFrame, columns: list[str]) -> None:
    """No group is in two splits; the columns are those that the card names."""
    named = re.search(r"whole groups of the obs columns? (`[^:]*`)", data.card)
    columns = columns or (re.findall(r"`([^`]+)`", named[1]) if named else [])
    if not columns and "one by one" not in data.card:
        data.say("group", "the card neither names group columns nor says that there are none")
    for column in columns:
        values = obs[column].astype(object).map(known)
        n_splits = obs["split"].groupby(values).nunique()
        for value in n_splits.index[n_splits > 1]:
            data.say("group", f"{column} {value!r} is in {n_splits[value]} splits")
        for name in obs.index[values.isna()]:
            data.say("group", f"{name!r} has no {column}")


def check_duplicates(data: Published, files: dict[str, ad.AnnData], min_genes: int) -> None:
    """No two cells of different splits have the same counts."""
    first: dict[bytes, str] = {}
    for adata in files.values():
        counts = adata.X.tocsr()
        order = np.argsort(adata.var_names.to_numpy(dtype=str), kind="stable")
        ids = adata.var_names.to_numpy(dtype=str)[order].astype(bytes)
        for name, row in zip(adata.obs_names, counts[:, order], strict=True):
            row.eliminate_zeros()
            row.sort_indices()
            if row.nnz < min_genes:
                continue
            told = b"\n".join(ids[row.indices]) + row.data.astype("<i8").tobytes()
            other = first.setdefault(hashlib.sha256(told).digest(), name)
            if data.split.get(other) != data.split.get(name):
                data.say("duplicate", f"{name!r} and {other!r} have the same counts")


def check_sentences(data: Published, files: dict[str, ad.AnnData]) -> None:
    """Only expressed genes, by count, rarest on train first, unseen there last, then gene id."""
    total: Counter[str] = Counter()
    for adata in files.values():
        is_train = data.split.reindex(adata.obs_names).eq("train").to_numpy()
        sums = np.asarray(adata.X[np.flatnonzero(is_train)].sum(axis=0), np.int64).ravel()
        total.update(dict(zip(adata.var_names, sums.tolist(), strict=True)))
    listed = pd.concat(data.rows.values()).drop_duplicates("sample_idx").set_index("sample_idx")
    longest = max(len(text.split()) for text in listed[GENES])
    for adata in files.values():
        var = adata.var[adata.var["feature_class"] == "gene"]
        words = [
            str(s).split() or str(i).split() for s, i in zip(var["symbol"], var.index, strict=True)
        ]
        tokens = pd.DataFrame({"token": ["_".join(w) for w in words], "gene": var.index})
        tokens["total"] = [total[gene] for gene in tokens["gene"]]
        rank = tokens.groupby("token").agg({"total": "sum", "gene": "min"})
        rank["unseen"] = rank["total"] == 0
        place = {t: i for i, t in enumerate(rank.sort_values(["unseen", "total", "gene"]).index)}
        of_gene = tokens["token"].to_numpy()
        counts = adata[:, var.index].X.tocsr()
        for name, row in zip(adata.obs_names, counts, strict=True):
            if name not in listed.index:
                continue
            summed: Counter[str] = Counter()
            for token, count in zip(of_gene[row.indices], row.data, strict=True):
                summed[token] += int(count)
            wanted = sorted(
                (t for t, n in summed.items() if n), key=lambda t: (-summed[t], place[t])
            )
            if listed.loc[name, GENES].split(" ") != wanted[:longest]:
                data.say("sentence", f"{name!r} does not list its genes in the stated order")


@lru_cache(maxsize=None)
def related(a: str, b: str) -> bool:
    """Whether one ontology term is the other one or an ancestor of it."""
    if a == b:
        return True
    from cellxgene_ontology_guide.ontology_parser import OntologyParser

    parser = OntologyParser()
    try:
        return a in parser.get_term_ancestors(b) or b in parser.get_term_ancestors(a)
    except (KeyError, ValueError):
        return False


def facts_of(cell: dict[str, object], caption: str) -> tuple[dict[str, str], set[str]]:
    """What is known of a cell, and which of it its caption states."""
    if known(cell.get("caption_facts")):
        stated = {k: v for k, v in json.loads(str(cell["caption_facts"])).items() if v}
        given = json.loads(str(cell["known_facts"])) if known(cell.get("known_facts")) else stated
        return {k: v for k, v in given.items() if v} | stated, set(stated)
    told = {field: value for field in FIELDS if (value := known(cell.get(field)))}
    words = f" {' '.join(re.findall(r'[a-z0-9+]+', caption.lower()))} "
    plain = {k: " ".join(re.findall(r"[a-z0-9+]+", v.lower())) for k, v in told.items()}
    return told, {field for field, value in plain.items() if f" {value} " in words}


def contradicts(anchor: dict[str, object], other: dict[str, object], caption: str) -> bool:
    """Whether a fact that the anchor's caption states is known of the other and cannot be true."""
    own, stated = facts_of(anchor, caption)
    theirs, _ = facts_of(other, str(other.get("caption") or ""))
    if not stated:
        # A free text: another one, and another cell type where both are known.
        stated = {"cell_type"} & own.keys() & theirs.keys()
        if not stated:
            return anchor.get("caption_id") != other.get("caption_id")
    for field in stated & theirs.keys():
        terms = [known(cell.get(f"{field}_ontology_term_id")) for cell in (anchor, other)]
        if own[field] != theirs[field] and not (terms[0] and terms[1] and related(*terms)):
            return True
    return False


def check_negatives(data: Published, obs: pd.DataFrame) -> None:
    """Every negative is a cell of the row's split whose facts contradict the row's caption."""
    cells = (
        obs if data.cells is None else obs.join(data.cells.set_index("sample_idx"), lsuffix="_file")
    )
    cell_of = dict(zip(cells.index, cells.astype(object).to_dict("records"), strict=True))
    for split, rows in data.rows.items():
        own, slots = set(rows["sample_idx"]), [c for c in rows if re.match(r"negative_\d+_idx$", c)]
        true = rows[rows["label"] == 1.0] if "label" in rows else rows
        caption = true.set_index("sample_idx").get(
            "positive", true.set_index("sample_idx").get("caption")
        )
        pairs = [
            (a, b) for slot in slots for a, b in zip(rows["sample_idx"], rows[slot], strict=True)
        ]
        if "label" in rows:
            bearer = {text: name for name, text in caption.items()}
            false = rows[rows["label"] == 0.0]
            pairs = list(zip(false["sample_idx"], false["caption"].map(bearer), strict=True))
        for anchor, other in pairs:
            if other not in own:
                data.say("negative", f"{split}: {other!r} of {anchor!r} is not in the split")
            elif not contradicts(cell_of[anchor], cell_of[other], str(caption[anchor])):
                data.say("negative", f"{split}: {other!r} does not contradict {anchor!r}")


def prove(folder: Path, places: dict[str, Path], groups: list[str], min_genes: int) -> list[str]:
    """Return every breach of a published folder."""
    data = Published(folder, places)
    files = check_links(data)
    obs = pd.concat([adata.obs.astype(object) for adata in files.values()])
    obs = obs[obs.index.isin(data.split.index) & ~obs.index.duplicated()]
    obs = obs.assign(split=data.split[~data.split.index.duplicated()].reindex(obs.index))
    check_groups(data, obs, groups)
    check_duplicates(data, files, min_genes)
    check_sentences(data, files)
    check_negatives(data, obs)
    return data.breaches


def main() -> int:
    """Read the command line, prove, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--map", action="append", default=[], metavar="PREFIX=FOLDER")
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--min-genes", type=int, default=200)
    given = parser.parse_args()
    places = {prefix: Path(folder) for prefix, folder in (m.split("=", 1) for m in given.map)}
    breaches = prove(given.folder, places, given.group, given.min_genes)
    print("\n".join(breaches) or "every promise holds")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
