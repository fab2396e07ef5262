"""A proposal as commented YAML text.

Belongs here: comments, quoting and line breaks. What is proposed is in ``proposal``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from adata_assets.annotation.values import clean_text
from adata_assets.onboarding.proposal import Field, Proposal

TYPE = "adata_assets.AdataDataset"
_WIDTH = 100


def write_yaml(proposal: Proposal) -> str:
    """Return the text of ``defs.yaml``; read back it is ``proposal.attributes``.

    Examples
    --------
    >>> text = write_yaml(Proposal(("Proposed.",), (Field("keys", {"group": "donor: 1"}),)))
    >>> print(text)
    # Proposed.
    type: adata_assets.AdataDataset
    attributes:
      keys:
        group: 'donor: 1'
    <BLANKLINE>
    >>> yaml.safe_load(text)["attributes"]
    {'keys': {'group': 'donor: 1'}}
    """
    lines = [*_comment(proposal.heading, ""), f"type: {TYPE}", "attributes:"]
    for field in proposal.fields:
        lines += _comment(field.comments, "  ")
        lines += _dump(field) if field.value is not None else _show(field)
    return "\n".join(lines) + "\n"


def _comment(texts: tuple[str, ...], indent: str) -> Iterator[str]:
    for text in texts:
        for line in textwrap.wrap(clean_text(text), _WIDTH - len(indent) - 2):
            yield f"{indent}# {line}"


def _show(field: Field) -> Iterator[str]:
    if field.example:
        yield f"  # {field.example}"


def _dump(field: Field) -> Iterator[str]:
    value: Any = field.value
    text = yaml.safe_dump(
        {field.name: value}, sort_keys=False, allow_unicode=True, width=10_000, indent=2
    )
    yield from (f"  {line}" for line in text.splitlines())
