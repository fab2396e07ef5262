"""A zarr zip unpacked into a folder, for consumers that read zarr from this machine's disk.

Belongs here: unpacking so that a folder is whole or absent. Whether it is wanted is said by the
local store's settings.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
import zipfile
from pathlib import Path, PurePosixPath

from adata_assets.share.contract import ShareError


def unpack_zarr(file: Path, target: Path) -> None:
    """Unpack a zarr zip into ``target``; a folder that holds every member is left as it is.

    Raises
    ------
    ShareError
        If the zip has members outside its root, or the folder exists with other files.
    """
    with zipfile.ZipFile(file) as archive:
        sizes = _member_sizes(archive, file)
        if not target.exists():
            _unpack(archive, target)
    other = [m for m, size in sizes.items() if not _has_size(target / m, size)]
    if other:
        raise ShareError(f"{target} is not {file.name}: {other[0]} differs; delete the folder")


def _member_sizes(archive: zipfile.ZipFile, file: Path) -> dict[str, int]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    for info in members:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or re.search(r"[\\:]", info.filename):
            raise ShareError(f"{file} has a member outside its root: {info.filename!r}")
    return {info.filename: info.file_size for info in members}


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        archive.extractall(temporary)
        os.rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
