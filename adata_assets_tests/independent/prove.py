"""Proves what a published dataset promises, from its files alone; shares no code with the package.

``python prove.py FOLDER [--map PREFIX=FOLDER] [--group COLUMN] [--min-genes N]``: FOLDER holds
``data/*.parquet`` and ``README.md``; links with PREFIX are files of the other folder. Every breach is
a line ``promise: what is wrong``, and the exit status 1.
"""

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import requests

FIELDS = ("cell_type", "tissue", "disease", "sex", "development_stage", "assay", "suspension_type")
UNKNOWN = {"", "unknown", "na", "n/a", "nan", "none", "not reported", "unassigned", "<na>"}


class Published:
    """Rows and splits of cells, what stands behind links, and the breaches that were found."""

    def __init__(self, folder: Path, places: dict[str, Path]) -> None:
        self.places, self.breaches = places, []
        self.card = (folder / "README.md").read_text(encoding="utf-8")
        found = [
            (path.name, pd.read_parquet(path)) for path in sorted(folder.glob("data/*.parquet"))
        ]
        self.rows = {
            split: pd.concat([part for name, part in found if name.startswith(f"{split}-")])
            for split in dict.fromkeys(name.split("-")[0] for name, _ in found)
        }
        cells = [pd.read_parquet(path) for path in sorted(folder.glob("cells/*.parquet"))]
        self.cells = pd.concat(cells) if cells else None
        self.split = {c: name for name, rows in self.rows.items() for c in rows["sample_idx"]}

    def say(self, promise: str, text: str) -> None:
        """Record a breach."""
        self.breaches.append(f"{promise}: {text}")

    def open(self, link: str) -> ad.AnnData:
        """Return the file behind a link, from a folder that stands for it or as anybody would."""
        for prefix, folder in self.places.items():
            if link.startswith(prefix):
                return ad.read_h5ad(folder / link.removeprefix(prefix).lstrip("/"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "linked.h5ad")
            path.write_bytes(requests.get(link, timeout=60).content)
            return ad.read_h5ad(path)


def known(value: object) -> str | None:
    """Return a value as text, None for every way of saying that nothing is known."""
    if value is None or value != value:
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text = " ".join(text.split())
    return None if text.lower() in UNKNOWN else text


def check_links(data: Published) -> dict[str, ad.AnnData]:
    """S11 to S13: every row has a link, whose file holds its cell once and nothing that has no row."""
    rows = pd.concat(data.rows.values())
    for name in rows.loc[rows["share_link"].isna(), "sample_idx"]:
        data.say("S13", f"{name!r} has no share_link")
    held = Counter(name for own in data.rows.values() for name in own["sample_idx"].unique())
    for name in (name for name in held if held[name] > 1):
        data.say("S12", f"{name!r} is in {held[name]} splits")
    files = {link: data.open(link) for link in sorted(rows["share_link"].dropna().unique())}
    seen: Counter[str] = Counter()
    for link, own in rows.dropna(subset=["share_link"]).groupby("share_link"):
        names, wanted = Counter(files[link].obs_names), set(own["sample_idx"])
        seen.update(names.keys())
        for name in (name for name in wanted if names[name] != 1):
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
        if values.isna().any():
            data.say("group", f"{values.isna().sum()} cells have no {column}")


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
        is_train = np.array([data.split.get(name) == "train" for name in adata.obs_names])
        sums = np.asarray(adata.X[np.flatnonzero(is_train)].sum(axis=0), np.int64).ravel().tolist()
        total.update(dict(zip(adata.var_names, sums, strict=True)))
    rows = pd.concat(data.rows.values())
    listed = {
        name: text.split(" ")
        for name, text in zip(rows["sample_idx"], rows["cell_sentence_2"], strict=True)
    }
    longest = max(map(len, listed.values()))
    for adata in files.values():
        var = adata.var[adata.var["feature_class"] == "gene"]
        named = [
            str(a).split() or str(b).split() for a, b in zip(var["symbol"], var.index, strict=True)
        ]
        tokens = pd.DataFrame({"token": ["_".join(words) for words in named], "gene": var.index})
        tokens["total"] = [total[gene] for gene in tokens["gene"]]
        rank = tokens.groupby("token").agg({"total": "sum", "gene": "min"})
        rank["unseen"] = rank["total"] == 0
        place = {t: i for i, t in enumerate(rank.sort_values(["unseen", "total", "gene"]).index)}
        of_gene = tokens["token"].to_numpy()
        counts = adata[:, var.index].X.tocsr()
        counts.eliminate_zeros()
        for name, row in zip(adata.obs_names, counts, strict=True):
            own: Counter[str] = Counter()
            for token, count in zip(of_gene[row.indices], row.data, strict=True):
                own[token] += int(count)
            wanted = sorted(own, key=lambda token: (-own[token], place[token]))
            if name in listed and listed[name] != wanted[:longest]:
                data.say("sentence", f"{name!r} does not list its genes in the stated order")


@cache
def related(a: str, b: str) -> bool:
    """Whether one ontology term is the other one or an ancestor of it."""
    from cellxgene_ontology_guide.ontology_parser import OntologyParser

    try:
        above = [OntologyParser().get_term_ancestors(term, include_self=True) for term in (a, b)]
    except (KeyError, ValueError):
        return False
    return a in above[1] or b in above[0]


def facts_of(cell: dict[str, object], caption: str) -> tuple[dict[str, str], set[str]]:
    """What is known of a cell, and what its caption states: as told, else the values that it holds."""
    values = {field: known(cell.get(field)) for field in FIELDS}
    told = {field: value for field, value in values.items() if value and "||" not in value}
    if known(cell.get("caption_facts")):
        stated = json.loads(str(cell["caption_facts"]))
        return told | json.loads(known(cell.get("known_facts")) or "{}") | stated, set(stated)
    words = f" {' '.join(re.findall(r'[a-z0-9+]+', caption.lower()))} "
    plain = {k: " ".join(re.findall(r"[a-z0-9+]+", v.lower())) for k, v in told.items()}
    return told, {field for field, value in plain.items() if f" {value} " in words}


def terms_of(cell: dict[str, object], field: str) -> list[str]:
    """Return the ontology terms of a field: as told, the file's own, the harmonised one."""
    name = f"{field}_ontology_term_id"
    told = json.loads(known(cell.get("known_terms")) or "{}").get(field) or known(cell.get(name))
    return (told or known(cell.get(f"harmonised_{name}")) or "").split(" || ")


def contradicts(anchor: dict[str, object], other: dict[str, object], caption: str) -> bool:
    """Whether a fact that the anchor's caption states is known of the other and cannot be true."""
    own, stated = facts_of(anchor, caption)
    theirs, _ = facts_of(other, str(other.get("caption") or ""))
    # A free text: another one, and another cell type where both are known.
    stated = stated or {"cell_type"} & own.keys() & theirs.keys()
    if not stated:
        return anchor.get("caption_id") != other.get("caption_id")
    for field in stated & theirs.keys():
        pairs = ((a, b) for a in terms_of(anchor, field) for b in terms_of(other, field))
        if own[field] != theirs[field] and not any(related(a, b) for a, b in pairs):
            return True
    return False


def check_negatives(data: Published, obs: pd.DataFrame) -> None:
    """Every negative is a cell of the row's split whose facts contradict the row's caption."""
    told = pd.DataFrame({"sample_idx": []}) if data.cells is None else data.cells
    cells = obs.join(told.set_index("sample_idx"), lsuffix="_file")
    cell_of = dict(zip(cells.index, cells.astype(object).to_dict("records"), strict=True))
    for split, rows in data.rows.items():
        own, is_pairs = set(rows["sample_idx"]), "label" in rows
        true = (rows[rows["label"] == 1.0] if is_pairs else rows).set_index("sample_idx")
        caption = true.get("caption" if is_pairs else "positive", pd.Series(dtype=object))
        slots = [name for name in rows if re.match(r"negative_\d+_idx$", name)]
        pairs = [p for slot in slots for p in zip(rows["sample_idx"], rows[slot], strict=True)]
        if is_pairs:
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
    obs = obs[obs.index.isin(list(data.split)) & ~obs.index.duplicated()]
    obs = obs.assign(split=[data.split[name] for name in obs.index])
    check_groups(data, obs, groups)
    check_duplicates(data, files, min_genes)
    check_sentences(data, files)
    check_negatives(data, obs)
    return data.breaches


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--map", action="append", default=[], metavar="PREFIX=FOLDER")
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--min-genes", type=int, default=200)
    given = parser.parse_args()
    places = {prefix: Path(at) for prefix, at in (one.split("=", 1) for one in given.map)}
    found = prove(given.folder, places, given.group, given.min_genes)
    print("\n".join(found) or "every promise holds")
    sys.exit(1 if found else 0)
