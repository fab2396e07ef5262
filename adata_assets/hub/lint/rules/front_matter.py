"""Rules for the YAML at the top of the card, which the Hub and `datasets` read (S1)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

import yaml

from adata_assets.hub.card_front_matter import REQUIRED_TAGS, size_category
from adata_assets.hub.lint.folder import CARD, PublishedFolder
from adata_assets.hub.lint.registry import rule

_KNOWN_SPLITS = ("train", "validation", "test")
_LICENCES = frozenset(
    [
        "agpl-3.0",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "c-uda",
        "cc",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "etalab-2.0",
        "gfdl",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "odbl",
        "odc-by",
        "other",
        "pddl",
        "unknown",
        "unlicense",
    ]
)


@rule("card-is-there", "The folder has a card, README.md.")
def _card_is_there(folder: PublishedFolder) -> Iterator[str]:
    if CARD not in folder.files:
        yield f"there is no {CARD}"


@rule("front-matter-is-yaml", "The card begins with a YAML mapping between lines of three dashes.")
def _front_matter_is_yaml(folder: PublishedFolder) -> Iterator[str]:
    if CARD not in folder.files or folder.front_matter:
        return
    try:
        found = yaml.safe_load(folder.front_matter_text)
    except yaml.YAMLError as error:
        yield f"not YAML: {str(error).splitlines()[0]}"
        return
    yield f"found {type(found).__name__} at the top of {CARD}, not a mapping"


@rule("language-is-code", "The front matter says language: [code].")
def _language(folder: PublishedFolder) -> Iterator[str]:
    yield from _require_value(folder, "language", ["code"])


@rule(
    "task-category-is-there", "The front matter says task_categories: [zero-shot-classification]."
)
def _task(folder: PublishedFolder) -> Iterator[str]:
    yield from _require_value(folder, "task_categories", ["zero-shot-classification"])


@rule("pretty-name-is-there", "The front matter has a pretty_name.")
def _pretty_name(folder: PublishedFolder) -> Iterator[str]:
    found = folder.front_matter.get("pretty_name")
    if folder.front_matter and not (isinstance(found, str) and found.strip()):
        yield f"pretty_name is {found!r}"


@rule("tags-are-there", "The front matter has the tags of every dataset of this kind.")
def _tags(folder: PublishedFolder) -> Iterator[str]:
    found = folder.front_matter.get("tags")
    if folder.front_matter and (
        missing := [tag for tag in REQUIRED_TAGS if tag not in (found or [])]
    ):
        yield f"tags {missing} are missing"


@rule("license-is-known", "The licence is one of the Hub's ids.")
def _license(folder: PublishedFolder) -> Iterator[str]:
    found = folder.front_matter.get("license")
    # Only what is published needs one.
    is_open = found is None and not folder.manifest.get("repo_id")
    if folder.front_matter and not is_open and found not in _LICENCES:
        yield f"license is {found!r}: use one of the Hub's ids, or other"


@rule("size-category-fits", "size_categories is the Hub's word for the number of rows.")
def _size(folder: PublishedFolder) -> Iterator[str]:
    if not folder.front_matter or not folder.splits:
        return
    expected = [size_category(sum(map(folder.n_rows, folder.splits.values())))]
    yield from _require_value(folder, "size_categories", expected)


@rule("configs-are-there", "The front matter has a config called default with data files.")
def _configs(folder: PublishedFolder) -> Iterator[str]:
    names = [config.get("config_name") for config in configs_of(folder)]
    if folder.front_matter and "default" not in names:
        yield f"configs are {names}, without default"


@rule("config-names-fit", "Names of configs hold letters, digits, '_', '-' and '.' only.")
def _config_names(folder: PublishedFolder) -> Iterator[str]:
    for config in configs_of(folder):
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", str(config.get("config_name"))):
            yield f"config is called {config.get('config_name')!r}"


@rule("config-patterns-match", "Each pattern of each config matches a file.")
def _patterns_match(folder: PublishedFolder) -> Iterator[str]:
    for pattern in _patterns(folder):
        if not fnmatch.filter(folder.files, pattern):
            yield f"{pattern} matches no file"


@rule("data-is-in-configs", "Each parquet file belongs to a config.")
def _in_configs(folder: PublishedFolder) -> Iterator[str]:
    patterns = _patterns(folder)
    if not patterns:
        return
    for name in folder.files:
        if name.endswith(".parquet") and not any(fnmatch.fnmatch(name, p) for p in patterns):
            yield f"{name} is in no config"


@rule("split-names-are-known", "Splits are called train, validation and test.")
def _split_names(folder: PublishedFolder) -> Iterator[str]:
    for config in configs_of(folder):
        for entry in _data_files(config):
            if entry.get("split") not in _KNOWN_SPLITS:
                yield f"config {config.get('config_name')} has a split {entry.get('split')!r}"


@rule("features-agree", "dataset_info lists exactly the columns of the rows, with their types.")
def _features(folder: PublishedFolder) -> Iterator[str]:
    told = _info(folder).get("features")
    if told is None or not folder.splits:
        return
    schema = folder.schema(next(iter(folder.splits.values())))
    found = [{"name": f.name, "dtype": _dtype(str(f.type))} for f in schema]
    if told != found:
        differ = [a for a in [*told, *found] if (a in told) != (a in found)] or ["their order"]
        yield f"dataset_info differs from the rows in {differ[0]}"


@rule("row-counts-agree", "dataset_info counts the rows of every split.")
def _counts(folder: PublishedFolder) -> Iterator[str]:
    told = {s.get("name"): s.get("num_examples") for s in _info(folder).get("splits", [])}
    found = {split: folder.n_rows(table) for split, table in folder.splits.items()}
    if told and told != found:
        yield f"dataset_info says {told}, the files hold {found}"


@rule("download-size-agrees", "dataset_info states the bytes of the data files.")
def _download_size(folder: PublishedFolder) -> Iterator[str]:
    told = _info(folder).get("download_size")
    shards = [s for table in folder.splits.values() for s in folder.tables[table]]
    found = sum(folder.files[shard].stat().st_size for shard in shards)
    if told is not None and told != found:
        yield f"download_size is {told}, the files have {found} bytes"


def configs_of(folder: PublishedFolder) -> list[dict[str, Any]]:
    """Return the configs of the front matter."""
    found = folder.front_matter.get("configs")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _data_files(config: dict[str, Any]) -> list[dict[str, Any]]:
    found = config.get("data_files")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _patterns(folder: PublishedFolder) -> list[str]:
    paths = [entry.get("path") for c in configs_of(folder) for entry in _data_files(c)]
    return [p for path in paths for p in (path if isinstance(path, list) else [str(path)])]


def _info(folder: PublishedFolder) -> dict[str, Any]:
    found = folder.front_matter.get("dataset_info")
    # With several configs it is a list; that of the rows has no name, or default.
    if isinstance(found, list):
        own = [one for one in found if one.get("config_name", "default") == "default"]
        return own[0] if own else {}
    return found if isinstance(found, dict) else {}


def _dtype(arrow_type: str) -> str:
    return {"double": "float64"}.get(arrow_type, arrow_type)


def _require_value(folder: PublishedFolder, key: str, expected: object) -> Iterator[str]:
    found = folder.front_matter.get(key)
    if folder.front_matter and found != expected:
        yield f"{key} is {found!r}, expected {expected!r}"
