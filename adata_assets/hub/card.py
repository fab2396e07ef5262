"""The dataset card (README.md): the template filled strictly.

Belongs here: filling the template and finding the code blocks of a card. Does not belong here:
the values (`card_parts`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import NewType

from adata_assets.errors import InputError
from adata_assets.hub.markdown import escape_markdown

CardFrontMatter = NewType("CardFrontMatter", str)

_TEMPLATE = "card_template.md"
_FENCE = "```"
# Values that stand inside Python code or an address must not be able to end it.
_PATTERNS = {
    "repo_id": r"[A-Za-z0-9_][\w.-]*(/[\w.-]+)*",
    "first_split": r"\w+(\.\w+)*",
    "example_share_link": r"https?://[^\s<>\"'()\[\]`]+",
}


def render_card(
    *, front_matter: CardFrontMatter, values: Mapping[str, str], template: str | None = None
) -> str:
    """Return the card.

    Parameters
    ----------
    front_matter
        YAML without the lines of dashes, as `card_parts.front_matter` makes it.
    values
        One Markdown text for each of `placeholders`; ``title`` and ``description`` are plain text
        and are escaped here. A ``$`` in a value stays as it is.
    template
        Another template than the one of this package.

    Raises
    ------
    InputError
        If a value is missing, is not used, or cannot stand in its place; if a placeholder of the
        template would be left in the card.
    """
    text = _read_template() if template is None else template
    _require_same_names(placeholders(text), values)
    _require_fitting(values)
    filled = {name: _fit(name, value) for name, value in values.items()}
    if not values.get("description", "").strip():
        text = text.replace("$description\n\n", "")
    return f"---\n{front_matter.strip()}\n---\n\n{Template(text).substitute(filled)}"


def placeholders(template: str | None = None) -> list[str]:
    """Return the names that the template wants, in their order.

    Raises
    ------
    InputError
        If the template has a ``$`` that is no placeholder.

    Examples
    --------
    >>> placeholders("$title has $cs_length genes")
    ['title', 'cs_length']
    """
    text = _read_template() if template is None else template
    # A doubled dollar would put a literal "$name" into the card.
    if "$$" in text or not Template(text).is_valid():
        found = re.findall(r"\$\$\w*|\$(?![A-Za-z_{]).{0,10}", text)
        raise InputError(f"card template: {found[:3]} would leave a '$' in the card; remove it")
    return Template(text).get_identifiers()


def code_blocks(card: str) -> list[str]:
    r"""Return the text of the Python blocks, in order.

    Examples
    --------
    >>> code_blocks("Text\n```python\nx = 1\n```\n```\nno code\n```\n")
    ['x = 1\n']
    """
    return re.findall(r"^```python\n(.*?)^```$", card, flags=re.MULTILINE | re.DOTALL)


def _fit(name: str, value: str) -> str:
    if name == "title":
        return " ".join(escape_markdown(value).split())
    return escape_markdown(value) if name == "description" else value.strip("\n")


def _read_template() -> str:
    return (files("adata_assets.hub") / _TEMPLATE).read_text(encoding="utf-8")


def _require_same_names(wanted: list[str], values: Mapping[str, str]) -> None:
    if missing := sorted(set(wanted) - set(values)):
        raise InputError(f"card: no value for {missing}; the template wants {wanted}")
    if unused := sorted(set(values) - set(wanted)):
        raise InputError(f"card: {unused} are not used; the template wants {wanted}")


def _require_fitting(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if not value.strip() and name != "description":
            raise InputError(f"card: the value of {name} is empty")
        pattern = _PATTERNS.get(name)
        if pattern is not None and not re.fullmatch(pattern, value):
            raise InputError(f"card: {name} is {value!r}, which does not match {pattern}")
    lines = values.get("example_data_formatted", "").splitlines()
    if broken := [line for line in lines if line.lstrip().startswith(_FENCE)]:
        raise InputError(
            f"card: example_data_formatted has a line that ends its block: {broken[0]!r}"
        )
