"""Addresses without secrets.

Belongs here: what of an address may be shown or stored, and what may stand in a YAML at all.
"""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from adata_assets.errors import InputError

_ADDRESS = re.compile(r"""\w+://[^\s"'<>)\]]+""")
# Shorter values are words that stand in texts by chance.
_SHORTEST_SECRET = 8
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|credential|private|signature|(api|access|rl)[-_]?key"
    r"|(^|[-_.])(sig|key|auth)($|[-_.])",
    re.IGNORECASE,
)


def redact(uri: str) -> str:
    """Return an address without user, query and fragment; a query leaves ``?…`` behind.

    Examples
    --------
    >>> redact("https://user:word@host.org/a.h5ad?token=1")
    'https://host.org/a.h5ad?…'
    >>> redact("../cells.h5ad")
    '../cells.h5ad'
    """
    if "://" not in uri or uri.startswith("file://"):
        return uri
    parts = urlsplit(uri)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return f"{shown}?…" if parts.query else shown


def hide_secrets(text: str) -> str:
    """Return a text whose addresses are redacted and that repeats no secret of the environment.

    Examples
    --------
    >>> hide_secrets("cut: https://user:word@host.org/a.h5ad?sig=1, twice")
    'cut: https://host.org/a.h5ad?… twice'
    """
    text = _ADDRESS.sub(lambda found: redact(found[0]), text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name):
            text = text.replace(value, f"${{{name}}}")
    return text


def require_no_secrets(uri: str) -> None:
    """Refuse an address that carries a password or a key, because YAMLs are shown and committed.

    Raises
    ------
    InputError
        Naming what is secret, never its value, and where it belongs.

    Examples
    --------
    >>> require_no_secrets("https://host.org/a.h5ad?download=1&token=${HOST_TOKEN}")
    """
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    if "@" in parts.netloc:
        raise InputError(
            f"source {redact(uri)!r} carries a user or a password: take it out of the YAML, and "
            f"put 'machine {host} login … password …' into ~/.netrc"
        )
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET_NAME.search(name) and not _VARIABLE.fullmatch(value):
            raise InputError(
                f"source {redact(uri)!r}: its parameter {name!r} looks like a secret: write "
                f"{name}=${{NAME}} and set the environment variable NAME to the value"
            )


def fill_variables(uri: str) -> str:
    """Return the address with every ``${NAME}`` of its query taken from the environment.

    Raises
    ------
    InputError
        If a variable is not set: names it.
    """
    before, mark, query = uri.partition("?")

    def value_of(match: re.Match[str]) -> str:
        value = os.environ.get(match[1])
        if value is None:
            raise InputError(
                f"source {redact(uri)!r}: the environment variable {match[1]} is not set; set it "
                "to the value that the address needs"
            )
        return value

    return before + mark + _VARIABLE.sub(value_of, query)
