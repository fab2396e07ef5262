"""Rules for links: what rows lead to, without asking whether it answers (C10, C11, S12, S13)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from adata_assets.hub.lint.folder import PublishedFolder
from adata_assets.hub.lint.registry import rule
from adata_assets.hub.open_links import is_open_link

KINDS = ("share_link", "adata_link")
_SIGNED = re.compile(r"(?i)(x-amz-|x-goog-)?(signature|credential|token|security-token|secret|key)")
_NAME = re.compile(r"(?P<chunk>.+)-(?P<hash>[0-9a-f]{16})\.(?:h5ad|zarr\.zip)")


@rule("links-are-addresses", "Links are http(s) addresses, or folders of a local store.")
def _addresses(folder: PublishedFolder) -> Iterator[str]:
    for kind, link in _links(folder):
        is_folder = kind == "adata_link" and link.endswith(".zarr") and "://" not in link
        if urlsplit(link).scheme not in ("http", "https") and not is_folder:
            yield f"{kind} {link[:80]!r} is no address"


@rule(
    "links-can-be-opened-by-others", "Links of a dataset for the Hub lead to other machines (P16)."
)
def _open(folder: PublishedFolder) -> Iterator[str]:
    if not folder.manifest.get("repo_id"):
        return
    for kind, link in _links(folder):
        if urlsplit(link).scheme in ("http", "https") and not is_open_link(link):
            yield f"{kind} {link[:80]} can be opened on one machine only"


@rule(
    "links-hold-no-login",
    "No link holds a user, a password, a token, or a signature that does not end (S16, P17).",
)
def _no_login(folder: PublishedFolder) -> Iterator[str]:
    for kind, link in _links(folder):
        parts = urlsplit(link)
        named = [key for key, _ in parse_qsl(parts.query)]
        # A presigned address is its signature; it opens one file, until its end.
        ends = {key.lower() for key in named} & {"x-amz-expires", "x-goog-expires"}
        own = tuple(end.removesuffix("expires") for end in ends)
        keys = [k for k in named if _SIGNED.fullmatch(k) and not k.lower().startswith(own or "\0")]
        if parts.username or parts.password or keys:
            yield f"{kind} of {parts.hostname} holds a login or {keys}"


@rule("links-are-short", "Links are short enough for every client.")
def _short(folder: PublishedFolder) -> Iterator[str]:
    for kind, link in _links(folder):
        if len(link) > folder.limits.n_url_chars:
            yield f"{kind} {link[:60]}… has {len(link)} characters"


@rule("the-two-links-differ", "share_link and adata_link lead to different files (C10).")
def _differ(folder: PublishedFolder) -> Iterator[str]:
    for share, adata in _pairs_of_links(folder):
        if share == adata:
            yield f"{share[:80]} is both share_link and adata_link"


@rule("links-go-in-pairs", "Each share_link stands with one adata_link, and the other way round.")
def _in_pairs(folder: PublishedFolder) -> Iterator[str]:
    pairs = {pair for pair in _pairs_of_links(folder) if pair[0] != pair[1]}
    for place, kind in enumerate(KINDS):
        for link, n in Counter(pair[place] for pair in pairs).items():
            if n > 1:
                yield f"{kind} {link[:80]} stands with {n} different links"


@rule("a-file-has-cells-of-one-split", "No linked file has cells of two splits (S12).")
def _one_split(folder: PublishedFolder) -> Iterator[str]:
    splits: dict[str, set[str]] = defaultdict(set)
    for split, table in folder.splits.items():
        rows = folder.rows(table, KINDS[0])
        for link in rows[KINDS[0]].unique().to_pylist() if rows.num_columns else ():
            splits[link].add(split)
    for link, found in splits.items():
        if len(found) > 1:
            yield f"{str(link)[:80]} is linked from {sorted(found)}"


@rule(
    "links-name-known-files", "A link that ends in a file's name names one of the manifest (C11)."
)
def _known(folder: PublishedFolder) -> Iterator[str]:
    shared = folder.manifest.get("shared_files")
    for kind, link in _links(folder):
        name = unquote(urlsplit(link).path).rpartition("/")[2]
        if shared and _NAME.fullmatch(name) and name not in shared:
            yield f"{kind} leads to {name}, which the manifest does not name"


@rule("linked-files-have-their-kind", "share_link leads to h5ad files, adata_link to zarr (C10).")
def _kinds(folder: PublishedFolder) -> Iterator[str]:
    shared = folder.manifest.get("shared_files", {})
    for kind, link in _links(folder):
        name = unquote(urlsplit(link).path).rpartition("/")[2]
        if name in shared and shared[name]["kind"] != kind:
            yield f"{name} is the manifest's {shared[name]['kind']} but stands in {kind}"


@rule("all-shared-files-are-linked", "There are as many different links as shared files (S7).")
def _all_linked(folder: PublishedFolder) -> Iterator[str]:
    for kind in KINDS:
        shared = [n for n, e in _shared(folder).items() if e["kind"] == kind]
        n_links = len({link for found, link in _links(folder) if found == kind})
        if shared and n_links and n_links < len(shared):
            yield f"{len(shared)} files, but {n_links} different {kind}"


@rule("shared-names-hold-the-hash", "The name of a shared file holds its sha256's start (C11).")
def _hash_in_name(folder: PublishedFolder) -> Iterator[str]:
    for name, entry in _shared(folder).items():
        match = _NAME.fullmatch(name)
        if match is None or match["hash"] != entry["sha256"][:16]:
            yield f"{name} is not named after sha256 {entry['sha256'][:16]}"


@rule("shared-files-hold-all-cells", "Shared files hold as many cells as there are ids (S12).")
def _all_cells(folder: PublishedFolder) -> Iterator[str]:
    ids = folder.all_rows("sample_idx")
    n_cells = len(ids["sample_idx"].unique()) if ids.num_columns else 0
    for kind in KINDS:
        told = [e["n_obs"] for e in _shared(folder).values() if e["kind"] == kind]
        if told and n_cells and sum(told) != n_cells:
            yield f"{kind} files hold {sum(told)} cells, the rows {n_cells}"


def _shared(folder: PublishedFolder) -> dict[str, dict[str, Any]]:
    return dict(folder.manifest.get("shared_files", {}))


def _links(folder: PublishedFolder) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        rows = folder.all_rows(kind)
        if rows.num_columns:
            for link in rows[kind].unique().to_pylist():
                if link:
                    yield kind, link


def _pairs_of_links(folder: PublishedFolder) -> list[tuple[str, str]]:
    rows = folder.all_rows(*KINDS)
    if rows.num_columns < len(KINDS):
        return []
    pairs = rows.group_by(list(KINDS)).aggregate([]).to_pylist()
    return sorted((p[KINDS[0]], p[KINDS[1]]) for p in pairs if p[KINDS[0]] and p[KINDS[1]])
