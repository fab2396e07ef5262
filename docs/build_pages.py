"""Writes ``docs/plugins.md`` and ``docs/dataset_yaml.md`` from the code that they describe.

Run it after a plug-in or the spec changed: ``python docs/build_pages.py``. A test refuses a stale page.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adata_assets.embedders.contract import embedder_names
from adata_assets.share import share_store_names
from adata_assets.sources.opening import scheme_names
from adata_assets.spec import DatasetSpec

FOLDER = Path(__file__).parent
PLUGINS = """# Sources, embedders and share stores

One file is one plug-in; its name is what a dataset's YAML says. This page is made by
`python docs/build_pages.py`.
"""
DATASET_YAML = """# What a dataset's YAML may say

Every field of `attributes` in `adata_assets/defs/<dataset_id>/defs.yaml`. Anything else is refused with the file and the
field. This page is made by `python docs/build_pages.py`.
"""


def build_pages() -> dict[Path, str]:
    """Return the text of every page."""
    return {
        FOLDER / "plugins.md": build_plugins_page(),
        FOLDER / "dataset_yaml.md": build_yaml_page(),
    }


def build_yaml_page() -> str:
    """Return the page of the fields of a dataset."""
    parts = [DATASET_YAML, *describe_settings(DatasetSpec, without=("dataset_id",))]
    for field in DatasetSpec.model_fields.values():
        parts += [
            line
            for model in models_of(field.annotation)
            for line in ("", f"## `{model.__name__}`", "", *describe_model(model))
        ]
    return "\n".join(parts).replace("``", "`") + "\n"


def describe_model(model: type[BaseModel]) -> Iterator[str]:
    """Yield the section of one part of the spec."""
    yield " ".join((inspect.getdoc(model) or "").split())
    yield ""
    yield from describe_settings(model)
    for field in model.model_fields.values():
        for part in models_of(field.annotation):
            yield from ("", f"## `{part.__name__}`", "", *describe_model(part))


def models_of(annotation: object) -> list[type[BaseModel]]:
    """Return the parts of the spec that a field can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found = [model for part in get_args(annotation) for model in models_of(part)]
    return list(dict.fromkeys(found))


def build_plugins_page() -> str:
    """Return the page of the plug-ins."""
    parts = [
        PLUGINS,
        "## Sources",
        "",
        "In the YAML: `source: <address>`, or a list of addresses.",
        "",
        "| scheme | what it is |",
        "|---|---|",
    ]
    for name in scheme_names():
        about = inspect.getdoc(import_module(f"adata_assets.sources.schemes.{name}")) or ""
        parts.append(f"| `{name}` | {' '.join(about.split())} |")
    parts += [
        "",
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


def describe_settings(settings: type[BaseModel], *, without: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a table of the fields of a settings model."""
    if not settings.model_fields:
        yield "It has no settings."
        return
    yield "| setting | type | default | meaning |"
    yield "|---|---|---|---|"
    meanings = documented_attributes(settings)
    for name, field in settings.model_fields.items():
        if name in without:
            continue
        meaning = field.description or meanings.get(name, "")
        yield f"| `{name}` | `{type_name(field)}` | {default_of(field)} | {meaning} |"


def type_name(field: FieldInfo) -> str:
    """Return the type of a field as a YAML author reads it."""
    if get_args(field.annotation) or not isinstance(field.annotation, type):
        plain = re.sub(r"\b(?:[a-z_]+\.)+(\w+)", r"\1", str(field.annotation))
        return plain.replace("|", "or").replace("NoneType", "None")
    return field.annotation.__name__


def default_of(field: FieldInfo) -> str:
    """Return the default of a field, or where it comes from."""
    if field.is_required():
        return "required"
    if field.default_factory or isinstance(field.default, BaseModel):
        return "see there" if isinstance(field.default, BaseModel) else "see meaning"
    return f"`{field.default!r}`"


def documented_attributes(settings: type[BaseModel]) -> dict[str, str]:
    """Return the Attributes section of a class as one line per name."""
    text = (inspect.getdoc(settings) or "").partition("Attributes\n----------\n")[2]
    entries = re.findall(r"^(\w+)\n((?:    .*\n?)+)", text, flags=re.MULTILINE)
    return {name: " ".join(body.split()) for name, body in entries}


if __name__ == "__main__":
    for page, text in build_pages().items():
        page.write_text(text, encoding="utf-8")
