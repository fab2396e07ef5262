"""Text from data as Markdown that cannot break out of its place.

Belongs here: escaping, code spans, tables. Does not belong here: what a card says.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence


def escape_markdown(text: str) -> str:
    r"""Return text that Markdown shows as it is: no HTML, no emphasis, no headings, no fences.

    Examples
    --------
    >>> escape_markdown("<b>*CD8* | T_cell")
    '&lt;b&gt;\\*CD8\\* \\| T_cell'
    """
    lines = (_escape_line(line.strip()) for line in text.strip().splitlines())
    return "\n".join(lines)


def code_span(text: str) -> str:
    """Return the text as one line of inline code, whatever backticks it holds.

    Examples
    --------
    >>> code_span("X_pca"), code_span("a`b")
    ('`X_pca`', '`` a`b ``')
    """
    line = " ".join(text.split())
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (max(len(run) for run in re.findall("`+", line)) + 1)
    return f"{fence} {line} {fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown of one line, numbers stand in the last column.

    Examples
    --------
    >>> print(table(["split", "cells"], [["`train`", "560"]]))
    | split | cells |
    | --- | ---: |
    | `train` | 560 |
    """
    rule = ["---"] * (len(header) - 1) + ["---:"]
    lines = ([re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(header), rule, *lines])


def _escape_line(line: str) -> str:
    line = re.sub(r"([\\`*\[\]{}|~!])", r"\\\1", html.escape(line, quote=False))
    # An underscore inside a word is no emphasis, and escaping it would break bare addresses.
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)
    line = re.sub(r"^([-+=#])", r"\\\1", line)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
