"""A folder of a Nextcloud server: one public link for the folder of a dataset.

User and app password come from the environment. Belongs here: settings, and what a store promises.
Does not belong here: how the server is asked (`webdav`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.share.base.readback import open_session, read_back, without_query
from adata_assets.share.contract import (
    DamagedError,
    MissingError,
    Progress,
    ShareError,
    ShareLink,
    require_name,
    require_own_name,
    require_shareable,
    silent,
    suffix_of,
)
from adata_assets.share.serve import is_dataset_id

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_START_BYTES = 64
_MAGIC = {".h5ad": b"\x89HDF\r\n\x1a\n", ".zarr.zip": b"PK"}


class Settings(BaseModel):
    """Settings of the Nextcloud store in a dataset's YAML.

    Attributes
    ----------
    url
        Address of the server, ``https://cloud.example.org`` or with a path; ``http`` only on loopback.
    folder
        Where files are put, from the user's root; a dataset's lie in ``<folder>/<dataset_id>``.
    expires_in_days
        Days that the link works at least before it has to be refreshed; None for no end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str
    folder: str = "adata_assets"
    expires_in_days: int | None = Field(None, ge=1, le=3650)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in _LOOPBACK
        )
        if not (is_safe and parts.hostname) or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "expected https://host[:port][/path] (http only for loopback) without user, query "
                f"or fragment; found {without_query(value)!r}"
            )
        return value.rstrip("/").removesuffix("/index.php")

    @field_validator("folder")
    @classmethod
    def _check_folder(cls, value: str) -> str:
        parts = value.strip("/").split("/")
        if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
            raise ValueError(f"expected names of folders, parted by '/'; found {value!r}")
        return "/".join(parts)

    @property
    def link_lifetime_s(self) -> int | None:
        """How long a new link works at least; None: without an end."""
        return None if self.expires_in_days is None else self.expires_in_days * 86_400


class Store:
    """Shared files in ``<folder>/<dataset_id>`` of a Nextcloud user.

    Parameters
    ----------
    settings
        Checked settings.
    root
        Storage root; not used.
    dataset_id
        Name of the dataset's folder.

    Raises
    ------
    InputError
        If user or app password are not in the environment, or the id cannot be part of an address.
    """

    name: ClassVar[str] = "nextcloud"

    def __init__(self, settings: Settings, *, root: UPath, dataset_id: str) -> None:
        from adata_assets.share.webdav.files import Files
        from adata_assets.share.webdav.links import Shares
        from adata_assets.share.webdav.server import Server, login

        if not is_dataset_id(dataset_id):
            raise InputError(f"dataset id {dataset_id!r}: expected letters, digits, '.', '_', '-'")
        # Before hours of work, not after them.
        login()
        self.settings = settings
        server = Server(settings.url)
        self._files = Files(server, (*settings.folder.split("/"), dataset_id))
        self._shares = Shares(server, self._files.path)

    def put(self, file: Path, name: str, *, report: Progress = silent) -> ShareLink:
        """Upload the file unless it is there, and find or make the folder's link.

        Raises
        ------
        InputError
            If the file is missing or empty, or the name is not one of a shared file.
        ShareError
            If the name stands for other bytes, or the server refuses.
        """
        sha256 = require_shareable(file, name)
        require_own_name(file, name, sha256)
        n_bytes = file.stat().st_size
        known = self._files.find(name)
        if known is None or not known.has(n_bytes, sha256):
            self._files.upload(file, name, sha256, report)
        report(n_bytes, n_bytes)
        with file.open("rb") as stream:
            return self._link(name, sha256, n_bytes, stream.read(_START_BYTES))

    def probe(self, link: ShareLink, *, whole: bool = True) -> None:
        """Read the link without login.

        Raises
        ------
        DamagedError
            If other bytes are served.
        ShareError
            If it is not a link of this store, or nothing is served.
        """
        if not link.url.startswith(f"{self.settings.url}/") or link.remote_name not in link.url:
            raise ShareError(
                f"{link.remote_name}: {without_query(link.url)} is not a link of this store, whose "
                f"links begin with {self.settings.url}/; materialize share_links again"
            )
        try:
            read_back(link.url, link, whole=whole)
        except DamagedError:
            raise
        except ShareError as error:
            if self._is_gone(link):
                raise ShareError(f"{error} (the share itself expired or was revoked)") from error
            raise

    def refresh(self, link: ShareLink) -> ShareLink:
        """Prolong the folder's link, or make a new one where it is gone.

        Raises
        ------
        MissingError
            If the folder does not hold the file with these bytes.
        """
        known, name = self._files.find(link.remote_name), link.remote_name
        is_its_name = link.sha256[:16] in name
        if known is None or not is_its_name or not known.has(link.n_bytes, link.sha256):
            raise MissingError(
                f"{self._files.path}/{name} with sha256 {link.sha256[:12]}… is not in share store "
                f"'nextcloud' at {self.settings.url}; materialize share_links again"
            )
        return self._link(name, link.sha256, link.n_bytes, _MAGIC[suffix_of(name) or ".h5ad"])

    def revoke(self, name: str) -> None:
        """Remove the file; its link, which is the folder's, serves it no more."""
        require_name(name)
        self._files.remove(name)

    def list(self) -> list[str]:
        """Return the names of the files in the dataset's folder, sorted."""
        return sorted(e.name for e in self._files.entries() if suffix_of(e.name))

    def list_unfinished(self) -> Sequence[str]:
        """Return the ids of uploads whose parts were never joined."""
        return self._files.uploads()

    def discard_unfinished(self, upload: str) -> None:
        """Remove the parts of an upload of this dataset."""
        self._files.discard(upload)

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return the link's url."""
        return link.url

    def _link(self, name: str, sha256: str, n_bytes: int, start: bytes) -> ShareLink:
        from adata_assets.share.webdav.links import addresses, choose_address, end_date

        days = self.settings.expires_in_days
        share = self._shares.ensure(end_date(datetime.now(UTC), days) if days else None)
        candidates = addresses(self.settings.url, share.token, name)
        url = choose_address(candidates, start, n_bytes)
        return ShareLink(url, sha256, n_bytes, share.expires_at, self.name, name)

    def _is_gone(self, link: ShareLink) -> bool:
        """Whether the page of the link's share is missing, which tells more than its files do."""
        import requests

        path = link.url.removeprefix(self.settings.url).removeprefix("/index.php")
        token = path.partition("/files/")[2] or path.partition("/s/")[2]
        url = f"{self.settings.url}/s/{token.partition('/')[0]}"
        try:
            with open_session(url) as session, session.get(url, timeout=(10, 60)) as response:
                return response.status_code == 404
        except requests.RequestException:
            return False
