"""``s3://<bucket>/<key>``: an object, or below a key that ends in ``.zarr`` a zarr folder.

Credentials and endpoint come from the environment (``AWS_*``); without credentials the bucket is
asked as anybody may.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from adata_assets.artefact import hash_of
from adata_assets.errors import InputError
from adata_assets.sources.contract import Sighting
from adata_assets.sources.download import (
    HDF5_MAGIC,
    Stream,
    download,
    move_into,
    own_part,
    require_hdf5,
    require_room,
    with_retries,
)
from adata_assets.sources.files import ZARR_SUFFIX
from adata_assets.sources.redact import require_no_secrets
from adata_assets.sources.remote import RemoteSource
from adata_assets.sources.s3_objects import Bucket
from adata_assets.sources.zarr_header import count_zarr_obs
from adata_assets.spec import SourceSpec


class Source(RemoteSource):
    """An object or zarr folder in a bucket; its version is the ETag, or the hash of all ETags."""

    def __init__(self, spec: SourceSpec, *, folder: Path | None) -> None:
        super().__init__(spec, folder=folder)
        require_no_secrets(spec.uri)
        bucket, _, key = spec.uri.partition("://")[2].partition("/")
        if not bucket or not key:
            raise InputError(f"source {self.uri!r}: give s3://<bucket>/<key>")
        self._key = key.rstrip("/")
        self._bucket = Bucket(bucket, place=self.uri)

    @property
    def is_zarr(self) -> bool:
        """Whether it is a folder of objects."""
        return self._key.endswith(ZARR_SUFFIX)

    def look(self, known: Mapping[str, Any] | None = None) -> Sighting:
        """Ask for the first bytes of the object, or list the objects of the folder."""
        return with_retries(self.uri, self._look_at_folder if self.is_zarr else self._look)

    def open_range(
        self, sighting: Sighting, start: int, stop: int | None = None
    ) -> AbstractContextManager[Stream]:
        """Open the object if it is still the one that was seen."""
        return self._bucket.open(self._key, sighting.details["etag"], start, stop)

    def fetch(self, sighting: Sighting, *, folder: Path, scratch: Path) -> Path:
        """Download the object, or the folder object by object; goes on where it stopped."""
        if not self.is_zarr:
            return super().fetch(sighting, folder=folder, scratch=scratch)
        target = folder / f"{self.spec.label}{ZARR_SUFFIX}"
        with own_part(scratch, self.spec.uri, sighting.version) as lock:
            parts = Path(f"{lock.name}s")
            for place in (Path(lock.name).parent, folder):
                require_room(place, sighting.n_bytes or 0)
            for name, (etag, n_bytes) in sighting.details["objects"].items():
                self._fetch_object(parts, name, etag, n_bytes)
            try:
                self._require_content(parts, sighting)
            except InputError:
                shutil.rmtree(parts)
                Path(lock.name).unlink()
                raise
            move_into(parts, target)
            Path(lock.name).unlink()
        return target

    def count_obs(self) -> int:
        """Return the number of cells, read from the header through ranges."""
        if not self.is_zarr:
            return super().count_obs()
        objects = self.look().details["objects"]

        def read(name: str) -> bytes | None:
            if name not in objects:
                return None
            return with_retries(self.uri, lambda: self._read_object(name, objects[name][0]))

        return count_zarr_obs(self.uri, read)

    def _look(self) -> Sighting:
        found, start = self._bucket.peek(self._key, len(HDF5_MAGIC))
        require_hdf5(self.uri, start)
        return Sighting(self.uri, found.version, found.n_bytes, {"etag": found.etag})

    def _look_at_folder(self) -> Sighting:
        found = self._bucket.list_objects(f"{self._key}/")
        if not found:
            raise InputError(f"{self.uri}: nothing is stored below it; correct source in the YAML")
        objects = {name: [each.etag, each.n_bytes] for name, each in sorted(found.items())}
        n_bytes = sum(each.n_bytes for each in found.values())
        return Sighting(self.uri, hash_of(objects), n_bytes, {"objects": objects})

    def _fetch_object(self, parts: Path, name: str, etag: str, n_bytes: int) -> None:
        path = parts / name
        if path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another name until it is whole: the folder is gone on with after a kill.
        part = path.with_name(f"{path.name}.part")
        with open(part, "a+b") as handle:
            download(
                f"{self.uri}/{name}",
                lambda start: self._bucket.open(f"{self._key}/{name}", etag, start, None),
                handle,
                n_bytes,
            )
        part.rename(path)

    def _read_object(self, name: str, etag: str) -> bytes:
        with self._bucket.open(f"{self._key}/{name}", etag, 0, None) as stream:
            return b"".join(stream.blocks)
