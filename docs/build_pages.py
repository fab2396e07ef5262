"""Writes the reference pages of ``docs`` from the code that they describe.

Run it after a plug-in, the spec, a schema or a package changed: ``python docs/build_pages.py``. A test
refuses a stale page.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pandera.pandas as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adata_assets.embedders.contract import embedder_names
from adata_assets.schemas import annotated, chunked, leakage, scorecard
from adata_assets.schemas.rows import FORMATS_OF_ROWS, row_schema
from adata_assets.share import share_store_names
from adata_assets.sources.opening import scheme_names
from adata_assets.spec import DatasetSpec
from adata_assets_tests.repository.test_imports import LAYERS

FOLDER = Path(__file__).parent
PLUGINS = """# Sources, embedders and share stores

One file is one plug-in; its name is what a dataset's YAML says. This page is made by
`python docs/build_pages.py`.
"""
DATASET_YAML = """# What a dataset's YAML may say

Every field of `attributes` in `adata_assets/defs/<dataset_id>/defs.yaml`. Anything else is refused with the file and the
field. This page is made by `python docs/build_pages.py`.
"""
TABLES = """# Tables

Every table that crosses a stage, with the columns that its schema promises; the same words stand in the *Columns* of each asset in
the UI. Nothing that breaks a schema is stored as good: the check of the same name lists all broken rows. This page is made by
`python docs/build_pages.py`.
"""
LAYERS_PAGE = """# Layers

What belongs in each part of the package, in the order of the picture in [architecture.md](architecture.md#layers), which shows who
may import whom. This page is made by `python docs/build_pages.py`.
"""
PICTURE_BEGINS = "<!-- made by docs/build_pages.py: -->\n"
PICTURE_ENDS = "<!-- until here -->\n"
SCHEMAS = {
    "annotated_obs": ("ObsSchema", annotated.ObsSchema),
    "annotated_obs, genes": ("VarSchema", annotated.VarSchema),
    "ledger": ("LedgerSchema", annotated.LedgerSchema),
    "gene_stats": ("GeneStatsSchema", chunked.GeneStatsSchema),
    "gene_stats, markers": ("MarkerSchema", chunked.MarkerSchema),
    "embeddings/<embedder>": ("EmbeddingSchema", chunked.EmbeddingSchema),
    "cell_texts": ("LabelTextSchema", chunked.LabelTextSchema),
    "share_links": ("ShareLinkSchema", chunked.ShareLinkSchema),
    "leakage, shared keys": ("SharedKeySchema", leakage.SharedKeySchema),
    "leakage, equal cells": ("SharedCellSchema", leakage.SharedCellSchema),
    "leakage, probe": ("LeakageProbeSchema", leakage.LeakageProbeSchema),
    "embedding_scorecard": ("ScorecardSchema", scorecard.ScorecardSchema),
}


def build_pages() -> dict[Path, str]:
    """Return the text of every page."""
    return {
        FOLDER / "plugins.md": build_plugins_page(),
        FOLDER / "dataset_yaml.md": build_yaml_page(),
        FOLDER / "tables.md": build_tables_page(),
        FOLDER / "layers.md": build_layers_page(),
        FOLDER / "architecture.md": build_architecture_page(),
    }


def build_tables_page() -> str:
    """Return the page of the tables: those of the stages, then the rows of each format."""
    parts = [TABLES]
    for stage, (name, model) in SCHEMAS.items():
        about = " ".join((inspect.getdoc(model) or "").split())
        parts += [f"## `{stage}`", "", f"`{name}`. {about}", ""]
        parts += [*describe_columns(model.to_schema()), ""]
    for name in FORMATS_OF_ROWS:
        n_slots = 2 if name == "multiplets" else 0
        keys = ("cell_sentence_1", "cell_sentence_2")
        schema = row_schema(name, sentence_keys=keys, negatives_per_sample=n_slots)
        parts += [f"## `hf_splits`, {name}", "", f"Rows of the format `{name}`, in this order.", ""]
        parts += [*describe_columns(schema), ""]
    return "\n".join(parts).replace("``", "`")


def describe_columns(schema: pa.DataFrameSchema) -> Iterator[str]:
    """Yield a table of the columns of a schema."""
    yield "| column | type | may be missing | meaning |"
    yield "|---|---|---|---|"
    for name, column in schema.columns.items():
        missing = "yes" if column.nullable else "no"
        yield f"| `{name}` | `{column.dtype}` | {missing} | {column.description or ''} |"


def build_layers_page() -> str:
    """Return the page of the layers: the charter of every part."""
    parts = [LAYERS_PAGE, "| part | what belongs in it |", "|---|---|"]
    for part in (part for layer in LAYERS for part in layer):
        about = inspect.getdoc(import_module(f"adata_assets.{part}")) or ""
        parts.append(f"| `{part}` | {' '.join(about.partition(chr(10) * 2)[0].split())} |")
    return "\n".join(parts).replace("``", "`") + "\n"


def build_architecture_page() -> str:
    """Return the page of the architecture, which is written by hand but for one picture."""
    page = (FOLDER / "architecture.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(PICTURE_BEGINS)
    _, found, after = rest.partition(PICTURE_ENDS)
    if not found:
        raise ValueError(f"architecture.md has no {PICTURE_BEGINS!r} … {PICTURE_ENDS!r}")
    return before + PICTURE_BEGINS + "\n".join(draw_layers()) + "\n" + PICTURE_ENDS + after


def draw_layers() -> Iterator[str]:
    """Yield the picture of the layers: a box for each line of ``LAYERS``."""
    first_with_dagster = LAYERS.index(("resources",))
    yield from ("```mermaid", "flowchart TD")
    for i, layer in enumerate(LAYERS):
        if i in (0, first_with_dagster):
            yield f'  subgraph {"dagster" if i else "science"}["{"Dagster" if i else "plain Python"}"]'
        yield f'    l{i}["{" · ".join(layer)}"]'
        if i + 1 in (first_with_dagster, len(LAYERS)):
            yield "  end"
    yield from (f"  l{above} --> l{below}" for above, below in pairwise(range(len(LAYERS))))
    yield "```"


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
