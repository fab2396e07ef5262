"""From the address in a YAML to the source that it names.

Belongs here: finding the scheme. One module below ``schemes`` is one scheme, found by its name and
imported when asked for; no list has to be extended.
"""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import cast

from adata_assets.errors import InputError
from adata_assets.sources.contract import Source
from adata_assets.sources.redact import redact
from adata_assets.spec import DatasetSpec, SourceSpec

_SCHEMES = "adata_assets.sources.schemes"


def scheme_names() -> list[str]:
    """Return the names of all schemes, sorted; imports none of them.

    Examples
    --------
    >>> {"file", "https", "s3"} <= set(scheme_names())
    True
    """
    names = (entry.name for entry in files(_SCHEMES).iterdir())
    return sorted(
        name.removesuffix(".py") for name in names if name.endswith(".py") and name[0] != "_"
    )


def open_source(spec: SourceSpec, folder: Path | None) -> Source:
    """Return the source that an address names; nothing is looked at yet.

    Parameters
    ----------
    spec
        Its address: a path, or ``<scheme>://…``.
    folder
        Where a relative path begins.

    Raises
    ------
    InputError
        If there is no such scheme (lists those that there are), or the address cannot be one of
        its scheme.
    """
    before, mark, _ = spec.uri.partition("://")
    scheme, names = before.lower() if mark else "file", scheme_names()
    if scheme not in names:
        known = ", ".join(f"{name}://" for name in names)
        raise InputError(
            f"source {redact(spec.uri)!r}: unknown scheme {scheme!r}; give a path or one of {known}"
        )
    return cast("Source", import_module(f"{_SCHEMES}.{scheme}").Source(spec, folder=folder))


def open_sources(spec: DatasetSpec, folder: Path | None) -> dict[str, Source]:
    """Return the sources of a dataset by label, in the order of the YAML.

    Raises
    ------
    InputError
        As `open_source`.
    """
    return {source.label: open_source(source, folder) for source in spec.sources}
