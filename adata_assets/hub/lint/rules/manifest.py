"""Rules for ``manifest.json``: it says of every file what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError
from adata_assets.hub.content import hash_table
from adata_assets.hub.lint.folder import PublishedFolder
from adata_assets.hub.lint.registry import rule
from adata_assets.hub.manifest import MANIFEST, MANIFEST_VERSION
from adata_assets.rows.parquet import require_intact

_FIELDS = ("files", "tables", "shared_files", "generation", "spec_sha256", "packages", "format")
_TIME = r"\b(?:19|20)\d\d-\d\d-\d\d[T ]\d\d:\d\d"
_SHA256 = r"[0-9a-f]{64}"


@rule("manifest-is-there", "The folder has a manifest of this package.")
def _is_there(folder: PublishedFolder) -> Iterator[str]:
    if not folder.manifest:
        what = "is not one of this package" if MANIFEST in folder.files else "is missing"
        yield f"{MANIFEST} {what}"


@rule("manifest-version-is-known", "The manifest has the version that this package writes.")
def _version(folder: PublishedFolder) -> Iterator[str]:
    found = folder.manifest.get("manifest_version")
    if folder.manifest and found != MANIFEST_VERSION:
        yield f"manifest_version is {found!r}, known is {MANIFEST_VERSION}"


@rule("manifest-is-complete", "The manifest has every field.")
def _complete(folder: PublishedFolder) -> Iterator[str]:
    for field in _FIELDS if folder.manifest else ():
        if field not in folder.manifest:
            yield f"{field} is missing"


@rule("manifest-names-every-file", "The manifest names exactly the other files.")
def _names_files(folder: PublishedFolder) -> Iterator[str]:
    if not folder.manifest:
        return
    told, found = set(folder.manifest["files"]), set(folder.files) - {MANIFEST}
    for name in sorted(told ^ found):
        yield f"{name} is {'missing' if name in told else 'not named'}"


@rule("manifest-hashes-agree", "Each file has the size and sha256 that the manifest states.")
def _hashes(folder: PublishedFolder) -> Iterator[str]:
    for name, entry in folder.manifest.get("files", {}).items():
        path = folder.files.get(name)
        if path is None or not path.is_file():
            continue
        if path.stat().st_size != entry.get("n_bytes") or sha256_of(path) != entry.get("sha256"):
            yield f"{name} has other bytes than the manifest states"


@rule("manifest-tables-agree", "Rows and the hash of each column are as the manifest states.")
def _tables(folder: PublishedFolder) -> Iterator[str]:
    told = folder.manifest.get("tables", {})
    for table, shards in folder.tables.items() if "tables" in folder.manifest else ():
        try:
            for shard in shards:
                require_intact(folder.files[shard])
        except InputError:
            continue
        content = hash_table(folder.files[shard] for shard in shards)
        stated = told.get(table, {})
        if stated.get("n_rows") != content.n_rows:
            yield f"{table} has {content.n_rows} rows, stated are {stated.get('n_rows')}"
        for name in sorted(set(content.columns) | set(stated.get("columns", {}))):
            if content.columns.get(name) != stated.get("columns", {}).get(name):
                yield f"{table}, {name}: other values than the manifest states"


@rule("manifest-holds-no-time", "The manifest holds no time, so that its bytes can be made again.")
def _no_time(folder: PublishedFolder) -> Iterator[str]:
    for found in sorted(set(re.findall(_TIME, _text(folder)))):
        yield f"{found} is a time"


@rule("manifest-holds-no-place", "The manifest holds no address and no path of a machine.")
def _no_place(folder: PublishedFolder) -> Iterator[str]:
    for found in sorted(set(re.findall(r"\"[a-z0-9]+://[^\"]*|\"/[^\"]+/", _text(folder)))):
        yield f"{found[1:]} is a place"


@rule("manifest-names-its-generation", "Generation and spec are stated by their hashes.")
def _generation(folder: PublishedFolder) -> Iterator[str]:
    stated = {"spec_sha256": folder.manifest.get("spec_sha256", "0" * 64)}
    stated |= folder.manifest.get("generation", {})
    for part, version in stated.items():
        if not re.fullmatch(_SHA256, str(version)):
            yield f"{part} is {str(version)[:40]!r}, not a sha256"


@rule("manifest-counts-negatives", "Kinds of negatives add up; hard ones name their space.")
def _negatives(folder: PublishedFolder) -> Iterator[str]:
    told = folder.manifest.get("negatives", {})
    counts = told.get("counts", {})
    tables = {**dict.fromkeys(folder.splits.values()), **counts} if folder.manifest else {}
    for table in tables:
        expected = _count_negatives(folder, table) if table in folder.tables else 0
        if expected != sum(counts.get(table, {}).values()):
            yield f"{table} has {expected} negatives, stated are {counts.get(table)}"
    n_hard = sum(own.get("hard", 0) for own in counts.values())
    found = (told.get("hard_by") or {}).get("model_hash")
    if n_hard and not re.fullmatch(_SHA256, str(found)):
        yield f"{n_hard} negatives are hard by the model {found!r}, not a sha256"


def _count_negatives(folder: PublishedFolder, table: str) -> int:
    names, n_rows = folder.schema(table).names, folder.n_rows(table)
    n_slots = sum(re.fullmatch(r"negative_\d+(_idx)?", name) is not None for name in names)
    return n_rows // 2 if {"caption", "label"} <= set(names) else n_rows * n_slots


@rule("not-retracted", "The release was not retracted.")
def _retracted(folder: PublishedFolder) -> Iterator[str]:
    for entry in folder.manifest.get("retracted", ()):
        yield f"retracted: {entry.get('reason')}"


def _text(folder: PublishedFolder) -> str:
    path = folder.files.get(MANIFEST)
    return path.read_text(encoding="utf-8", errors="replace") if path else ""
