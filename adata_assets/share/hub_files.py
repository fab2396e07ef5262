"""The shared files of one dataset in a public repository of their own on the Hugging Face Hub.

Belongs here: what is said to the Hub about them, one try at a time, and what its answers mean.
Does not belong here: links and what they promise (``hf``). The Hub's client is imported when it is
needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from adata_assets.hub_access import TOKEN_VARIABLE, HubAnswer, hub_errors, require_token
from adata_assets.share.base.retry import TRANSIENT_STATUSES, read_retry_after
from adata_assets.share.contract import SUFFIXES, ShareError, TransientError, states_bytes

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import DatasetInfo, RepoFile

FOLDER = "chunks"
# Names the dataset whose files a repository holds.
OWNER_FILE = "adata_assets.json"
_CARD = "README.md"
_GIT_ATTRIBUTES = ".gitattributes"
_DATASET = "dataset"
# Each lost turn is a commit of another run, so that a few dozen runs at once all get theirs.
_N_TURNS = 50
_TIMEOUT_S = 60
_T = TypeVar("_T")


class _OvertakenError(ShareError):
    """Somebody else committed since the repository was looked at."""


@dataclass(frozen=True)
class HubFiles:
    """Files below ``chunks/`` of one repository; each call is one try.

    Attributes
    ----------
    repo_id
        ``owner/name``.
    endpoint
        Address of the Hub, without a slash at its end.
    dataset_id
        Whose files they are; a repository holds those of one dataset.
    """

    repo_id: str
    endpoint: str
    dataset_id: str

    def url(self, name: str) -> str:
        """Return the public address of a file."""
        return f"{self.endpoint}/datasets/{self.repo_id}/resolve/main/{FOLDER}/{name}"

    def holds(self, name: str, sha256: str) -> bool:
        """Whether the newest commit has the file, in LFS, with these bytes."""
        return self._has(name, sha256, "main", False)

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names of whole files, and of those whose bytes are not what the name states."""
        from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
        from huggingface_hub.hf_api import RepoFile

        def ask() -> list[RepoFile]:
            try:
                found = list(self._api(False).list_repo_tree(**self._here, path_in_repo=FOLDER))
            except (RepositoryNotFoundError, EntryNotFoundError):
                return []
            return [entry for entry in found if isinstance(entry, RepoFile)]

        sha256_of = {
            entry.path.removeprefix(f"{FOLDER}/"): entry.lfs.sha256 if entry.lfs else ""
            for entry in self._ask(ask)
        }
        whole = {name for name, sha256 in sha256_of.items() if states_bytes(name, sha256)}
        return sorted(whole), sorted(set(sha256_of) - whole)

    def add(self, file: Path, name: str, sha256: str) -> None:
        """Commit the file unless it is there; nothing is sent that the Hub has already.

        Raises
        ------
        InputError
            If there is no token.
        TransientError
            If another try can help; it goes on with what has arrived.
        ShareError
            If others could not read the file, the repository is not this dataset's, or the Hub
            refuses.
        """
        self._in_turn(lambda: self._add(file, name, sha256, require_token()))

    def remove(self, name: str) -> None:
        """Commit that the file is gone; nothing happens if there is none.

        Raises
        ------
        InputError, TransientError, ShareError
            As `add`.
        """
        self._in_turn(lambda: self._remove(name))

    def _add(self, file: Path, name: str, sha256: str, token: str) -> None:
        from huggingface_hub import CommitOperationAdd

        head = self._open(token)
        if self._has(name, sha256, head, token):
            return
        added = CommitOperationAdd(f"{FOLDER}/{name}", file)
        # Known already: otherwise the client reads the whole file for it, in every try.
        added.upload_info.sha256 = bytes.fromhex(sha256)
        api = self._api(token)
        self._ask(lambda: api.preupload_lfs_files(self.repo_id, [added], repo_type=_DATASET))
        self._commit(token, [added], head, f"Add {name}")
        if not self._has(name, sha256, "main", token):
            raise TransientError(self._tell(f"after its commit {name} is not there in LFS"))

    def _remove(self, name: str) -> None:
        from huggingface_hub import CommitOperationDelete

        token, path = require_token(), f"{FOLDER}/{name}"
        if self._find(token) is None:
            return
        head = self._open(token)
        if self._look([path], head, token):
            gone = CommitOperationDelete(path, is_folder=False)
            self._commit(token, [gone], head, f"Remove {name}")

    def _in_turn(self, change: Callable[[], None]) -> None:
        for _ in range(_N_TURNS):
            try:
                return change()
            except _OvertakenError as error:
                overtaken = error
        raise TransientError(f"{overtaken} ({_N_TURNS} times in a row)") from overtaken

    def _open(self, token: str) -> str:
        """Return the newest commit of the repository, made and marked as this dataset's."""
        info = self._find(token) or self._make(token)
        self._require_public(info)
        head, marks = str(info.sha), self._marks()
        found = self._look([OWNER_FILE], head, token).get(OWNER_FILE)
        if found is None:
            self._require_unused(head, token)
            return self._commit(token, _additions(marks), head, f"Hold files of {self.dataset_id}")
        if found.blob_id != _blob_id(marks[OWNER_FILE]):
            raise ShareError(
                self._tell(f"it holds the files of another dataset ({OWNER_FILE} in it says whose)")
                + "; name another one in share.repo_id"
            )
        return head

    def _make(self, token: str) -> DatasetInfo:
        api = self._api(token)
        self._ask(lambda: api.create_repo(**self._here, private=False, exist_ok=True))
        if (info := self._find(token)) is None:
            raise TransientError(self._tell("the repository was made and does not show yet"))
        return info

    def _require_public(self, info: DatasetInfo) -> None:
        if info.private or info.gated:
            found = "private" if info.private else f"gated ({info.gated})"
            raise ShareError(
                self._tell(f"the repository is {found}, so that nobody else could open the links")
                + "; make it public and open on the Hub, or name another one in share.repo_id"
            )

    def _require_unused(self, head: str, token: str) -> None:
        from huggingface_hub.hf_api import RepoFile

        api = self._api(token)
        entries = self._ask(lambda: list(api.list_repo_tree(**self._here, revision=head)))
        made_by_hub = {_CARD, _GIT_ATTRIBUTES}
        foreign = [
            e.path for e in entries if not isinstance(e, RepoFile) or e.path not in made_by_hub
        ]
        if foreign:
            raise ShareError(
                self._tell(f"it holds {len(foreign)} other file(s), e.g. {min(foreign)}")
                + "; chunk files need a repository of their own, name one in share.repo_id"
            )

    def _marks(self) -> Mapping[str, bytes]:
        owner = {"made_by": "adata_assets", "dataset_id": self.dataset_id}
        card = (
            f"---\nviewer: false\n---\nFiles of the dataset {self.dataset_id}; its rows hold the links "
            "to them. Files are added and never changed.\n"
        )
        # The Hub asks this file which uploads are large ones; its own list knows no h5ad.
        lfs = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in SUFFIXES)
        return {
            OWNER_FILE: json.dumps(owner, indent=1).encode(),
            _CARD: card.encode(),
            _GIT_ATTRIBUTES: lfs.encode(),
        }

    def _has(self, name: str, sha256: str, revision: str, token: str | bool) -> bool:
        path = f"{FOLDER}/{name}"
        entry = self._look([path], revision, token).get(path)
        return entry is not None and entry.lfs is not None and entry.lfs.sha256 == sha256

    def _look(self, paths: Sequence[str], revision: str, token: str | bool) -> dict[str, RepoFile]:
        from huggingface_hub.errors import RepositoryNotFoundError
        from huggingface_hub.hf_api import RepoFile

        api = self._api(token)

        def ask() -> list[Any]:
            try:
                return list(api.get_paths_info(**self._here, paths=list(paths), revision=revision))
            except RepositoryNotFoundError:
                return []

        return {entry.path: entry for entry in self._ask(ask) if isinstance(entry, RepoFile)}

    def _find(self, token: str | bool) -> DatasetInfo | None:
        from huggingface_hub.errors import RepositoryNotFoundError

        api = self._api(token)

        def ask() -> DatasetInfo | None:
            try:
                return api.dataset_info(
                    self.repo_id, expand=["sha", "private", "gated"], timeout=_TIMEOUT_S
                )
            except RepositoryNotFoundError:
                return None

        return self._ask(ask)

    def _commit(self, token: str, operations: list[Any], head: str, message: str) -> str:
        api = self._api(token)

        def ask() -> str:
            done = api.create_commit(
                **self._here, operations=operations, commit_message=message, parent_commit=head
            )
            return str(done.oid)

        return self._ask(ask)

    @property
    def _here(self) -> dict[str, Any]:
        return {"repo_id": self.repo_id, "repo_type": _DATASET}

    def _api(self, token: str | bool) -> HfApi:
        from huggingface_hub import HfApi

        # Never the login that the client finds on this machine: only the environment's.
        return HfApi(endpoint=self.endpoint, token=token)

    def _ask(self, ask: Callable[[], _T]) -> _T:
        # What the client raises over an answer that was spoilt; a name unbound over an unknown id.
        unreadable = (ValueError, KeyError, TypeError, RuntimeError, UnboundLocalError)
        try:
            with hub_errors(self._translate):
                return ask()
        except ShareError:
            raise
        except unreadable as error:
            kind = type(error.__cause__ or error).__name__
            raise TransientError(self._tell(f"an answer cannot be read ({kind})")) from None

    def _translate(self, answer: HubAnswer) -> ShareError:
        if answer.status == 412:
            return _OvertakenError(self._tell("somebody else committed at the same time (412)"))
        if answer.is_offline:
            return ShareError(self._tell("the Hub is not asked: unset HF_HUB_OFFLINE"))
        if answer.status is None:
            return TransientError(self._tell(f"no complete answer ({answer.reason})"))
        found = f"the Hub answered {answer.status} ({answer.reason})"
        if answer.status in TRANSIENT_STATUSES:
            wait_s = read_retry_after(answer.retry_after)
            return TransientError(self._tell(found), retry_after_s=wait_s)
        if answer.status in (401, 403):
            found += f": the token in {TOKEN_VARIABLE} needs write access to it"
        return ShareError(self._tell(found))

    def _tell(self, found: str) -> str:
        return f"dataset repository {self.repo_id} at {self.endpoint} (share store 'hf'): {found}"


def _additions(contents: Mapping[str, bytes]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd

    return [CommitOperationAdd(path, content) for path, content in contents.items()]


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
