"""Rules for the files of the folder: names, kinds and the Hub's limits."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from adata_assets.hub.lint.folder import PublishedFolder
from adata_assets.hub.lint.registry import rule

_PNG = b"\x89PNG\r\n\x1a\n"
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.parquet")
_EXPECTED = re.compile(
    r"README\.md|manifest\.json|croissant\.json|figures/[\w.-]+\.png|\w[\w-]*/[^/]+\.parquet"
)
_CODE = (".py", ".pyc", ".pkl", ".pickle", ".pt", ".bin", ".npy", ".sh", ".ipynb")


@rule("no-code-or-pickles", "Nothing in the folder can execute code when it is loaded.")
def _no_code(folder: PublishedFolder) -> Iterator[str]:
    for name in folder.files:
        if name.endswith(_CODE):
            yield f"{name} could execute code"


@rule("no-other-files", "The folder holds rows, card, manifest, croissant and figures, no more.")
def _no_other(folder: PublishedFolder) -> Iterator[str]:
    for name in folder.files:
        if not (_EXPECTED.fullmatch(name) or name.endswith(_CODE) or _is_hidden(name)):
            yield f"{name} does not belong to a release"


@rule("no-hidden-files", "No file or folder begins with a dot.")
def _no_hidden(folder: PublishedFolder) -> Iterator[str]:
    for name in folder.files:
        if _is_hidden(name):
            yield f"{name} is hidden, or was left by a writer"


@rule("no-links-in-the-folder", "Files are files, not symbolic links.")
def _no_links(folder: PublishedFolder) -> Iterator[str]:
    for name, path in folder.files.items():
        if path.is_symlink():
            yield f"{name} is a symbolic link"


@rule("no-empty-files", "No file is empty.")
def _no_empty(folder: PublishedFolder) -> Iterator[str]:
    for name, path in folder.files.items():
        if path.is_file() and path.stat().st_size == 0 and not _is_hidden(name):
            yield f"{name} is empty"


@rule("paths-are-plain", "Paths hold letters, digits and ._- only, and are not too long.")
def _paths(folder: PublishedFolder) -> Iterator[str]:
    for name in folder.files:
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", name):
            yield f"{name!r} holds other characters"
        elif len(name) > folder.limits.n_path_chars:
            yield f"{name[:40]}… has {len(name)} characters"


@rule("paths-differ-in-more-than-case", "No two paths differ only in capitals.")
def _case(folder: PublishedFolder) -> Iterator[str]:
    for name, n in Counter(name.lower() for name in folder.files).items():
        if n > 1:
            yield f"{n} paths are {name} but for capitals"


@rule("files-are-below-the-limit", "No file is larger than the Hub recommends.")
def _file_size(folder: PublishedFolder) -> Iterator[str]:
    for name, path in folder.files.items():
        if path.is_file() and path.stat().st_size > folder.limits.file_bytes:
            yield f"{name} has {path.stat().st_size} bytes, more than {folder.limits.file_bytes}"


@rule("figures-are-small-pngs", "Figures are PNGs that plain git can hold.")
def _figures(folder: PublishedFolder) -> Iterator[str]:
    for name, path in folder.files.items():
        if not name.startswith("figures/") or not path.is_file():
            continue
        with open(path, "rb") as handle:
            start = handle.read(len(_PNG))
        if start and start != _PNG:
            yield f"{name} is no PNG"
        elif path.stat().st_size > folder.limits.plain_git_bytes:
            yield f"{name} has {path.stat().st_size} bytes"


@rule("folders-are-below-the-limit", "No folder has more entries than the Hub recommends.")
def _entries(folder: PublishedFolder) -> Iterator[str]:
    for place, n in Counter(name.rpartition("/")[0] for name in folder.files).items():
        if n > folder.limits.n_entries:
            yield f"{place or 'the folder'} has {n} entries, more than {folder.limits.n_entries}"


@rule("repository-is-below-the-limit", "There are not more files than the Hub recommends.")
def _n_files(folder: PublishedFolder) -> Iterator[str]:
    if len(folder.files) > folder.limits.n_files:
        yield f"{len(folder.files)} files, more than {folder.limits.n_files}"


@rule("shards-have-names", "Parquet files are called <split>-00000-of-00001.parquet (C1).")
def _shard_names(folder: PublishedFolder) -> Iterator[str]:
    for name in folder.files:
        if name.endswith(".parquet") and not _SHARD.fullmatch(name) and not _is_hidden(name):
            yield f"{name} is not named like a shard"


@rule("shards-are-complete", "Of each table all shards are there, of one total.")
def _complete(folder: PublishedFolder) -> Iterator[str]:
    found: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for name in folder.files:
        if match := _SHARD.fullmatch(name):
            found[match[1]].add((int(match[2]), int(match[3])))
    for table, shards in found.items():
        total = max(n for _, n in shards)
        if shards != {(i, total) for i in range(total)}:
            yield f"{table}: found {sorted(shards)}"


@rule("there-are-rows", "The folder data holds at least one split (C2).")
def _there_are_rows(folder: PublishedFolder) -> Iterator[str]:
    if not any(name.startswith("data/") for name in folder.files):
        yield "there is no data/*.parquet"


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
