"""Whether a release still is what it promises: its files, its links and what they lead to.

Belongs here: three levels of looking. *head*: every file is there and every link answers like the
file that it should be. *sample*: some linked files are read whole. *full*: all of them, all rows, and
every rule of the lint.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import requests
from requests.utils import get_environ_proxies

from adata_assets.errors import InputError
from adata_assets.hub.lint import Finding, PublishedFolder, find_rules, lint_folder
from adata_assets.hub.manifest import read_manifest
from adata_assets.hub.open_links import is_open_link
from adata_assets.matrix.safe import require_safe_h5ad

Level = Literal["head", "sample", "full"]
_KINDS = ("share_link", "adata_link")
_MAGIC = {"share_link": b"\x89HDF\r\n\x1a\n", "adata_link": b"PK"}
_FILE_RULES = ("manifest-names-every-file", "manifest-hashes-agree", "not-retracted")
_TIMEOUT_S = (10, 60)
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Link:
    """One different link of the rows.

    Attributes
    ----------
    kind
        ``share_link`` or ``adata_link``.
    ids
        The cells whose rows carry it.
    """

    kind: str
    url: str
    ids: pa.Array


def verify_folder(
    path: Path, *, level: Level = "head", n_sampled: int = 4, seed: int = 0
) -> tuple[list[Finding], int]:
    """Return everything that is not as promised, and the number of links looked at.

    Parameters
    ----------
    path
        A published folder.
    level
        How much is looked at; ``full`` downloads every linked file.
    n_sampled
        Links that are read whole at the level ``sample``.
    seed
        Of the sample.

    Raises
    ------
    InputError
        If the folder has no manifest.
    """
    manifest, folder = read_manifest(path), PublishedFolder(path)
    links = _list_links(folder)
    whole = set(range(len(links))) if level == "full" else set()
    if level == "sample":
        drawn = np.random.default_rng(seed).permutation(len(links))[:n_sampled]
        whole = set(drawn.tolist())
    findings = lint_folder(folder) if level == "full" else _look_at_files(folder)
    for number, link in enumerate(links):
        if "://" not in link.url:
            # A zarr folder of a local store.
            if not Path(link.url).is_dir():
                findings.append(Finding(f"{link.kind}-head", f"{link.url} is no folder"))
            continue
        look = _read_whole if number in whole else _look_at_start
        for text in look(link, manifest.get("shared_files", {})):
            findings.append(Finding(f"{link.kind}-{level if number in whole else 'head'}", text))
    return findings, len(links)


def _look_at_files(folder: PublishedFolder) -> list[Finding]:
    rules = find_rules()
    return [Finding(name, text) for name in _FILE_RULES for text in rules[name].find(folder)]


def _list_links(folder: PublishedFolder) -> list[Link]:
    rows = folder.all_rows("sample_idx", *_KINDS)
    found = []
    for kind in (kind for kind in _KINDS if kind in rows.column_names):
        for url in pc.unique(rows[kind]).drop_null().to_pylist():
            own = rows.filter(pc.equal(rows[kind], url))["sample_idx"]
            found.append(Link(kind, url, pc.unique(own)))
    return found


def _look_at_start(link: Link, shared: dict[str, Any]) -> Iterator[str]:
    try:
        with _get(link, {"Range": "bytes=0-7"}) as response:
            if response.status_code not in (200, 206):
                yield f"{_name(link)} answers {response.status_code}"
                return
            start = next(response.iter_content(8), b"")
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
    except requests.RequestException as error:
        yield f"{_name(link)} does not answer ({type(error).__name__})"
        return
    if not start.startswith(_MAGIC[link.kind]):
        yield f"{_name(link)} begins with {start!r}, which is no such file"
    told = shared.get(_name(link), {}).get("n_bytes")
    if told and total.isdigit() and int(total) != told:
        yield f"{_name(link)} has {total} bytes, the manifest states {told}"


def _read_whole(link: Link, shared: dict[str, Any]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        try:
            found = _download(link, path)
        except requests.RequestException as error:
            yield f"{_name(link)} does not answer ({type(error).__name__})"
            return
        told = {entry["sha256"] for entry in shared.values() if entry["kind"] == link.kind}
        expected = shared.get(_name(link), {}).get("sha256")
        if found != expected and (expected or found not in told):
            yield f"{_name(link)} has sha256 {found[:12]}…, which is not that of the manifest"
        elif link.kind == "share_link":
            yield from _compare_cells(link, path)


def _download(link: Link, path: Path) -> str:
    digest = hashlib.sha256()
    with _get(link, {}) as response, open(path, "wb") as handle:
        response.raise_for_status()
        for block in response.iter_content(_BLOCK_BYTES):
            digest.update(block)
            handle.write(block)
    return digest.hexdigest()


def _compare_cells(link: Link, path: Path) -> Iterator[str]:
    try:
        require_safe_h5ad(path)
        with h5py.File(path, "r") as file:
            obs = file["obs"]
            index = obs[obs.attrs["_index"]].asstr()[:]
    except (OSError, KeyError, InputError) as error:
        yield f"{_name(link)} cannot be read: {error}"
        return
    ids = pa.array(list(index), type=pa.string())
    if len(pc.unique(ids)) != len(ids):
        yield f"{_name(link)}: an id occurs twice in its obs"
    if missing := len(link.ids.filter(pc.invert(pc.is_in(link.ids, value_set=ids)))):
        yield f"{_name(link)}: {missing} cells of the rows are not in it"
    if extra := len(ids.filter(pc.invert(pc.is_in(ids, value_set=link.ids)))):
        yield f"{_name(link)}: {extra} of its cells are in no row that links it"


@contextmanager
def _get(link: Link, headers: dict[str, str]) -> Iterator[requests.Response]:
    with requests.Session() as session:
        # As anybody may ask: otherwise requests logs in with an entry of .netrc.
        session.trust_env = False
        if is_open_link(link.url):
            session.proxies.update(get_environ_proxies(link.url))
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        asked = {"Accept-Encoding": "identity", **headers}
        with session.get(link.url, headers=asked, stream=True, timeout=_TIMEOUT_S) as response:
            yield response


def _name(link: Link) -> str:
    return unquote(urlsplit(link.url).path).rpartition("/")[2]
