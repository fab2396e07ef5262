"""Sources that are asked for ranges of bytes: http, https, s3.

Belongs here: fetching one file, and reading a header from afar.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from adata_assets.errors import InputError
from adata_assets.sources import contract
from adata_assets.sources.contract import Sighting, SourceChangedError, UncountableError
from adata_assets.sources.download import (
    Stream,
    TryAgainError,
    download,
    move_into,
    own_part,
    require_hdf5,
    require_room,
    with_retries,
)
from adata_assets.sources.files import sha256_of_source
from adata_assets.sources.raw import require_sha256

if TYPE_CHECKING:
    import h5py

# A header lies in pieces all over the file; an answer costs about as much as so many bytes.
_RANGE_BYTES = 1 << 16


class RemoteSource(contract.Source):
    """A file that a server gives in ranges; a scheme adds `look` and `open_range`."""

    @abstractmethod
    def open_range(
        self, sighting: Sighting, start: int, stop: int | None = None
    ) -> AbstractContextManager[Stream]:
        """Open the file that was seen from ``start`` on.

        Raises
        ------
        TryAgainError
            If it is worth asking again.
        SourceChangedError
            If the file is another by now.
        InputError
            If the server refuses.
        """

    def fetch(self, sighting: Sighting, *, folder: Path, scratch: Path) -> Path:
        """Download the file; a part of the same version is gone on with."""
        target = folder / f"{self.spec.label}.h5ad"
        with own_part(scratch, self.spec.uri, sighting.version) as part:
            path = Path(part.name)
            require_room(path.parent, (sighting.n_bytes or 0) - path.stat().st_size)
            if folder.stat().st_dev != path.stat().st_dev:
                require_room(folder, sighting.n_bytes or 0)
            download(
                self.uri, lambda start: self.open_range(sighting, start), part, sighting.n_bytes
            )
            try:
                part.seek(0)
                require_hdf5(self.uri, part.read(512))
                self._require_content(path, sighting)
            except InputError:
                path.unlink()
                raise
            move_into(path, target)
        return target

    def count_obs(self) -> int:
        """Return the number of cells, read from the header through ranges."""
        import h5py

        sighting = self.look()
        reader = _RangeReader(self, sighting)
        try:
            with reader, h5py.File(reader, "r") as file:
                return _count_obs(self.uri, file)
        except (OSError, RuntimeError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.uri}: cannot read the number of cells ({error}): not an h5ad file?"
            ) from error

    def _require_content(self, path: Path, sighting: Sighting) -> None:
        if self.spec.sha256 or "sha256" in sighting.details:
            found = sha256_of_source(path)
            require_sha256(self.uri, found, self.spec.sha256)
            if found != sighting.details.get("sha256", found):
                raise SourceChangedError(
                    f"{self.uri}: it changed while it was read (sha256 "
                    f"{sighting.version[:12]} -> {found[:12]}); materialize again"
                )


class _RangeReader(io.RawIOBase):
    """A remote file as a file object; each read is one range of one version."""

    def __init__(self, source: RemoteSource, sighting: Sighting) -> None:
        if sighting.n_bytes is None or not sighting.details.get("has_ranges", True):
            raise UncountableError(
                f"{source.uri}: its server gives whole files only, so the number of cells cannot "
                "be read before it is fetched; give chunks.count instead of chunks.size"
            )
        self._source, self._sighting, self._at = source, sighting, 0
        self._n_bytes = sighting.n_bytes
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._n_bytes)[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        n_read = 0
        while n_read < len(buffer) and self._at < self._n_bytes:
            number, skipped = divmod(self._at, _RANGE_BYTES)
            found = self._block(number)[skipped : skipped + len(buffer) - n_read]
            buffer[n_read : n_read + len(found)] = found
            n_read += len(found)
            self._at += len(found)
        return n_read

    def _block(self, number: int) -> bytes:
        # HDF5 comes back to the same places again and again.
        if number not in self._blocks:
            start = number * _RANGE_BYTES
            stop = min(start + _RANGE_BYTES, self._n_bytes)
            self._blocks[number] = with_retries(self._source.uri, lambda: self._ask(start, stop))
        return self._blocks[number]

    def _ask(self, start: int, stop: int) -> bytes:
        with self._source.open_range(self._sighting, start, stop) as stream:
            found = b"".join(stream.blocks)
        if len(found) != stop - start:
            raise TryAgainError("another length than asked for")
        return found


def _count_obs(place: str, file: h5py.File) -> int:
    import h5py

    obs = _own(place, file, "obs")
    if isinstance(obs, h5py.Dataset):  # files of anndata before 0.7
        return int(obs.shape[0])
    index = _own(place, obs, obs.attrs["_index"])
    if isinstance(index, h5py.Group):
        index = _own(place, index, "codes" if "codes" in index else "values")
    return int(index.shape[0])


def _own(place: str, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    import h5py

    # The scan for links out of the file needs the whole file; here no link at all is followed.
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise InputError(
            f"{place}: {group.name}/{name} is missing or a link; write the file again with anndata"
        )
    return group[name]
