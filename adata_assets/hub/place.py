"""A published folder, wherever it is: on this machine, or fetched from the Hub."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adata_assets.errors import InputError
from adata_assets.hub.hub_repository import TOKEN_VARIABLE, HubRepository, told_by_hub

_REPO_ID = r"[\w.-]+/[\w.-]+"


@contextmanager
def open_place(place: str, revision: str | None = None) -> Iterator[Path]:
    """Offer the folder of a release; that of a repository is downloaded and removed afterwards.

    Parameters
    ----------
    place
        A folder, or ``owner/name`` on the Hub; a folder that there is comes first.
    revision
        Tag, branch or commit of a repository; its main branch by default.

    Raises
    ------
    InputError
        If there is neither, or a folder is given a revision.
    """
    if Path(place).is_dir():
        if revision is not None:
            raise InputError(f"{place} is a folder, which has no revision {revision!r}")
        yield Path(place)
        return
    if not re.fullmatch(_REPO_ID, place):
        raise InputError(f"{place} is neither a folder nor owner/name of a repository on the Hub")
    with tempfile.TemporaryDirectory() as folder:
        _download(place, revision, Path(folder))
        yield Path(folder)


def _download(repo_id: str, revision: str | None, folder: Path) -> None:
    with told_by_hub(repo_id):
        hub = HubRepository(repo_id, os.environ.get(TOKEN_VARIABLE, "").strip() or None)
        head = revision or hub.find()
        if head is None:
            raise InputError(
                f"{repo_id} is neither a folder nor a repository on the Hub that {TOKEN_VARIABLE} "
                "may read"
            )
        for name in hub.tree(head):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            hub.download(name, head, folder / name)
