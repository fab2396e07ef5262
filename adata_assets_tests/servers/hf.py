"""The Hub's client in the process of the tests, and in others: which Hub it asks, and whether it waits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

DEMO_REPO_ID = "lab/pbmc68k-files"


def environment_of(url: str, home: Path) -> dict[str, str]:
    """Return the environment of a process whose client sees this Hub only, and has no token."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    own = {"HF_ENDPOINT": url, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    return {**given, **own, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@contextmanager
def client_of(url: str, token: str | None) -> Iterator[None]:
    """Let the hf store ask this Hub with this token (None: nobody's) while the block lasts.

    The client reads its switches when it is imported, so they are set in it. Its pauses are left out.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import _http, disable_progress_bars

    patch = pytest.MonkeyPatch()
    patch.setenv("HF_ENDPOINT", url)
    patch.delenv("HF_TOKEN", raising=False)
    if token is not None:
        patch.setenv("HF_TOKEN", token)
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))
    disable_progress_bars()
    try:
        yield
    finally:
        patch.undo()
