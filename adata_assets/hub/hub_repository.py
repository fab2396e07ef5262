"""One dataset repository on the Hugging Face Hub: its files, one commit, a tag, words for errors.

Belongs here: everything that is said to the Hub and what it answers. What is published, and what
must hold before, is in ``publish``. The Hub's client is imported when it is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adata_assets.errors import InputError
from adata_assets.hub.manifest import MANIFEST, parse_manifest
from adata_assets.hub_access import TOKEN_VARIABLE, HubAnswer, hub_errors

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_MADE_BY_THE_HUB = {".gitattributes"}
_DATASET = "dataset"
_TIMEOUT_S = 60
_PASSING = {408, 429, 500, 502, 503, 504}
_MAX_WAIT_S = 300.0


class PublishError(RuntimeError):
    """The Hub did not take a release, or holds something else than was pushed."""


class PassingError(PublishError):
    """What may be gone at the next look: no answer, a full or failing Hub, a stale parent.

    Attributes
    ----------
    wait_s
        How long the Hub asks to be left alone; 0 if it does not say.
    """

    wait_s: float = 0.0


@dataclass(frozen=True)
class Part:
    """One file of the release: a path to read, or the bytes themselves."""

    source: Path | bytes
    sha256: str

    def is_stored_as(self, entry: RepoFile | None) -> bool:
        """Whether the repository holds these bytes already, without downloading them."""
        if entry is None:
            return False
        if entry.lfs is not None:
            return entry.lfs.sha256 == self.sha256
        content = self.source if isinstance(self.source, bytes) else self.source.read_bytes()
        # A file that is not in LFS is known by its git blob id only.
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == entry.blob_id


@dataclass(frozen=True)
class Holding:
    """What a repository holds of a dataset: the files of its release, and what was retracted."""

    files: set[str]
    retracted: tuple[Mapping[str, Any], ...]


class HubRepository:
    """One dataset repository on the Hub."""

    def __init__(self, repo_id: str, token: str | None) -> None:
        from huggingface_hub import HfApi

        self._repo_id = repo_id
        self._token = token
        self._api = HfApi(token=token)
        self._here: dict[str, Any] = {"repo_id": repo_id, "repo_type": _DATASET}

    def url(self, commit: str) -> str:
        """Return the page of the repository at a commit."""
        return f"{self._api.endpoint}/datasets/{self._repo_id}/tree/{commit}"

    def open(self, *, private: bool) -> str:
        """Return the newest commit of the repository, which is created if there is none."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = self._api.dataset_info(self._repo_id)
        except RepositoryNotFoundError:
            self._api.create_repo(**self._here, private=private, exist_ok=True)
            info = self._api.dataset_info(self._repo_id)
        if private and not info.private:
            raise InputError(
                f"{self._repo_id} is public but publish.private is true: make the repository "
                "private on the Hub, or set publish.private to false"
            )
        return str(info.sha)

    def find(self) -> str | None:
        """Return the newest commit, or None if there is no such repository."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return str(self._api.dataset_info(self._repo_id).sha)
        except RepositoryNotFoundError:
            return None

    def tree(self, revision: str) -> dict[str, RepoFile]:
        """Return the files at a revision by path, those that the Hub makes left out."""
        from huggingface_hub.hf_api import RepoFile

        entries = self._api.list_repo_tree(**self._here, revision=revision, recursive=True)
        files = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
        return {path: entry for path, entry in files.items() if path not in _MADE_BY_THE_HUB}

    def require_own(self, head: str, tree: Mapping[str, Any], dataset_id: str) -> Holding:
        """Return what the repository holds of the dataset; refuse one that holds anything else."""
        told = parse_manifest(self.read(MANIFEST, head)) if MANIFEST in tree else None
        known = {MANIFEST, *told["files"]} if told else set()
        if foreign := sorted(set(tree) - known):
            raise InputError(
                f"{self._repo_id} holds {len(foreign)} file(s) that no release of {dataset_id} "
                f"made, e.g. {foreign[0]}: move them away, or name another repository in "
                "publish.repo_id"
            )
        if told and told["dataset_id"] != dataset_id:
            raise InputError(
                f"{self._repo_id} holds the release of dataset {told['dataset_id']}, not of "
                f"{dataset_id}: name another repository in publish.repo_id"
            )
        return Holding(known & set(tree), tuple(told.get("retracted", ())) if told else ())

    def commit(self, parts: Mapping[str, Part], obsolete: set[str], head: str, message: str) -> str:
        """Upload everything, then make the one commit on top of ``head``; return its id."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        added = [CommitOperationAdd(name, part.source) for name, part in parts.items()]
        self._api.preupload_lfs_files(self._repo_id, added, repo_type=_DATASET, free_memory=False)
        deleted = [CommitOperationDelete(name, is_folder=False) for name in sorted(obsolete)]
        done = self._api.create_commit(
            **self._here,
            operations=[*added, *deleted],
            commit_message=message,
            parent_commit=head,
        )
        return str(done.oid)

    def tag(self, tag: str, parts: Mapping[str, Part], commit: str) -> None:
        """Tag a commit; a tag that is there already must stand for the same content."""
        self._api.create_tag(**self._here, tag=tag, revision=commit, exist_ok=True)
        tagged = self.tree(tag)
        if not all(part.is_stored_as(tagged.get(name)) for name, part in parts.items()):
            raise PublishError(
                f"{self._repo_id}: tag {tag} stands for other content than {commit}: delete the "
                "tag on the Hub and materialize hf_release again"
            )

    def read(self, name: str, commit: str) -> bytes:
        """Return a small file at a commit."""
        return b"".join(self._stream(name, commit))

    def download(self, name: str, commit: str, path: Path) -> str:
        """Write a file at a commit to a path; return its sha256 (hex)."""
        digest = hashlib.sha256()
        with open(path, "wb") as handle:
            for block in self._stream(name, commit):
                digest.update(block)
                handle.write(block)
        return digest.hexdigest()

    def _stream(self, name: str, commit: str) -> Iterator[bytes]:
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        # Not the client's download, which may answer from a cache on this machine.
        url = hf_hub_url(
            self._repo_id, name, repo_type=_DATASET, revision=commit, endpoint=self._api.endpoint
        )
        headers = build_hf_headers(token=self._token)
        with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT_S) as response:
            hf_raise_for_status(response)
            yield from response.iter_bytes()


@contextmanager
def told_by_hub(repo_id: str) -> Iterator[None]:
    """Say in words of this package what the Hub answered."""
    with hub_errors(lambda answer: _translate(answer, repo_id)):
        yield


def _translate(answer: HubAnswer, repo_id: str) -> InputError | PublishError:
    status, reason = answer.status, answer.reason
    if status is None:
        kind = PublishError if answer.is_offline else PassingError
        return kind(
            f"{repo_id}: the Hub cannot be reached ({reason}): check the network, HF_ENDPOINT and "
            "HF_HUB_OFFLINE, then materialize hf_release again"
        )
    if status == 401:
        return InputError(
            f"{repo_id}: the Hub does not accept the token in {TOKEN_VARIABLE} (401, {reason}): "
            "make a new one with write access"
        )
    if status == 403:
        return InputError(
            f"{repo_id}: the token in {TOKEN_VARIABLE} may not write there (403, {reason}): give "
            "it write access to the owner's repositories, or change publish.repo_id"
        )
    if status == 412:
        return PassingError(
            f"{repo_id}: somebody else committed while this release was uploaded (412): nothing "
            "was committed; materialize hf_release again"
        )
    told = (
        f"{repo_id}: the Hub answered {status} ({reason}): materialize hf_release again; what is "
        "there already is not committed twice"
    )
    if status not in _PASSING:
        return PublishError(told)
    passing = PassingError(told)
    passing.wait_s = _read_wait(answer.retry_after or "")
    return passing


def _read_wait(text: str) -> float:
    return min(float(text), _MAX_WAIT_S) if text.isdigit() else 0.0
