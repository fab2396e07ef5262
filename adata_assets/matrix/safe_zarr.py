"""Whether a foreign zarr folder may be opened at all.

Belongs here: what a folder of zarr can do beyond holding data. Does not belong here: whether the
data make sense.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adata_assets.matrix.safe_rules import (
    DeclaredBytes,
    UnsafeFileError,
    require_anndata_layout,
)
from adata_assets.matrix.store import open_store

_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
# Consolidated metadata of thousands of columns take a few MB.
_MAX_METADATA_BYTES = 64 << 20
_CODECS = {
    *("bytes", "endian", "transpose", "sharding_indexed", "vlen-utf8", "vlen-bytes"),
    *("blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma"),
    *("shuffle", "delta", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"),
}
# What a pointer and a length take; the text itself is bounded by what is stored.
_TEXT_BYTES = 16


def require_safe_zarr(path: Path, max_declared_bytes: int | None) -> None:
    """Refuse a zarr folder as `adata_assets.matrix.safe.require_safe_h5ad` says."""
    n_bytes, metadata = _survey(path)
    if not {path / "zarr.json", path / ".zgroup"} & set(metadata):
        raise UnsafeFileError(
            f"{path} is no zarr group: it has neither zarr.json nor .zgroup; give the folder that "
            "anndata wrote, unzipped"
        )
    declared = DeclaredBytes(path, n_bytes, max_declared_bytes)
    for file in metadata:
        _require_plain_array(path, file, _read_metadata(path, file), declared)
    try:
        with open_store(path) as store:
            require_anndata_layout(path, store)
    except UnsafeFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UnsafeFileError(
            f"{path} is damaged: zarr says {str(error)!r}; copy or write it again"
        ) from error


def _survey(path: Path) -> tuple[int, list[Path]]:
    """Return the size of all files together and the metadata among them."""
    n_bytes, metadata = 0, []
    for entry in _iter_files(path):
        n_bytes += entry.stat(follow_symlinks=False).st_size
        if entry.name in _METADATA:
            metadata.append(Path(entry.path))
    old = {file.parent for file in metadata if file.name in (".zarray", ".zgroup")}
    for file in metadata:
        if file.name == "zarr.json" and file.parent in old:
            raise UnsafeFileError(
                f"{path}: {_name(path, file)} is stored in zarr formats 2 and 3 at once, which "
                "may differ; write it again"
            )
    return n_bytes, sorted(metadata)


def _iter_files(path: Path) -> Iterator[os.DirEntry[str]]:
    pending = [str(path)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry
                else:
                    kind = "a link" if entry.is_symlink() else "no plain file"
                    raise UnsafeFileError(
                        f"{path}: {Path(entry.path).relative_to(path)} is {kind}; copy the folder "
                        "with its contents (cp -rL)"
                    )


def _read_metadata(path: Path, file: Path) -> dict[str, Any]:
    if (n_bytes := file.stat().st_size) > _MAX_METADATA_BYTES:
        raise UnsafeFileError(
            f"{path}: {file.relative_to(path)} has {n_bytes} bytes, more than the "
            f"{_MAX_METADATA_BYTES} that metadata may take; write it again"
        )
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnsafeFileError(
            f"{path}: {file.relative_to(path)} is damaged ({error}); copy or write it again"
        ) from error
    if not isinstance(found, dict):
        raise UnsafeFileError(
            f"{path}: {file.relative_to(path)} holds a {type(found).__name__}, not metadata; "
            "write it again"
        )
    return found


def _require_plain_array(
    path: Path, file: Path, metadata: dict[str, Any], declared: DeclaredBytes
) -> None:
    is_old = file.name == ".zarray"
    if not is_old and metadata.get("node_type") != "array":
        return
    name = _name(path, file)
    try:
        codecs = set(_codecs_of(metadata))
        if unknown := sorted(codecs - _CODECS):
            raise UnsafeFileError(
                f"{path}: {name} is stored with codec {unknown[0]!r}, which is not plain data; "
                "write it again with anndata"
            )
        item_bytes = _item_bytes_2(metadata["dtype"]) if is_old else _item_bytes_3(metadata)
        n_stored = _n_items(metadata["shape"])
        n_chunk = _n_items(_chunk_shape(metadata))
    except UnsafeFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UnsafeFileError(
            f"{path}: the metadata of {name} cannot be understood ({error!r}); write it again "
            "with anndata"
        ) from error
    declared.add(name, n_stored * item_bytes)
    # A whole chunk is decoded even where one value of it is wanted.
    declared.require(f"one chunk of {name}", n_chunk * item_bytes)


def _name(path: Path, file: Path) -> str:
    return "/" + file.parent.relative_to(path).as_posix().removeprefix(".")


def _codecs_of(metadata: dict[str, Any]) -> Iterator[str]:
    stated = [*(metadata.get("filters") or ()), metadata.get("compressor")]
    for codec in [*stated, *metadata.get("codecs", ())]:
        if codec is None:
            continue
        if isinstance(codec, str):
            yield codec
            continue
        yield str(codec.get("id") or codec["name"]).removeprefix("numcodecs.")
        inner = codec.get("configuration") or {}
        for key in ("codecs", "index_codecs"):
            yield from _codecs_of({"codecs": inner.get(key, ())})


def _chunk_shape(metadata: dict[str, Any]) -> list[int]:
    if "chunks" in metadata:
        return list(metadata["chunks"])
    for codec in metadata["codecs"]:
        # Of a shard single chunks are read.
        if isinstance(codec, dict) and codec["name"] == "sharding_indexed":
            return list(codec["configuration"]["chunk_shape"])
    return list(metadata["chunk_grid"]["configuration"]["chunk_shape"])


def _n_items(shape: list[int]) -> int:
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"shape {shape}")
    return math.prod(shape)


def _item_bytes_2(stated: str | list[Any]) -> int:
    dtype = np.dtype(stated if isinstance(stated, str) else [tuple(field) for field in stated])
    if dtype.kind == "O":
        return _TEXT_BYTES
    if dtype.hasobject:
        raise ValueError(f"objects within {stated} are no plain data")
    return dtype.itemsize


def _item_bytes_3(metadata: dict[str, Any]) -> int:
    stated = metadata["data_type"]
    if isinstance(stated, str):
        bits = re.search(r"\d+$", stated)
        return -(-int(bits[0]) // 8) if bits else _TEXT_BYTES
    found = stated.get("configuration") or {}
    fields = found.get("fields", ())
    own = _n_items([found.get("length_bytes", 0 if fields else _TEXT_BYTES)])
    return own + sum(_item_bytes_3({"data_type": data_type}) for _, data_type in fields)
