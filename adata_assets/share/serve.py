"""The web server of the local store: loopback only, read only, only files a manifest names.

Belongs here: the request handler and how it is run. Does not belong here: how files get there.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from adata_assets.errors import InputError
from adata_assets.share.base.manifest import manifest_path, read_entry
from adata_assets.share.contract import suffix_of

SHARE_FOLDER = "share"
MEDIA_TYPES = {".h5ad": "application/x-hdf5", ".zarr.zip": "application/zip"}
_DATASET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_STOP_TIMEOUT_S = 10


def is_dataset_id(text: str) -> bool:
    """Tell whether the text can be the first part of an address of this server."""
    return _DATASET_ID.fullmatch(text) is not None


def build_app(root: Path) -> Starlette:
    """Return the application that serves ``/{dataset_id}/{name}`` from ``<root>/share``.

    GET and HEAD, with ranges. Everything that no manifest entry names is a 404 with a JSON body;
    symbolic links below ``<root>/share`` are not followed.
    """
    home = root.resolve() / SHARE_FOLDER

    # Starlette runs a plain function in a thread, so a slow disk never blocks other readers.
    def answer(request: Request) -> FileResponse:
        dataset_id, name = request.path_params["dataset_id"], request.path_params["name"]
        path = _find_file(home, dataset_id, name)
        suffix = suffix_of(name)
        if path is None or suffix is None:
            raise HTTPException(404, f"nothing is shared as {dataset_id}/{name}")
        return FileResponse(path, media_type=MEDIA_TYPES[suffix])

    route = Route("/{dataset_id}/{name}", answer, methods=["GET"])
    app = Starlette(routes=[route], exception_handlers={HTTPException: _answer_error})
    # Otherwise a trailing slash is answered with a redirect that has no body.
    app.router.redirect_slashes = False
    return app


def serve(root: Path, *, host: str = "127.0.0.1", port: int = 8765) -> None:
    """Serve the shared files of ``root`` until interrupted.

    Raises
    ------
    InputError
        If the root is not a folder, the host is not a loopback address or the port is taken.
    """
    if not root.is_dir():
        raise InputError(f"storage root {root} is not a folder: set ADATA_ASSETS_STORAGE")
    listener = _listen(host, port)
    # Ctrl-C is how a server is stopped; uvicorn raises it again after its clean shutdown.
    with suppress(KeyboardInterrupt):
        _build_server(root, log_level="info").run(sockets=[listener])


@contextmanager
def running_server(root: Path, *, port: int = 0, wait: bool = True) -> Iterator[str]:
    """Run the server in a thread and offer its base URL; 0 takes a free port.

    Parameters
    ----------
    wait
        Return when the port is free again, which takes 0.2 s; else the thread ends by itself.

    Raises
    ------
    InputError
        If the port is taken.
    """
    listener = _listen("127.0.0.1", port)
    server = _build_server(root, log_level="error")
    thread = threading.Thread(target=server.run, args=([listener],), name="share-server")
    # The socket listens already: a request that comes before the thread is ready just waits.
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        if wait:
            thread.join(_STOP_TIMEOUT_S)
            listener.close()


def _find_file(home: Path, dataset_id: str, name: str) -> Path | None:
    if not is_dataset_id(dataset_id) or suffix_of(name) is None:
        return None
    folder = home / dataset_id
    # Both paths must be exactly themselves: a link anywhere below the root changes one of them.
    path, listed = folder / name, manifest_path(folder, name)
    if path.resolve() != path or listed.resolve() != listed or not path.is_file():
        return None
    try:
        entry = read_entry(folder, name)
    except ValueError:
        return None
    return path if entry is not None and path.stat().st_size == entry.n_bytes else None


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "error"
    return JSONResponse({"error": detail}, status_code=status)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    if not _is_loopback(host):
        raise InputError(
            f"host {host!r} is not a loopback address: use 127.0.0.1, and a reverse proxy of your "
            "own if other machines shall read"
        )
    # Bound here and not by uvicorn, which ends the process when the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(
            f"port {port} on {host} cannot be used ({error}): stop the program that holds it or "
            "choose another port, and set ADATA_ASSETS_BASE_URL to the address you serve"
        ) from error
    return listener


def _build_server(root: Path, *, log_level: str) -> uvicorn.Server:
    config = uvicorn.Config(
        build_app(root),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level=log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
