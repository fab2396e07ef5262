"""The push to the Hugging Face Hub: one commit that holds everything, read back, then tagged.

Belongs here: what may leave the machine, and in which order a release is made. What is said to the
Hub is in ``hub_repository``; what is pushed was written by ``splits``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from adata_assets.artefact import Artefact
from adata_assets.commit import sha256_of
from adata_assets.errors import InputError
from adata_assets.hub.arrived import require_arrived
from adata_assets.hub.hub_repository import (
    Holding,
    HubRepository,
    Part,
    PassingError,
    told_by_hub,
)
from adata_assets.hub.manifest import MANIFEST, read_manifest
from adata_assets.hub.open_links import require_open_links
from adata_assets.hub_access import is_repo_id, require_token

Result = TypeVar("Result")
# Together under two minutes: longer troubles are for whoever started the release.
WAITS_S = (1.0, 5.0, 20.0, 60.0)
RECORD = "release.json"
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
    waits_s: Sequence[float] = WAITS_S,
) -> Release:
    """Publish a folder as one commit, download it again, compare rows and columns, and tag it.

    Everything is uploaded first; then one commit adds all files and deletes those of the previous
    release that are no longer part. Content that is there already is not committed again, so that
    what failed on the way is simply tried once more: each try looks at the repository first.

    Parameters
    ----------
    files
        sha256 (hex) of each file to publish, by its path in ``folder``; ``README.md`` and
        ``manifest.json`` among them. The manifest names the files of the release.
    repo_id
        ``owner/name``; created if it does not exist.
    dataset_id
        Whose release it is; a repository holds the releases of one dataset.
    tag
        Names this content, e.g. ``v-<16 hex of the data version>``.
    waits_s
        How long to wait before each further try in seconds, or longer if the Hub asks for it.

    Raises
    ------
    InputError
        Before anything is uploaded: no token in ``HF_TOKEN``, a malformed ``repo_id``, bytes that
        are not those of ``files``, links that others cannot open, a public repository for private
        content, files that no release of this dataset made, content that was retracted. Also if
        the Hub refuses the token.
    PublishError
        If the Hub fails each time, or other bytes come back.
    """
    _require_bytes(folder, files)
    require_open_links([folder / name for name in sorted(files) if name.endswith(".parquet")])
    hub = HubRepository(require_repo_id(repo_id), require_token())
    parts = {name: Part(folder / name, files[name]) for name in sorted(files)}
    push = _Push(hub, parts, read_manifest(folder), dataset_id, private, message, tag)
    commit, downloaded = persist(repo_id, push.attempt, waits_s)
    return Release(commit, hub.url(commit), tag, len(files), downloaded)


def persist(repo_id: str, attempt: Callable[[], Result], waits_s: Sequence[float]) -> Result:
    """Return what an attempt returns; what may pass is tried again, with a wait before it."""
    for wait_s in waits_s:
        try:
            with told_by_hub(repo_id):
                return attempt()
        except PassingError as error:
            time.sleep(max(wait_s, error.wait_s))
    with told_by_hub(repo_id):
        return attempt()


@dataclass(frozen=True)
class _Push:
    """One release; every attempt begins with what the repository holds at that moment."""

    hub: HubRepository
    parts: Mapping[str, Part]
    manifest: Mapping[str, Any]
    dataset_id: str
    private: bool
    message: str
    tag: str | None

    def attempt(self) -> tuple[str, dict[str, str]]:
        head = self.hub.open(private=self.private)
        tree = self.hub.tree(head)
        holding = self.hub.require_own(head, tree, self.dataset_id)
        self._require_not_retracted(holding)
        obsolete = holding.files - set(self.parts)
        same = all(part.is_stored_as(tree.get(name)) for name, part in self.parts.items())
        if not same or obsolete:
            head = self.hub.commit(self.parts, obsolete, head, self.message)
        downloaded = require_arrived(self.hub, self.parts, self.manifest["tables"], head)
        if self.tag is not None:
            self.hub.tag(self.tag, self.parts, head)
        return head, downloaded

    def _require_not_retracted(self, holding: Holding) -> None:
        own = self.parts[MANIFEST].sha256
        for entry in holding.retracted:
            if entry["manifest_sha256"] == own:
                raise InputError(
                    f"this release of {self.dataset_id} was retracted ({entry['reason']!r}): "
                    "mend the dataset first; the same content is not published again"
                )


def write_release(release: Release, folder: Path) -> None:
    """Write what was released as ``release.json``, which `find_release_breaches` reads."""
    text = json.dumps(asdict(release), indent=1, sort_keys=True)
    (folder / RECORD).write_text(text, encoding="utf-8")


def find_release_breaches(release: Artefact, published: Artefact) -> tuple[list[str], int]:
    """Compare what was downloaded from the Hub with the rows and the card as they are stored.

    Returns
    -------
    Every breach, and the number of files compared.
    """
    told = json.loads(release.local(RECORD).read_text(encoding="utf-8"))
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
    if missing := sorted({CARD, MANIFEST} - set(files)):
        raise InputError(
            f"{folder}: {missing[0]} is not among the files to publish: {sorted(files)}"
        )
    for name, sha256 in files.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != sha256:
            raise InputError(
                f"{folder / name} is missing or not what was stored (sha256 {sha256[:12]}…): "
                "materialize hf_splits again"
            )


def require_repo_id(repo_id: str) -> str:
    """Return an id that has an owner and a name."""
    if not is_repo_id(repo_id):
        raise InputError(f"publish.repo_id is {repo_id!r}: give owner/name of the repository")
    return repo_id
