"""What the Hub of the tests holds and whom it knows; how it answers is in ``local_hub``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

WRITER, READER = "hf_thewriter0123456789", "hf_thereader0123456789"


@dataclass(frozen=True)
class Commit:
    """All files of one commit, by path."""

    oid: str
    title: str
    files: dict[str, bytes]

    def is_lfs(self, path: str) -> bool:
        """Whether .gitattributes says so."""
        lines = self.files.get(".gitattributes", b"").decode().splitlines()
        patterns = [line.split()[0] for line in lines if "filter=lfs" in line]
        return any(fnmatch(path, pattern) for pattern in patterns)


@dataclass
class Repo:
    """A dataset repository; the newest commit is the last."""

    private: bool
    gated: str | bool = False
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, title: str, files: dict[str, bytes]) -> Commit:
        """Commit these files as the whole tree."""
        text = f"{len(self.commits)} {title} {sorted(files)}"
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), title, files)
        self.commits.append(commit)
        return commit

    def at(self, revision: str) -> Commit:
        """Return a commit by branch, tag or id."""
        oid = self.commits[-1].oid if revision == "main" else self.tags.get(revision, revision)
        for commit in self.commits:
            if commit.oid == oid:
                return commit
        raise refuse(404, "RevisionNotFound")


@dataclass
class LocalHub:
    """What the server holds and how it misbehaves.

    Attributes
    ----------
    uploads
        LFS objects by sha256.
    before_commit
        Called with the repository before a commit is looked at.
    damaged
        Paths whose downloads have one more byte.
    log
        Method and path of every request.
    cdn
        What redirects have led to, by sha256.
    """

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    before_commit: Callable[[Repo], Any] | None = None
    damaged: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    cdn: dict[str, bytes] = field(default_factory=dict)

    def forget(self) -> None:
        """Hold nothing and behave well again."""
        for held in (self.repos, self.uploads, self.damaged, self.log, self.cdn):
            held.clear()
        self.before_commit = None

    def create(self, repo_id: str, *, private: bool = True) -> Repo:
        """Make a repository with the first commit that the Hub makes itself."""
        repo = self.repos[repo_id] = Repo(private)
        repo.add("initial commit", {".gitattributes": b"*.parquet filter=lfs\n"})
        return repo

    def find(self, request: Request, *, write: bool = False) -> Repo:
        """Return the repository of a request that may see (or write) it."""
        token = self.require_token(request, write=write)
        repo = self.repos.get("{owner}/{name}".format(**request.path_params))
        if repo is None or (repo.private and token is None):
            raise refuse(404 if token else 401, "RepoNotFound")
        return repo

    def require_token(self, request: Request, *, write: bool = False) -> str | None:
        """Return the token, refused if it is unknown or may not write."""
        self.log.append(f"{request.method} {request.url.path}")
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        if token not in (None, WRITER, READER):
            raise refuse(401, message="Invalid credentials in Authorization header")
        if write and token != WRITER:
            raise refuse(403 if token else 401, message="you lack write access")
        return token


def refuse(status: int, code: str = "", message: str = "") -> HTTPException:
    """Return the answer that the Hub gives in such a case, to be raised."""
    headers = {"X-Error-Code": code} if code else {}
    return HTTPException(status, headers={**headers, "X-Error-Message": message or code})
