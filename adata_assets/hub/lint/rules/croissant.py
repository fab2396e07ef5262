"""Rules for ``croissant.json``: it describes this very folder, and says what a reader must know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adata_assets.hub.croissant import CONFORMS_TO, CROISSANT, FIELDS_OF_RESPONSIBILITY
from adata_assets.hub.lint.folder import PublishedFolder
from adata_assets.hub.lint.registry import rule


@rule("croissant-is-there", "The folder has a croissant.json, which is JSON.")
def _is_there(folder: PublishedFolder) -> Iterator[str]:
    if not folder.croissant:
        what = "is no JSON object" if CROISSANT in folder.files else "is missing"
        yield f"{CROISSANT} {what}"


@rule("croissant-conforms", "It states Croissant 1.1 and its responsible-AI vocabulary.")
def _conforms(folder: PublishedFolder) -> Iterator[str]:
    if folder.croissant and folder.croissant.get("conformsTo") != list(CONFORMS_TO):
        yield f"conformsTo is {folder.croissant.get('conformsTo')!r}"


@rule("croissant-has-a-name", "It has a name and a description.")
def _has_name(folder: PublishedFolder) -> Iterator[str]:
    for key in ("name", "description", "citeAs") if folder.croissant else ():
        if not folder.croissant.get(key):
            yield f"{key} is missing"


@rule("croissant-is-responsible", "It has every field about responsible use.")
def _responsible(folder: PublishedFolder) -> Iterator[str]:
    for key in FIELDS_OF_RESPONSIBILITY if folder.croissant else ():
        if not folder.croissant.get(key):
            yield f"{key} is missing"


@rule("croissant-license-agrees", "Its licence is that of the card.")
def _license(folder: PublishedFolder) -> Iterator[str]:
    told = str(folder.croissant.get("license", "")).rpartition("/")[2].lower()
    card = str(folder.front_matter.get("license", "")).lower()
    if folder.croissant and card and told != card:
        yield f"it says {told!r}, the card {card!r}"


@rule("croissant-files-agree", "It lists every parquet file with its sha256.")
def _files(folder: PublishedFolder) -> Iterator[str]:
    if not folder.croissant:
        return
    told = {
        str(one.get("contentUrl")): one.get("sha256")
        for one in _list(folder, "distribution")
        if one.get("@type") == "cr:FileObject"
    }
    stated = folder.manifest.get("files", {})
    found = {name: stated.get(name, {}).get("sha256") for name in folder.shards}
    for name in sorted(set(told) ^ set(found)):
        yield f"{name} is {'not there' if name in told else 'not listed'}"
    for name in sorted(set(told) & set(found)):
        if found[name] and told[name] != found[name]:
            yield f"{name} has another sha256"


@rule("croissant-records-agree", "It has a record set for every table, with its columns.")
def _records(folder: PublishedFolder) -> Iterator[str]:
    if not folder.croissant:
        return
    told = {
        str(one.get("@id")): [field.get("name") for field in one.get("field", [])]
        for one in _list(folder, "recordSet")
    }
    found = {table: folder.schema(table).names for table in folder.tables}
    for table in sorted(set(told) | set(found)):
        if told.get(table) != found.get(table):
            yield f"{table}: told are {told.get(table)}, found {found.get(table)}"


@rule("croissant-holds-no-time", "It holds no time, so that its bytes can be made again.")
def _no_time(folder: PublishedFolder) -> Iterator[str]:
    for key in ("dateCreated", "dateModified", "datePublished"):
        if key in folder.croissant:
            yield f"{key} is stated"


def _list(folder: PublishedFolder, key: str) -> list[dict[str, Any]]:
    found = folder.croissant.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
