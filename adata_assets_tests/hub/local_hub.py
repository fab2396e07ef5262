"""A Hub for tests: the endpoints that a push and a load use, in memory, on a free loopback port."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adata_assets_tests.conftest import free_port

WRITER, READER = "hf_thewriter0123456789", "hf_thereader0123456789"
_API = "/api/datasets/{owner}/{name}"


@dataclass(frozen=True)
class Commit:
    """All files of one commit, by path."""

    oid: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repo:
    """A dataset repository; the newest commit is the last."""

    private: bool
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
        raise _refuse(404, "RevisionNotFound")


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
    """

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    before_commit: Callable[[Repo], Any] | None = None
    damaged: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

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
            raise _refuse(404 if token else 401, "RepoNotFound")
        return repo

    def require_token(self, request: Request, *, write: bool = False) -> str | None:
        """Return the token, refused if it is unknown or may not write."""
        self.log.append(f"{request.method} {request.url.path}")
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        if token not in (None, WRITER, READER):
            raise _refuse(401, message="Invalid credentials in Authorization header")
        if write and token != WRITER:
            raise _refuse(403 if token else 401, message="you lack write access")
        return token


def _refuse(status: int, code: str = "", message: str = "") -> HTTPException:
    headers = {"X-Error-Code": code} if code else {}
    return HTTPException(status, headers={**headers, "X-Error-Message": message or code})


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"error": (error.headers or {}).get("X-Error-Message", "")}
    return JSONResponse(body, error.status_code, error.headers)


def _list_paths(files: dict[str, bytes]) -> list[str]:
    folders = {path.rpartition("/")[0] for path in files} - {""}
    return sorted(folders | set(files))


def _describe(path: str, content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"type": "file", "path": path, "size": len(content), "oid": oid}
    if path.endswith(".parquet"):
        # The git blob of such a file is a pointer: its id says nothing about the content.
        sha256 = hashlib.sha256(content).hexdigest()
        entry["oid"] = hashlib.sha1(sha256.encode()).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return entry


async def _create(hub: LocalHub, request: Request) -> Response:
    hub.require_token(request, write=True)
    asked = await request.json()
    repo_id = f"{asked['organization']}/{asked['name']}"
    if repo_id in hub.repos:
        raise _refuse(409, message="You already created this dataset repo")
    hub.create(repo_id, private=asked.get("visibility") == "private")
    return JSONResponse({"url": f"{hub.url}/datasets/{repo_id}"})


async def _info(hub: LocalHub, request: Request) -> Response:
    repo = hub.find(request)
    commit = repo.at(request.path_params.get("revision", "main"))
    files = [{"rfilename": path} for path in commit.files]
    repo_id = "{owner}/{name}".format(**request.path_params)
    about = {"id": repo_id, "sha": commit.oid, "private": repo.private, "siblings": files}
    return JSONResponse(about)


async def _preupload(hub: LocalHub, request: Request) -> Response:
    commit = hub.find(request, write=True).at(request.path_params["revision"])
    answers = []
    for file in (await request.json())["files"]:
        is_lfs = file["path"].endswith(".parquet")
        mode = {"uploadMode": "lfs" if is_lfs else "regular", "shouldIgnore": False}
        answers.append({"path": file["path"], **mode})
        if content := commit.files.get(file["path"]):
            entry = _describe(file["path"], content)
            answers[-1]["oid"] = entry["lfs"]["oid"] if is_lfs else entry["oid"]
    return JSONResponse({"files": answers})


async def _batch(hub: LocalHub, request: Request) -> Response:
    hub.require_token(request, write=True)
    objects = (await request.json())["objects"]
    for wanted in [wanted for wanted in objects if wanted["oid"] not in hub.uploads]:
        href = f"{hub.url}/lfs/{wanted['oid']}?signature=secret"
        wanted["actions"] = {"upload": {"href": href}}
    return JSONResponse({"transfer": "basic", "objects": objects})


async def _upload(hub: LocalHub, request: Request) -> Response:
    content = await request.body()
    if hashlib.sha256(content).hexdigest() != request.path_params["oid"]:
        raise _refuse(400, message="other bytes than announced")
    hub.uploads[request.path_params["oid"]] = content
    return Response()


async def _accept(hub: LocalHub, request: Request) -> Response:
    return JSONResponse({"errors": [], "warnings": []})


async def _commit(hub: LocalHub, request: Request) -> Response:
    repo = hub.find(request, write=True)
    if hub.before_commit:
        hub.before_commit(repo)
    header, *changes = [json.loads(line) for line in (await request.body()).splitlines()]
    if header["value"].get("parentCommit", repo.commits[-1].oid) != repo.commits[-1].oid:
        raise _refuse(412, message="A commit has happened since")
    files = dict(repo.commits[-1].files)
    for change in changes:
        value = change["value"]
        if change["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif change["key"] == "lfsFile":
            files[value["path"]] = hub.uploads[value["oid"]]
        else:
            del files[value["path"]]
    done = repo.add(header["value"]["summary"], files)
    url = "{}/datasets/{owner}/{name}/commit/{}".format(hub.url, done.oid, **request.path_params)
    return JSONResponse({"commitUrl": url, "commitOid": done.oid, "success": True})


async def _tree(hub: LocalHub, request: Request) -> Response:
    files = hub.find(request).at(request.path_params["revision"]).files
    root = request.path_params.get("path", "")
    is_deep = request.query_params.get("recursive") in ("true", "True")
    found = [
        path
        for path in _list_paths(files)
        if path.startswith(f"{root}/" if root else "")
        and (is_deep or path.rpartition("/")[0] == root)
    ]
    if not found:
        raise _refuse(404, "EntryNotFound")
    return JSONResponse([_describe(path, files.get(path)) for path in found])


async def _resolve(hub: LocalHub, request: Request) -> Response:
    commit = hub.find(request).at(request.path_params["revision"])
    path = request.path_params["path"]
    if path not in commit.files:
        raise _refuse(404, "EntryNotFound")
    entry, content = _describe(path, commit.files[path]), commit.files[path]
    etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{etag}"'}
    return Response(content + b"!" * (path in hub.damaged), headers=headers)


async def _tag(hub: LocalHub, request: Request) -> Response:
    repo, name = hub.find(request, write=True), (await request.json())["tag"]
    if name in repo.tags:
        raise _refuse(409, message="Tag already exists")
    repo.tags[name] = repo.at(request.path_params["revision"]).oid
    return Response()


_ROUTES = [
    ("GET", _API, _info),
    ("GET", f"{_API}/revision/{{revision}}", _info),
    ("POST", "/api/repos/create", _create),
    ("POST", "/api/validate-yaml", _accept),
    ("POST", f"{_API}/preupload/{{revision}}", _preupload),
    ("POST", "/datasets/{owner}/{name}/info/lfs/objects/batch", _batch),
    ("PUT", "/lfs/{oid}", _upload),
    ("POST", f"{_API}/commit/{{revision}}", _commit),
    ("GET", f"{_API}/tree/{{revision}}", _tree),
    ("GET", f"{_API}/tree/{{revision}}/{{path:path}}", _tree),
    ("GET", "/datasets/{owner}/{name}/resolve/{revision}/{path:path}", _resolve),
    ("POST", f"{_API}/tag/{{revision}}", _tag),
]


def _build_app(hub: LocalHub) -> Starlette:
    made = [Route(path, partial(answer, hub), methods=[verb]) for verb, path, answer in _ROUTES]
    return Starlette(routes=made, exception_handlers={HTTPException: _answer_error})


@contextmanager
def running_hub(port: int | None = None) -> Iterator[LocalHub]:
    """Run a Hub in a thread while the block lasts."""
    port = port or free_port()
    hub = LocalHub(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        _build_app(hub), port=port, log_level="error", log_config=None, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="local-hub")
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield hub
    finally:
        server.should_exit = True
        thread.join(10)
