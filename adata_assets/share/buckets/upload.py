"""How one file gets into a bucket: in one request, or in parts that a later call goes on with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from adata_assets.share.buckets.bucket import Part, SharedBucket, Upload, UploadGoneError
from adata_assets.share.contract import Progress

# One part is in memory at a time. Amazon takes no parts below 5 MiB and no more than 10,000.
_PART_BYTES = 16 << 20
_MAX_PARTS = 10_000


def send_file(bucket: SharedBucket, key: str, file: Path, sha256: str, report: Progress) -> None:
    """Send the file; when it was sent in parts, no other upload of this key is left.

    Does not say whether the object is there in the end: an upload that another process has ended
    meanwhile is given up. Ask for the object.

    Parameters
    ----------
    report
        Called after each part, with those that had arrived before.
    """
    n_bytes = file.stat().st_size
    if n_bytes <= _PART_BYTES:
        bucket.put(key, file.read_bytes(), sha256)
        report(n_bytes, n_bytes)
        return
    try:
        _send_parts(bucket, key, file, sha256, report)
    except UploadGoneError:
        return
    for stray in _uploads_of(bucket, key):
        bucket.abort(stray)


def _send_parts(bucket: SharedBucket, key: str, file: Path, sha256: str, report: Progress) -> None:
    n_bytes, n_there = file.stat().st_size, 0
    upload, arrived = _find_upload(bucket, key) or (bucket.create_upload(key, sha256), {})
    etags = []
    for number, body in enumerate(_read_parts(file, _part_bytes(n_bytes)), start=1):
        part = Part(hashlib.md5(body, usedforsecurity=False).hexdigest(), len(body))
        is_there = arrived.get(number) == part
        etags.append(part.etag if is_there else bucket.put_part(upload, number, body))
        n_there += len(body)
        report(n_there, n_bytes)
    bucket.complete(upload, etags)


def _find_upload(bucket: SharedBucket, key: str) -> tuple[Upload, dict[int, Part]] | None:
    """Return the unfinished upload of which most bytes have arrived."""
    found = [(upload, bucket.list_parts(upload)) for upload in _uploads_of(bucket, key)]
    return max(found, key=lambda each: sum(part.n_bytes for part in each[1].values()), default=None)


def _uploads_of(bucket: SharedBucket, key: str) -> list[Upload]:
    return [upload for upload in bucket.list_uploads(key) if upload.key == key]


def _part_bytes(n_bytes: int) -> int:
    return max(_PART_BYTES, -(-n_bytes // _MAX_PARTS))


def _read_parts(file: Path, part_bytes: int) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while body := stream.read(part_bytes):
            yield body
