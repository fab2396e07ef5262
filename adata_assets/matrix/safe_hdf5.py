"""Whether a foreign HDF5 file may be opened at all.

Belongs here: what HDF5 lets a file do beyond holding data. Does not belong here: whether the data
make sense.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import h5py

from adata_assets.matrix.safe_rules import (
    DeclaredBytes,
    UnsafeFileError,
    require_anndata_layout,
)

_MAGIC = b"\x89HDF\r\n\x1a\n"
_ADDRESS_FORMATS = {2: "H", 4: "I", 8: "Q"}


def require_safe_hdf5(path: Path, max_declared_bytes: int | None) -> None:
    """Refuse an HDF5 file as `adata_assets.matrix.safe.require_safe_h5ad` says."""
    _require_magic(path)
    _require_whole(path)
    declared = DeclaredBytes(path, path.stat().st_size, max_declared_bytes)
    try:
        with h5py.File(path, "r") as file:
            _require_self_contained(path, file, declared)
            require_anndata_layout(path, file)
    except UnsafeFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise UnsafeFileError(
            f"{path} is damaged: HDF5 says {str(error)!r}; fetch or write it again"
        ) from error


def _require_magic(path: Path) -> None:
    with open(path, "rb") as handle:
        found = handle.read(len(_MAGIC))
    if found != _MAGIC:
        raise UnsafeFileError(
            f"{path} is not HDF5: it begins with {found!r}, not {_MAGIC!r}; give an .h5ad file"
        )


def _require_whole(path: Path) -> None:
    with open(path, "rb") as handle:
        stated = _stated_bytes(handle.read(96))
    found = path.stat().st_size
    if stated is None or found < stated:
        expected = "a whole header" if stated is None else f"{stated} bytes as its header says"
        raise UnsafeFileError(
            f"{path} is truncated: {found} bytes, not {expected}; fetch or copy it again"
        )


def _stated_bytes(head: bytes) -> int | None:
    """Return the end-of-file address in the superblock; None where the header ends before it."""
    # Layout: "HDF5 File Format Specification" 3.0, II.A; sizes of addresses differ by version.
    if len(head) < 16:
        return None
    version = head[8]
    width_at, base_at = {0: (13, 24), 1: (13, 28)}.get(version, (9, 12))
    code = _ADDRESS_FORMATS.get(head[width_at])
    if code is None:
        raise UnsafeFileError(f"HDF5 header with addresses of {head[width_at]} bytes; fetch again")
    at = base_at + 2 * head[width_at]
    if len(head) < at + head[width_at]:
        return None
    return int(struct.unpack_from(f"<{code}", head, at)[0])


def _require_self_contained(path: Path, file: h5py.File, declared: DeclaredBytes) -> None:
    soft_links: list[str] = []
    virtual: list[str] = []
    for name, found in _walk(path, file, soft_links):
        if not isinstance(found, h5py.Dataset):
            continue
        if found.external:
            raise UnsafeFileError(
                f"{path}: {name} keeps its values in another file ({found.external[0][0]!r}); "
                "write the file again with anndata, which stores everything inside"
            )
        if found.is_virtual:
            virtual.append(name)
            continue
        declared.add(name, _declared_bytes(found))
    # Only now is it certain that no path inside the file leads out of it.
    _require_targets(path, file, soft_links)
    for name in virtual:
        _require_own_sources(path, file, name)
        declared.add(name, _declared_bytes(file[name]))


def _walk(
    path: Path, file: h5py.File, soft_links: list[str]
) -> Iterator[tuple[str, h5py.Group | h5py.Dataset | h5py.Datatype]]:
    seen: set[int] = set()
    pending = ["/"]
    while pending:
        name = pending.pop()
        found = file[name]
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            continue
        seen.add(address)
        yield name, found
        if isinstance(found, h5py.Group):
            pending += _hard_members(path, name, found, soft_links)


def _hard_members(path: Path, name: str, group: h5py.Group, soft_links: list[str]) -> list[str]:
    members: list[str] = []
    for key in group:
        member = f"{name.rstrip('/')}/{key}"
        kind = group.id.links.get_info(group._e(key)).type
        if kind == h5py.h5l.TYPE_HARD:
            members.append(member)
        elif kind == h5py.h5l.TYPE_SOFT:
            soft_links.append(member)
        else:
            raise UnsafeFileError(
                f"{path}: {member} is a link out of the file ({_target(group, key)}); write the "
                "file again with anndata, which stores everything inside"
            )
    return members


def _target(group: h5py.Group, key: str) -> str:
    kind = group.id.links.get_info(group._e(key)).type
    if kind != h5py.h5l.TYPE_EXTERNAL:
        return f"user-defined link type {kind}"
    link = group.get(key, getlink=True)
    return f"{link.filename}:{link.path}"


def _require_targets(path: Path, file: h5py.File, soft_links: list[str]) -> None:
    for name in soft_links:
        if file.get(name) is None:
            link = file.get(name, getlink=True)
            raise UnsafeFileError(
                f"{path}: {name} points to {link.path!r}, which is not in the file; write the "
                "file again with anndata"
            )


def _require_own_sources(path: Path, file: h5py.File, name: str) -> None:
    # A virtual data set made of virtual ones can contain itself, and reading that crashes HDF5.
    for source in file[name].virtual_sources():
        inside = file.get(source.dset_name) if source.file_name == "." else None
        if not isinstance(inside, h5py.Dataset) or inside.is_virtual:
            raise UnsafeFileError(
                f"{path}: {name} is a view of {source.file_name}:{source.dset_name}, which is no "
                "plain data set of this file; write the file again with anndata"
            )


def _declared_bytes(dataset: h5py.Dataset) -> int:
    return int(dataset.size or 0) * int(dataset.id.get_type().get_size())
