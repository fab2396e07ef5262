"""The push to the Hugging Face Hub: one commit that holds everything, read back, then tagged.

Belongs here: what may leave the machine, and in which order a release is made. What is said to the
Hub is in ``hub_repository``; what is pushed was written by ``splits``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from adata_assets.artefact import Artefact
from adata_assets.commit import sha256_of
from adata_assets.errors import InputError
from adata_assets.hub.hub_repository import (
    MADE_BY,
    RELEASE_FILE,
    HubRepository,
    Part,
    told_by_hub,
)
from adata_assets.hub.open_links import require_open_links
from adata_assets.hub_access import is_repo_id, require_token

CARD = "README.md"


@dataclass(frozen=True)
class Release:
    """What stands on the Hub, read back.

    Attributes
    ----------
    commit
        Id of the commit that holds the release, 40 hex digits.
    url
        Page of the repository at that commit.
    tag
        Name of the release; None for one without.
    n_files
        Number of data files and the card.
    downloaded
        sha256 (hex) of each of them, as it was downloaded again at ``commit``.
    """

    commit: str
    url: str
    tag: str | None
    n_files: int
    downloaded: Mapping[str, str]


def publish_folder(
    folder: Path,
    files: Mapping[str, str],
    *,
    repo_id: str,
    dataset_id: str,
    private: bool = True,
    message: str,
    tag: str | None = None,
) -> Release:
    """Publish a folder as one commit, download it again, and tag it.

    Everything is uploaded first; then one commit adds the card and all data files and deletes those
    of the previous release that are no longer part. Content that is there already is not committed
    again. ``release.json`` in the repository names the files of the release.

    Parameters
    ----------
    files
        sha256 (hex) of each file to publish, by its path in ``folder``; ``README.md`` among them.
    repo_id
        ``owner/name``; created if it does not exist.
    dataset_id
        Whose release it is; a repository holds the releases of one dataset.
    tag
        Names this content, e.g. ``v-<16 hex of the data version>``.

    Raises
    ------
    InputError
        Before anything is uploaded: no token in ``HF_TOKEN``, a malformed ``repo_id``, bytes that
        are not those of ``files``, links that others cannot open, a public repository for private
        content, files that no release of this dataset made. Also if the Hub refuses the token.
    PublishError
        If somebody else committed meanwhile, the Hub fails, or other bytes come back.
    """
    _require_bytes(folder, files)
    require_open_links([folder / name for name in sorted(files) if name.endswith(".parquet")])
    hub = HubRepository(_require_repo_id(repo_id), require_token())
    parts = _list_parts(folder, files, dataset_id)
    with told_by_hub(repo_id):
        head = hub.open(private=private)
        tree = hub.tree(head)
        obsolete = hub.require_own(head, tree, dataset_id) - set(parts)
        same = all(part.is_stored_as(tree.get(name)) for name, part in parts.items())
        commit = head if same and not obsolete else hub.commit(parts, obsolete, head, message)
        downloaded = hub.require_arrived(parts, commit)
        if tag is not None:
            hub.tag(tag, parts, commit)
    return Release(
        commit, hub.url(commit), tag, len(files), {name: downloaded[name] for name in files}
    )


def write_release(release: Release, folder: Path) -> None:
    """Write what was released as ``release.json``, which `find_release_breaches` reads."""
    text = json.dumps(asdict(release), indent=1, sort_keys=True)
    (folder / RELEASE_FILE).write_text(text, encoding="utf-8")


def find_release_breaches(release: Artefact, published: Artefact) -> tuple[list[str], int]:
    """Compare what was downloaded from the Hub with the rows and the card as they are stored.

    Returns
    -------
    Every breach, and the number of files compared.
    """
    told = json.loads(release.local(RELEASE_FILE).read_text(encoding="utf-8"))
    if release.inputs[published.name] != published.data_version:
        return [f"{published.name} changed since: materialize {release.name} again"], 0
    found = told["downloaded"]
    pushed = {name: entry["sha256"] for name, entry in published.files.items()}
    return [
        f"{name}: pushed {pushed.get(name, 'nothing')[:12]}, "
        f"downloaded {found.get(name, 'nothing')[:12]} at {told['commit']}"
        for name in sorted(pushed | found)
        if pushed.get(name) != found.get(name)
    ], len(pushed)


def _require_bytes(folder: Path, files: Mapping[str, str]) -> None:
    if CARD not in files:
        raise InputError(f"{folder}: {CARD} is not among the files to publish: {sorted(files)}")
    for name, sha256 in files.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            raise InputError(
                f"{folder / name} is missing or not what was stored (sha256 {sha256[:12]}…): "
                "materialize hf_splits again"
            )


def _require_repo_id(repo_id: str) -> str:
    if not is_repo_id(repo_id):
        raise InputError(f"publish.repo_id is {repo_id!r}: give owner/name of the repository")
    return repo_id


def _list_parts(folder: Path, files: Mapping[str, str], dataset_id: str) -> dict[str, Part]:
    told = {"made_by": MADE_BY, "dataset_id": dataset_id, "files": dict(files)}
    text = json.dumps(told, indent=1, sort_keys=True).encode()
    parts = {name: Part(folder / name, files[name]) for name in sorted(files)}
    return {**parts, RELEASE_FILE: Part(text, hashlib.sha256(text).hexdigest())}
