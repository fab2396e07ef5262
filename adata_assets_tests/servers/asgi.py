"""An application of a test, served on loopback while it is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from adata_assets_tests.sockets import free_port


@contextmanager
def running_app(app: Starlette, port: int | None = None) -> Iterator[str]:
    """Serve an application on loopback while the block lasts; yield its base URL.

    On a free port if none is given.
    """
    port = port or free_port()
    config = uvicorn.Config(
        app, port=port, log_level="error", log_config=None, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="test-app")
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
