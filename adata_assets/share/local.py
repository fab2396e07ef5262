"""The default store: files beside the artefacts, served by ``adata-assets serve``.

Belongs here: placing files and their manifest entries, and reading them back. Does not belong
here: the server itself (`serve`).
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share.base.manifest import (
    MANIFEST_FOLDER,
    ManifestEntry,
    entry_names,
    manifest_path,
    read_entry,
    write_entry,
)
from adata_assets.share.base.readback import read_back, without_query
from adata_assets.share.contract import (
    MissingError,
    Progress,
    ShareError,
    ShareLink,
    require_name,
    require_shareable,
    sha256_of,
    silent,
    suffix_of,
)
from adata_assets.share.serve import SHARE_FOLDER, is_dataset_id, running_server
from adata_assets.share.zarr_folder import unpack_zarr

DEFAULT_BASE_URL = "http://127.0.0.1:8765"
BASE_URL_VARIABLE = "ADATA_ASSETS_BASE_URL"
# What link() answers across devices, on file systems without hard links, and at the link limit.
_NO_HARD_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


class Settings(BaseModel):
    """Settings of the local store in a dataset's YAML.

    Attributes
    ----------
    base_url
        What links begin with; default ``ADATA_ASSETS_BASE_URL``, else `DEFAULT_BASE_URL`.
    local_zarr
        Put the path of an unpacked zarr folder into ``adata_link`` instead of a URL.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    base_url: str = Field(
        default_factory=lambda: os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    )
    local_zarr: bool = False

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname
        if not whole or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "expected http(s)://host[:port][/path] without user, query or fragment, in the "
                f"YAML or in {BASE_URL_VARIABLE}; found {without_query(value)!r}"
            )
        return value.rstrip("/")


class Store:
    """Shared files in ``<root>/share/<dataset_id>``.

    Parameters
    ----------
    settings
        Checked settings.
    root
        Storage root; must be a folder of this machine.
    dataset_id
        Name of the folder below ``share``.

    Raises
    ------
    InputError
        If the root is not a folder, or the id cannot be part of an address.
    """

    name: ClassVar[str] = "local"

    def __init__(self, settings: Settings, *, root: UPath, dataset_id: str) -> None:
        if not is_dataset_id(dataset_id):
            raise InputError(f"dataset id {dataset_id!r}: expected letters, digits, '.', '_', '-'")
        self.settings = settings
        self.dataset_id = dataset_id
        self._root = _require_folder(root)
        self._folder = self._root / SHARE_FOLDER / dataset_id

    def put(self, file: Path, name: str, *, report: Progress = silent) -> ShareLink:
        """Link (or copy) the file into the share folder, then name it in the manifest.

        Raises
        ------
        InputError
            If the file is missing or empty, or the name is not one of a shared file.
        ShareError
            If the name stands for other bytes already.
        """
        sha256 = require_shareable(file, name)
        wanted = ManifestEntry(name=name, sha256=sha256, n_bytes=file.stat().st_size)
        known = self._read_entry(name)
        if known is not None and known != wanted:
            raise ShareError(
                f"{file} (sha256 {wanted.sha256[:12]}…) cannot be shared as "
                f"{self._url(name)}: that name stands for sha256 {known.sha256[:12]}…; a "
                "published file is never overwritten, use the name that remote_name gives"
            )
        target = self._folder / name
        # A shared file that was damaged or removed is mended: the name's bytes stay the same.
        if not _holds(target, file, wanted):
            _place(file.resolve(), target)
        # The entry comes last: killed before it, nothing is shared.
        if known is None:
            write_entry(self._folder, wanted)
        report(wanted.n_bytes, wanted.n_bytes)
        return self._link(wanted)

    def probe(self, link: ShareLink, *, whole: bool = True) -> None:
        """Read the link through the server's own handler, on a free port, without login.

        Needs no running server: only the part of the link before ``/<dataset_id>/`` is replaced.

        Raises
        ------
        ShareError
            If the link is not one of this store, if status, size or sha256 differ, or if ranges
            do not work.
        """
        if link.url != self._url(link.remote_name):
            raise ShareError(
                f"{link.remote_name}: {without_query(link.url)} is not a link of this store, whose "
                f"links begin with {self._url('')}; materialize share_links again"
            )
        with running_server(self._root, wait=False) as base_url:
            url = f"{base_url}/{self.dataset_id}/{link.remote_name}"
            read_back(url, link, whole=whole)

    def refresh(self, link: ShareLink) -> ShareLink:
        """Return the link that the file has now, which changes with ``base_url`` only.

        Raises
        ------
        MissingError
            If the manifest does not name the file with these bytes, or it lies there no more.
        """
        known, path = self._read_entry(link.remote_name), self._folder / link.remote_name
        is_there = known is not None and _has_size(path, known.n_bytes)
        if known is None or known.sha256 != link.sha256 or not is_there:
            raise MissingError(
                f"{path} is not shared with sha256 {link.sha256[:12]}…; materialize share_links again"
            )
        return self._link(known)

    def revoke(self, name: str) -> None:
        """Remove the manifest's entry, then the file and the zarr folder unpacked from it."""
        require_name(name)
        # The entry goes first: killed after it, the file is one that nothing names.
        manifest_path(self._folder, name).unlink(missing_ok=True)
        (self._folder / name).unlink(missing_ok=True)
        if suffix_of(name) == ".zarr.zip":
            shutil.rmtree(self._folder / name.removesuffix(".zip"), ignore_errors=True)

    def list(self) -> list[str]:
        """Return the names that the manifest holds, sorted."""
        return entry_names(self._folder)

    def list_unfinished(self) -> Sequence[str]:
        """Return what lies in the folder and no entry names."""
        if not self._folder.is_dir():
            return []
        named = set(self.list())
        known = named | {name.removesuffix(".zip") for name in named} | {MANIFEST_FOLDER}
        return sorted(path.name for path in self._folder.iterdir() if path.name not in known)

    def discard_unfinished(self, upload: str) -> None:
        """Remove a file or folder that no entry names."""
        if upload not in self.list_unfinished():
            return
        path = self._folder / upload
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return the link's url; with ``local_zarr`` the path of the unpacked folder."""
        if not self.settings.local_zarr:
            return link.url
        return self.zarr_folder(file, link.remote_name)

    def zarr_folder(self, file: Path, name: str) -> str:
        """Unpack a shared zarr zip beside it and return the path of the ``.zarr`` folder.

        A folder that already holds every member is used as it is: its name changes with its bytes.

        Raises
        ------
        InputError
            If ``local_zarr`` is off or the name does not end in ``.zarr.zip``.
        ShareError
            If the zip has members outside its root, or the folder exists with other files.
        """
        if not self.settings.local_zarr or suffix_of(name) != ".zarr.zip":
            raise InputError(
                f"{name}: zarr_folder needs local_zarr: true (found {self.settings.local_zarr}) "
                "and a name that ends in .zarr.zip"
            )
        target = self._folder / name.removesuffix(".zip")
        unpack_zarr(file, target)
        return str(target)

    def _link(self, entry: ManifestEntry) -> ShareLink:
        url = self._url(entry.name)
        return ShareLink(url, entry.sha256, entry.n_bytes, None, self.name, entry.name)

    def _url(self, name: str) -> str:
        return f"{self.settings.base_url}/{self.dataset_id}/{name}"

    def _read_entry(self, name: str) -> ManifestEntry | None:
        try:
            return read_entry(self._folder, name)
        except ValueError as error:
            raise ShareError(str(error)) from error


def _require_folder(root: UPath) -> Path:
    if root.protocol not in ("", "file", "local"):
        raise InputError(
            f"share store 'local' needs a folder, but the storage root is {root} "
            "(ADATA_ASSETS_STORAGE): set it to a folder of this machine, or choose another store "
            "in the dataset's YAML (share)"
        )
    return Path(root.path).resolve()


def _holds(target: Path, file: Path, wanted: ManifestEntry) -> bool:
    if not target.is_file() or target.stat().st_size != wanted.n_bytes:
        return False
    # Two names of one file need no second reading.
    return target.samefile(file) or sha256_of(target) == wanted.sha256


def _place(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            os.link(file, temporary)
        except OSError as error:
            if error.errno not in _NO_HARD_LINK:
                raise
            shutil.copyfile(file, temporary)
        _fsync(temporary)
        os.replace(temporary, target)
        _fsync(target.parent)
    finally:
        # A rename onto a link to the same file does nothing and leaves the temporary name.
        temporary.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
