"""A free port; and closed sockets: while they are, nothing can leave this machine, nor look up a name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LOOPBACK = ("127.0.0.1", "localhost", "::1", None)


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LeftTheMachineError(AssertionError):
    """Something tried to reach another machine."""


@contextmanager
def closed_sockets() -> Iterator[list[tuple[str, object]]]:
    """Refuse every way out but to this machine; yield what went to it, as it happens."""
    seen: list[tuple[str, object]] = []
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "bind", "sendto"):
        patch.setattr(socket.socket, name, _guarded(name, seen))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        patch.setattr(socket, name, _guarded_look_up(name))
    try:
        yield seen
    finally:
        patch.undo()


def _guarded(name: str, seen: list[tuple[str, object]]) -> Any:
    original = getattr(socket.socket, name)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        is_here = self.family == socket.AF_UNIX or address[0] in LOOPBACK
        if not is_here:
            raise LeftTheMachineError(f"{name} to {address!r}")
        found = original(self, *arguments)
        # Port 0 is any free one: which, is known afterwards.
        seen.append((name, self.getsockname() if name == "bind" else address))
        return found

    return guarded


def _guarded_look_up(name: str) -> Any:
    original = getattr(socket, name)

    def guarded(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in LOOPBACK:
            raise LeftTheMachineError(f"{name} of {host!r}")
        return original(host, *arguments, **options)

    return guarded
