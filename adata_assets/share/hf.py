"""Chunk files in a public dataset repository of their own on the Hugging Face Hub.

Belongs here: the settings, the links, and what they promise. Does not belong here: what is said to
the Hub (``hub_files``). The token comes from ``HF_TOKEN``, the address of the Hub from
``HF_ENDPOINT``, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator
from upath import UPath

from adata_assets.errors import InputError
from adata_assets.hub_access import is_repo_id
from adata_assets.share.base.readback import read_back, without_query
from adata_assets.share.base.retry import with_retries
from adata_assets.share.contract import (
    MissingError,
    Progress,
    ShareError,
    ShareLink,
    require_name,
    require_own_name,
    require_shareable,
    silent,
)
from adata_assets.share.hub_files import HubFiles
from adata_assets.spec import DatasetSpec

ENDPOINT_VARIABLE = "HF_ENDPOINT"
DEFAULT_ENDPOINT = "https://huggingface.co"


class Settings(BaseModel):
    """Settings of the hf store in a dataset's YAML.

    Attributes
    ----------
    repo_id
        ``owner/name`` of a public dataset repository for the files of this dataset alone; made if
        there is none. Default ``<publish.repo_id>-files``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    repo_id: str = Field("")

    @field_validator("repo_id")
    @classmethod
    def _check_repo_id(cls, value: str) -> str:
        if not is_repo_id(value):
            raise ValueError(
                "expected owner/name of a public dataset repository for the files (without "
                "publish.repo_id it has no default)"
            )
        return value


def complete_settings(spec: DatasetSpec) -> dict[str, Any]:
    """Return the settings of a dataset with the repository that its release implies.

    Raises
    ------
    InputError
        If the files are to go into the repository of the release.
    """
    given = spec.share.settings
    if spec.publish is None:
        return given
    if given.get("repo_id") == spec.publish.repo_id:
        raise InputError(
            f"share.repo_id and publish.repo_id are both {spec.publish.repo_id}: chunk files need a "
            "public repository of their own; leave share.repo_id out or name another one"
        )
    return {"repo_id": f"{spec.publish.repo_id}-files", **given}


class Store:
    """Shared files in ``chunks/`` of one repository; each is added by a commit of its own.

    Parameters
    ----------
    settings
        Checked settings.
    root
        Not used: the files are on the Hub.
    dataset_id
        Whose files they are. A repository that holds those of another dataset is refused.
    """

    name: ClassVar[str] = "hf"

    def __init__(self, settings: Settings, *, root: UPath, dataset_id: str) -> None:
        self.settings = settings
        endpoint = os.environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT
        self._files = HubFiles(settings.repo_id, endpoint.rstrip("/"), dataset_id)

    def put(self, file: Path, name: str, *, report: Progress = silent) -> ShareLink:
        """Send the file to the Hub's large file storage, then name it by a commit.

        What the storage has is not sent again, and what the newest commit holds is not committed
        again: so a lost answer, a run that was killed and one that ran at the same time end in one
        copy. While bytes are sent the Hub's client shows how far it is.

        Raises
        ------
        InputError
            If the file is missing or empty, the name is not one of a shared file, or there is no
            token in ``HF_TOKEN``.
        ShareError
            If the name states other bytes, the repository is private, gated or not this dataset's,
            or the Hub refuses.
        """
        sha256 = require_shareable(file, name)
        require_own_name(file, name, sha256)
        n_bytes = file.stat().st_size
        with_retries(lambda: self._files.add(file, name, sha256))
        report(n_bytes, n_bytes)
        return self._link(name, sha256, n_bytes)

    def probe(self, link: ShareLink, *, whole: bool = True) -> None:
        """Read the link as a stranger does, through the Hub's redirect, without login.

        Raises
        ------
        DamagedError
            If other bytes are served.
        ShareError
            If the link is not one of this store, or nothing is served.
        """
        if link.url != self._files.url(link.remote_name):
            raise ShareError(
                f"{link.remote_name}: {without_query(link.url)} is not a link of this store, whose "
                f"links begin with {self._files.url('')}; materialize share_links again"
            )
        read_back(link.url, link, whole=whole)

    def refresh(self, link: ShareLink) -> ShareLink:
        """Return the link again, which has no end; needs no token.

        Raises
        ------
        MissingError
            If the newest commit does not hold the file with these bytes.
        """
        if not with_retries(lambda: self._files.holds(link.remote_name, link.sha256)):
            raise MissingError(
                f"{self.settings.repo_id} on the Hub does not hold {link.remote_name} with sha256 "
                f"{link.sha256[:12]}…; materialize share_links again"
            )
        return self._link(link.remote_name, link.sha256, link.n_bytes)

    def revoke(self, name: str) -> None:
        """Remove the file by a commit; earlier commits keep it, but no link leads there."""
        require_name(name)
        with_retries(lambda: self._files.remove(name))

    def adata_url(self, file: Path, link: ShareLink) -> str:
        """Return the link's url."""
        return link.url

    def list(self) -> list[str]:
        """Return the names of the files that the newest commit holds, sorted; needs no token."""
        return with_retries(self._files.names)[0]

    def list_unfinished(self) -> Sequence[str]:
        """Return files whose names do not state their bytes, which only a spoilt commit can leave.

        An upload that was cut shows nowhere: before its commit a file is in no repository, and the
        Hub itself clears its storage of what no commit names.
        """
        return with_retries(self._files.names)[1]

    def discard_unfinished(self, upload: str) -> None:
        """Remove such a file by a commit."""
        if upload in self.list_unfinished():
            with_retries(lambda: self._files.remove(upload))

    def _link(self, name: str, sha256: str, n_bytes: int) -> ShareLink:
        return ShareLink(self._files.url(name), sha256, n_bytes, None, self.name, name)
