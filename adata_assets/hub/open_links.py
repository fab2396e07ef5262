"""Which links others can open: a published row must not lead to the machine that made it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.compute as pc
import pyarrow.parquet as pq

from adata_assets.errors import InputError


def require_open_links(shards: Sequence[Path]) -> None:
    """Refuse rows whose links only this machine can open.

    Raises
    ------
    InputError
        Names the first such link, its file and column, and the way out.
    """
    for shard in shards:
        for column, link in _iter_links(shard):
            if not is_open_link(link):
                raise InputError(
                    f"{shard.name}, {column}: {str(link).split('?')[0]} can be opened on this "
                    "machine only and must not be published: set share.base_url to the address "
                    "under which others reach the files, or share.store to another store"
                )


def require_lasting_links(end: str | None, *, accept_expiring: bool) -> None:
    """Refuse to publish links that end, unless that is accepted.

    Parameters
    ----------
    end
        When the first link ends, ISO time with zone; None: never.

    Raises
    ------
    InputError
        Says when, and the two ways out.
    """
    if end is not None and not accept_expiring:
        raise InputError(
            f"the links of the rows end at {end}: a release with them is of no use afterwards; choose "
            "a store whose links do not end, or set publish.accept_expiring_links to true"
        )


def is_open_link(link: str | None) -> bool:
    """Whether a link is http(s) and its host is not this machine; nothing is looked up.

    Examples
    --------
    >>> is_open_link("https://cells.example.org/a.h5ad")
    True
    >>> is_open_link("http://127.1:8765/a.h5ad"), is_open_link("/data/a.zarr")
    (False, False)
    """
    try:
        parts = urlsplit(link or "")
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    if host.split(".")[-1] == "localhost":
        return False
    address = _read_address(host)
    return address is None or not (
        address.is_loopback or address.is_unspecified or address.is_link_local
    )


def _read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # Clients also open the short and the hexadecimal forms, 127.1 and 0x7f000001.
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address


def _iter_links(shard: Path) -> Iterator[tuple[str, str | None]]:
    with pq.ParquetFile(shard, page_checksum_verification=True) as file:
        columns = [name for name in file.schema_arrow.names if name.endswith("_link")]
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=columns)
            for name in columns:
                yield from ((name, link) for link in pc.unique(rows[name]).to_pylist())
