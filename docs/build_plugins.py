"""Writes ``docs/plugins.md``: embedders and share stores with their settings, read from the code.

Run it after a plug-in changed: ``python docs/build_plugins.py``. A test refuses a stale page.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adata_assets.embedders.contract import embedder_names
from adata_assets.share import share_store_names

PAGE = Path(__file__).with_name("plugins.md")
HEAD = """# Embedders and share stores

One file is one plug-in; its name is what a dataset's YAML says. This page is made by
`python docs/build_plugins.py`.
"""


def build_page() -> str:
    """Return the page."""
    parts = [
        HEAD,
        "## Embedders",
        "",
        "In the YAML: `embedders: [{name: …, method: …, settings …}]`.",
    ]
    for name in embedder_names():
        parts += ["", *describe(f"adata_assets.embedders.{name}", "Embedder")]
    parts += ["", "## Share stores", "", "In the YAML: `share: {store: …, settings …}`."]
    for name in share_store_names():
        parts += ["", *describe(f"adata_assets.share.{name}", "Store")]
    # Docstrings mark code with two backticks, pages with one.
    return "\n".join(parts).replace("``", "`") + "\n"


def describe(module_name: str, kind: str) -> Iterator[str]:
    """Yield the section of one plug-in."""
    module = import_module(module_name)
    about = inspect.getdoc(module) or ""
    # The charter's first line begins with the method's own name, which is the heading here.
    first = re.sub(r"^``\w+``: ", "", about.split("\n")[0])
    yield f"### `{module_name.rpartition('.')[2]}`"
    yield ""
    yield first[:1].upper() + first[1:]
    plugin = getattr(module, kind)
    if version := getattr(plugin, "version", None):
        yield f"Version `{version}`. {inspect.getdoc(plugin) or ''}".split("\n")[0].strip()
    if citation := getattr(plugin, "citation", None):
        yield f"To be cited: {citation}"
    yield ""
    yield from describe_settings(module.Settings)


def describe_settings(settings: type[BaseModel]) -> Iterator[str]:
    """Yield a table of the fields of a settings model."""
    if not settings.model_fields:
        yield "It has no settings."
        return
    yield "| setting | type | default | meaning |"
    yield "|---|---|---|---|"
    meanings = documented_attributes(settings)
    for name, field in settings.model_fields.items():
        meaning = field.description or meanings.get(name, "")
        yield f"| `{name}` | `{type_name(field)}` | {default_of(field)} | {meaning} |"


def type_name(field: FieldInfo) -> str:
    """Return the type of a field as a YAML author reads it."""
    return str(getattr(field.annotation, "__name__", field.annotation)).replace("|", "or")


def default_of(field: FieldInfo) -> str:
    """Return the default of a field, or where it comes from."""
    if field.is_required():
        return "required"
    return "see meaning" if field.default_factory else f"`{field.default!r}`"


def documented_attributes(settings: type[BaseModel]) -> dict[str, str]:
    """Return the Attributes section of a class as one line per name."""
    text = (inspect.getdoc(settings) or "").partition("Attributes\n----------\n")[2]
    entries = re.findall(r"^(\w+)\n((?:    .*\n?)+)", text, flags=re.MULTILINE)
    return {name: " ".join(body.split()) for name, body in entries}


if __name__ == "__main__":
    PAGE.write_text(build_page(), encoding="utf-8")
