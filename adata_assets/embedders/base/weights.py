"""Weights that somebody published: found in a folder or on the Hub, and known by their content.

Belongs here: fetching files, the hash of each, and what is said when something is missing. Nothing
here opens a weight file.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from adata_assets.commit import sha256_of
from adata_assets.errors import InputError

# A branch or a tag can move; a commit cannot.
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Formats that can run code when they are loaded.
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def fetch_weights(
    source: str,
    *,
    revision: str | None,
    sha256: Mapping[str, str] | None,
    files: Sequence[str],
    extra: str,
) -> Path:
    """Return the local folder that holds the files of a published model.

    Parameters
    ----------
    source
        A local folder; with ``revision`` a Hub id, ``owner/name`` or ``owner/name/folder``.
    revision
        Commit on the Hub, 40 hex digits. What is in the Hub's cache is not fetched again.
    sha256
        By file name, 64 hex digits; files that are not named are taken as they are.
    files
        Names of the files that are needed.
    extra
        Extra of the method that asks; errors begin with it.

    Raises
    ------
    InputError
        If a file is missing (names the command that gets it), the revision is no commit, the Hub
        does not answer, or a file is not the stated one.
    """
    _require_hashes(sha256 or {}, files, extra)
    if revision is None:
        folder = _find_folder(source, files, extra)
    else:
        folder = _fetch_from_hub(source, revision, files, extra)
    require_sha256(folder, sha256 or {}, extra=extra)
    return folder


def hash_files(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """Return the sha256 (64 hex digits) of each file by its name."""
    return {file: sha256_of(folder / file) for file in files}


def require_sha256(folder: Path, sha256: Mapping[str, str], *, extra: str) -> None:
    """Require that files are the stated ones.

    Raises
    ------
    InputError
        If a file has another sha256: states both.
    """
    for file, stated in sha256.items():
        if (found := sha256_of(folder / file)) != stated:
            raise InputError(
                f"{extra}: {folder / file} has sha256 {found}, {stated} is stated: get the file "
                "that was meant, or state the hash of this one and fit again"
            )


def require_package(package: str, *, extra: str) -> None:
    """Require that the package which an extra brings is installed.

    Raises
    ------
    InputError
        If it is not: names the command that installs it.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"{extra} needs {package}, which is not installed: pip install 'adata_assets[{extra}]'"
        )


def _require_hashes(sha256: Mapping[str, str], files: Sequence[str], extra: str) -> None:
    for file, stated in sha256.items():
        if file not in files:
            raise InputError(f"{extra}: sha256 names {file!r}; the files are {list(files)}")
        if not _SHA256.fullmatch(stated):
            raise InputError(
                f"{extra}: sha256 of {file!r} is {stated!r}; give the 64 hex digits that sha256sum "
                "prints"
            )


def _find_folder(source: str, files: Sequence[str], extra: str) -> Path:
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"{extra}: there is no folder {source!r}; give a folder, or a Hub id with revision (the "
            f"40 hex digits of a commit). {_download_hint('<owner>/<name>', '<commit>', files)}"
        )
    if missing := [file for file in files if not (folder / file).is_file()]:
        pickled = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLED)
        raise InputError(
            f"{extra}: {folder} lacks {missing}{_say_pickled(pickled, missing)}. "
            f"{_download_hint('<owner>/<name>', '<commit>', missing)}"
        )
    return folder


def _say_pickled(pickled: Sequence[str], missing: Sequence[str]) -> str:
    if not pickled or not any(file.endswith(".safetensors") for file in missing):
        return ""
    return (
        f"; it has {pickled}, which is not read because loading it can run code: get the "
        "safetensors file of the same model, or convert it where you trust it "
        "(from_pretrained(..., use_safetensors=True) must then load it)"
    )


def _fetch_from_hub(source: str, revision: str, files: Sequence[str], extra: str) -> Path:
    from huggingface_hub import hf_hub_download

    if not _HUB_ID.fullmatch(source):
        raise InputError(
            f"{extra}: {source!r} with a revision must be a Hub id, owner/name or "
            "owner/name/folder; leave revision out for a folder on this machine"
        )
    if not _COMMIT.fullmatch(revision):
        raise InputError(
            f"{extra}: revision {revision!r} of {source} is not a commit; branches and tags can "
            "move, so give the commit's 40 hex digits (the model's page shows them in its history)"
        )
    owner, name, *inner = source.split("/")
    try:
        found = [
            hf_hub_download(
                f"{owner}/{name}", file, subfolder="/".join(inner) or None, revision=revision
            )
            for file in files
        ]
    # Whatever the client raises about the network, the Hub's answer or its cache is an OSError.
    except OSError as error:
        raise InputError(
            f"{extra}: {source} at {revision} cannot be fetched ({type(error).__name__}): check the "
            "network, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE, and that it has "
            f"{list(files)}. {_download_hint(source, revision, files)}"
        ) from error
    return Path(str(found[0])).parents[files[0].count("/")]


def _download_hint(source: str, revision: str, files: Sequence[str]) -> str:
    owner, name, *inner = source.split("/")
    paths = " ".join("/".join([*inner, file]) for file in files)
    return (
        f"Get them: hf download {owner}/{name} {paths} --revision {revision} --local-dir <folder>"
    )
