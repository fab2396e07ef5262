"""A Hub for tests: the endpoints that a push and a load use, in memory, on a free loopback port."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adata_assets_tests.hub.hub_state import READER, WRITER, Commit, LocalHub, Repo, refuse
from adata_assets_tests.servers.asgi import running_app

__all__ = ["READER", "WRITER", "Commit", "LocalHub", "Repo", "running_hub"]

_API = "/api/datasets/{owner}/{name}"


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"error": (error.headers or {}).get("X-Error-Message", "")}
    return JSONResponse(body, error.status_code, error.headers)


def _list_paths(files: dict[str, bytes]) -> list[str]:
    folders = {path.rpartition("/")[0] for path in files} - {""}
    return sorted(folders | set(files))


def _describe(path: str, commit: Commit) -> dict[str, Any]:
    content = commit.files.get(path)
    if content is None:
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"type": "file", "path": path, "size": len(content), "oid": oid}
    if commit.is_lfs(path):
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
        raise refuse(409, message="You already created this dataset repo")
    hub.create(repo_id, private=asked.get("visibility") == "private")
    return JSONResponse({"url": f"{hub.url}/datasets/{repo_id}"})


async def _info(hub: LocalHub, request: Request) -> Response:
    repo = hub.find(request)
    commit = repo.at(request.path_params.get("revision", "main"))
    files = [{"rfilename": path} for path in commit.files]
    repo_id = "{owner}/{name}".format(**request.path_params)
    about = {"id": repo_id, "sha": commit.oid, "private": repo.private, "siblings": files}
    about["gated"] = repo.gated
    return JSONResponse(about)


async def _preupload(hub: LocalHub, request: Request) -> Response:
    commit = hub.find(request, write=True).at(request.path_params["revision"])
    answers = []
    for file in (await request.json())["files"]:
        is_lfs = commit.is_lfs(file["path"])
        mode = {"uploadMode": "lfs" if is_lfs else "regular", "shouldIgnore": False}
        answers.append({"path": file["path"], **mode})
        if file["path"] in commit.files:
            entry = _describe(file["path"], commit)
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
        raise refuse(400, message="other bytes than announced")
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
        raise refuse(412, message="A commit has happened since")
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
    commit = hub.find(request).at(request.path_params["revision"])
    files = commit.files
    root = request.path_params.get("path", "")
    is_deep = request.query_params.get("recursive") in ("true", "True")
    found = [
        path
        for path in _list_paths(files)
        if path.startswith(f"{root}/" if root else "")
        and (is_deep or path.rpartition("/")[0] == root)
    ]
    if not found:
        raise refuse(404, "EntryNotFound")
    return JSONResponse([_describe(path, commit) for path in found])


async def _paths_info(hub: LocalHub, request: Request) -> Response:
    commit = hub.find(request).at(request.path_params["revision"])
    asked = parse_qs((await request.body()).decode())["paths"]
    known = set(_list_paths(commit.files))
    return JSONResponse([_describe(path, commit) for path in asked if path in known])


async def _resolve(hub: LocalHub, request: Request) -> Response:
    commit = hub.find(request).at(request.path_params["revision"])
    path = request.path_params["path"]
    if path not in commit.files:
        raise refuse(404, "EntryNotFound")
    entry, content = _describe(path, commit), commit.files[path]
    served = content + b"!" * (path in hub.damaged)
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{entry["oid"]}"'}
    if "lfs" not in entry:
        return _serve(served, request, headers)
    oid = entry["lfs"]["oid"]
    hub.cdn[oid] = served
    headers |= {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(len(served))}
    # Another host, as the Hub's is: clients look at what a redirect to the same one says itself.
    host = hub.url.replace("127.0.0.1", "localhost")
    headers["Location"] = f"{host}/cdn/{oid}?Signature=secret"
    return Response(status_code=302, headers=headers)


async def _download(hub: LocalHub, request: Request) -> Response:
    oid = request.path_params["oid"]
    hub.log.append(f"{request.method} {request.url.path}")
    return _serve(hub.cdn[oid], request, {"ETag": f'"{oid}"'})


def _serve(content: bytes, request: Request, headers: dict[str, str]) -> Response:
    headers = {"Accept-Ranges": "bytes", **headers}
    asked = request.headers.get("range")
    if asked is None:
        return Response(content, headers=headers)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(content)), len(content) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, headers=headers)


async def _tag(hub: LocalHub, request: Request) -> Response:
    repo, name = hub.find(request, write=True), (await request.json())["tag"]
    if name in repo.tags:
        raise refuse(409, message="Tag already exists")
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
    ("POST", f"{_API}/paths-info/{{revision}}", _paths_info),
    ("GET", "/cdn/{oid}", _download),
    ("GET", "/datasets/{owner}/{name}/resolve/{revision}/{path:path}", _resolve),
    ("POST", f"{_API}/tag/{{revision}}", _tag),
]


def _build_app(hub: LocalHub) -> Starlette:
    made = [Route(path, partial(answer, hub), methods=[verb]) for verb, path, answer in _ROUTES]
    return Starlette(routes=made, exception_handlers={HTTPException: _answer_error})


@contextmanager
def running_hub(port: int | None = None) -> Iterator[LocalHub]:
    """Run a Hub in a thread while the block lasts, on a free port if none is given."""
    hub = LocalHub()
    with running_app(_build_app(hub), port) as hub.url:
        yield hub
