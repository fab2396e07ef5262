"""The Hub's client inside the process of the tests: which Hub it asks, and nothing that waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

DEMO_REPO_ID = "lab/pbmc68k-files"


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
