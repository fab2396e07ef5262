"""What came back from the Hub, against what was pushed: bytes, rows and columns.

Belongs here: downloading a commit again and comparing it. One file is on the disk at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adata_assets.hub.content import ContentHasher, group_shards
from adata_assets.hub.hub_repository import HubRepository, Part, PublishError


def require_arrived(
    hub: HubRepository,
    parts: Mapping[str, Part],
    tables: Mapping[str, Mapping[str, Any]],
    commit: str,
) -> dict[str, str]:
    """Download all files of a commit; return the sha256 (hex) of each.

    Parameters
    ----------
    parts
        What was pushed.
    tables
        ``n_rows`` and the hash of each column of every table, as the manifest states them.

    Raises
    ------
    PublishError
        If there are other files, other bytes, or tables with other rows or columns.
    """
    tree = set(hub.tree(commit))
    if wrong := sorted(tree ^ set(parts)):
        what = "is missing" if wrong[0] in parts else "was not pushed"
        raise _differs(commit, f"{wrong[0]} {what}")
    found: dict[str, str] = {}
    shards = group_shards(parts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for name in sorted(set(parts) - {shard for own in shards.values() for shard in own}):
            found[name] = _fetch(hub, parts, name, commit, path)
        for table, own in shards.items():
            hasher = ContentHasher()
            for name in own:
                found[name] = _fetch(hub, parts, name, commit, path)
                hasher.add_file(path)
            content, told = hasher.finish(), tables.get(table, {})
            if told != {"n_rows": content.n_rows, "columns": dict(content.columns)}:
                raise _differs(commit, f"{table} has other rows or columns than {told}")
    return found


def _fetch(
    hub: HubRepository, parts: Mapping[str, Part], name: str, commit: str, path: Path
) -> str:
    sha256, pushed = hub.download(name, commit, path), parts[name].sha256
    if sha256 != pushed:
        raise _differs(commit, f"{name} is {sha256[:12]}, pushed was {pushed[:12]}")
    return sha256


def _differs(commit: str, what: str) -> PublishError:
    return PublishError(
        f"the Hub does not hold what was pushed: {what} (at {commit}); the commit is not tagged, "
        "look at it on the Hub and materialize hf_release again"
    )
