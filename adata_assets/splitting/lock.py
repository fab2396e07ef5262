"""``splits.lock.csv``: where each group went when it was first dealt.

Belongs here: the file beside a dataset's YAML, read, compared and replaced. A group in it never
moves; its rows are only ever added to.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adata_assets.commit import sha256_of, write_atomically
from adata_assets.errors import InputError
from adata_assets.spec import SPLITS
from adata_assets.splitting.components import Group

LOCK = "splits.lock.csv"
HEADER = ["column", "group", "split"]


def read_lock(folder: Path | None) -> dict[Group, str]:
    """Return ``(obs column, value)`` to split; nothing where there is no file.

    Raises
    ------
    InputError
        If the file is not such a table: names the line.
    """
    if folder is None or not (folder / LOCK).is_file():
        return {}
    path = folder / LOCK
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if header != HEADER:
        raise InputError(f"{path}: the first line is {header}, expected is {HEADER}")
    locked: dict[Group, str] = {}
    for number, row in enumerate(rows, start=2):
        if len(row) != len(HEADER) or row[2] not in SPLITS:
            raise InputError(
                f"{path}, line {number}: {row} is not column, group and one of {list(SPLITS)}"
            )
        if locked.setdefault((row[0], row[1]), row[2]) != row[2]:
            raise InputError(
                f"{path}, line {number}: {row[0]} {row[1]!r} is locked to "
                f"{locked[row[0], row[1]]} and to {row[2]}; leave one"
            )
    return locked


def keep_lock(folder: Path | None, locked: Mapping[Group, str] | None) -> dict[str, Any]:
    """Write the lock if it says something new.

    Parameters
    ----------
    folder
        Folder of the dataset's YAML; None: not known.
    locked
        All groups that are locked now; None: cells were dealt one by one.

    Returns
    -------
    ``state`` (``written``, ``unchanged`` or ``none``), the ``reason`` for ``none``, ``n_groups``, the
    ``sha256`` of the file as it was left (None: there is none) and ``matters``, whether another file
    would give other splits.
    """
    if locked is None:
        is_there = folder is not None and (folder / LOCK).is_file()
        unused = f"; {folder / LOCK} is not used" if folder and is_there else ""
        return _none(f"cells are dealt one by one, not by groups{unused}", matters=False)
    if folder is None:
        return _none("the folder of the dataset's YAML is not known", matters=False)
    path = folder / LOCK
    text = _to_csv(locked)
    if path.is_file() and read_lock(folder) == dict(locked):
        return _left("unchanged", path, locked)
    try:
        write_atomically(path, text)
    except OSError as error:
        return _none(f"{path} cannot be written ({error.strerror}): groups may move", matters=True)
    return _left("written", path, locked)


def find_lock_change(folder: Path, left: Mapping[str, Any]) -> str | None:
    """Compare the file with what ``keep_lock`` said of it; None: nothing that matters changed."""
    path = folder / LOCK
    found = sha256_of(path) if path.is_file() else None
    if found == left["sha256"] or not left["matters"]:
        return None
    if found is None:
        return "is gone"
    return "is new" if left["sha256"] is None else "changed"


def _to_csv(locked: Mapping[Group, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([column, group, split] for (column, group), split in sorted(locked.items()))
    return text.getvalue()


def _none(reason: str, *, matters: bool) -> dict[str, Any]:
    return {"state": "none", "reason": reason, "n_groups": 0, "sha256": None, "matters": matters}


def _left(state: str, path: Path, locked: Mapping[Group, str]) -> dict[str, Any]:
    return {
        "state": state,
        "reason": "",
        "n_groups": len(locked),
        "sha256": sha256_of(path),
        "matters": True,
    }
