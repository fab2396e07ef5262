"""What the UI shows of an artefact: sizes, files, ten rows, pictures; all of it small.

Belongs here: the metadata of a materialization, and how much of it is kept. Pictures are drawn in
``pictures``; what else a stage tells is its own matter.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from adata_assets.artefact import Artefact
from adata_assets.hub.markdown import code_span, escape_markdown, table
from adata_assets.share.base.readback import without_queries
from adata_assets.tables import count_rows, read_head

# Every materialization is kept in Dagster's database for ever, and a page loads many of them.
MAX_PICTURE_BYTES = 200_000
MAX_OTHER_BYTES = 16_000
N_PREVIEW_ROWS = 10
# Longer cells break into two lines on the page of a partition.
_MAX_CELL_CHARS, _MAX_VALUES, _MAX_FILES = 40, 4, 30
# Paths are never cut: half of one leads nowhere.
_MAX_PATHS, _MAX_PATH_CHARS = 8, 2_000
_PICTURE = "](data:image/png;base64,"


def describe_artefact(
    artefact: Artefact,
    *,
    tables: Sequence[str],
    pictures: Mapping[str, bytes],
    told: Mapping[str, Any],
) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a materialization: numbers first, then pictures, rows, the rest.

    Parameters
    ----------
    tables
        Files to show ten rows of; the rows of the first are the asset's.
    pictures
        What each shows, in one or two words, and its PNG.
    told
        What the stage says itself; it wins over what is said of every artefact.
    """
    whole: dict[str, Any] = {}
    if tables:
        name = "dagster/partition_row_count" if artefact.partition_key else "dagster/row_count"
        whole[name] = count_rows(artefact.local(tables[0]))
    whole["n_bytes"] = sum(entry["n_bytes"] for entry in artefact.files.values())
    whole |= {name: value for name, value in told.items() if isinstance(value, int | float)}
    whole |= {
        f"picture_{name.replace(' ', '_')}": show(png, name) for name, png in pictures.items()
    }
    for i, file in enumerate(tables):
        stem = file.rpartition("/")[2].partition(".")[0]
        whole["preview" if i == 0 else f"preview_{stem}"] = _preview(artefact, file)
    whole |= told
    whole["files"] = dg.MetadataValue.md(_list_files(artefact))
    whole["folder"] = dg.MetadataValue.path(str(artefact.folder))
    return keep_small(whole | show_paths(_paths_of(artefact)))


def show_paths(paths: Mapping[str, str]) -> dict[str, Any]:
    """Return paths to copy by a click, by the names of the files, and how many more there are.

    A browser opens no file of this machine from a page, so that a link would not help.
    """
    room = _MAX_PATH_CHARS // max(map(len, paths.values()), default=1)
    first = itertools.islice(paths.items(), min(room, _MAX_PATHS))
    shown: dict[str, Any] = {f"path of {name}": dg.MetadataValue.path(path) for name, path in first}
    if len(paths) > len(shown):
        told = f"There are {len(paths) - len(shown)} more files."
        shown["other paths"] = dg.MetadataValue.text(told)
    return shown


def show(png: bytes, what: str) -> dg.MetadataValue:
    """Return a picture as Markdown that holds its own bytes."""
    return dg.MetadataValue.md(f"![{what}{_PICTURE}{base64.b64encode(png).decode()})")


def keep_small(metadata: Mapping[str, Any]) -> dict[str, dg.MetadataValue]:
    """Return the metadata within its limits, and without queries of URLs, which may sign them.

    A picture of more than ``MAX_PICTURE_BYTES`` is left out. When all else is more than
    ``MAX_OTHER_BYTES``, the longest texts are cut to one common length, and say so.
    """
    values = {name: _without_secrets(_normalise(value)) for name, value in metadata.items()}
    pictures = {name: value for name, value in values.items() if _is_picture(value)}
    others = {name: value for name, value in values.items() if name not in pictures}
    sizes = {name: _size_of(name, value) for name, value in others.items()}
    room = MAX_OTHER_BYTES - sum(n for name, n in sizes.items() if not _is_text(others[name]))
    texts = sorted(n for name, n in sizes.items() if _is_text(others[name]))
    limit = _common_length(texts, room)
    kept = {
        name: _cut(name, value, limit) if _is_text(value) and sizes[name] > limit else value
        for name, value in others.items()
    }
    return {
        name: _keep_picture(v) if name in pictures else kept[name] for name, v in values.items()
    }


def _common_length(sizes: Sequence[int], room: int) -> int:
    """The length to which the longest of the sorted sizes are cut so that all fit."""
    for i, size in enumerate(sizes):
        share = max(room, 0) // (len(sizes) - i)
        if size > share:
            return share
        room -= size
    return max(sizes, default=0)


def _cut(name: str, value: dg.MetadataValue, n_bytes: int) -> dg.MetadataValue:
    text = _text_of(value)
    end = f"\n\n… shortened, {len(text)} characters in all"
    kept = text
    while kept and _size_of(name, dg.MetadataValue.md(kept + end)) > n_bytes:
        kept = kept[: min(len(kept) - 1, len(kept) * 9 // 10)]
    # Half a row of a table would not be shown as one.
    kept = kept.rpartition("\n")[0] or kept
    return dg.MetadataValue.md(kept + end)


def _normalise(value: Any) -> dg.MetadataValue:
    if isinstance(value, dg.MetadataValue):
        return value
    if value is None:
        return dg.MetadataValue.null()
    for kind, build in _BUILDERS:
        if isinstance(value, kind):
            return build(value)
    raise TypeError(f"no metadata: {value!r} is a {type(value).__name__}")


_BUILDERS: Sequence[tuple[Any, Any]] = (
    (bool, dg.MetadataValue.bool),
    (int, dg.MetadataValue.int),
    (float, dg.MetadataValue.float),
    (str, dg.MetadataValue.text),
    ((dict, list), dg.MetadataValue.json),
    (dg.TableSchema, dg.MetadataValue.table_schema),
)


def _is_text(value: dg.MetadataValue) -> bool:
    kinds = dg.TextMetadataValue, dg.MarkdownMetadataValue, dg.JsonMetadataValue
    return isinstance(value, kinds)


def _text_of(value: dg.MetadataValue) -> str:
    if isinstance(value, dg.JsonMetadataValue):
        return json.dumps(value.data, ensure_ascii=False, default=str)
    return str(value.value)


def _is_picture(value: dg.MetadataValue) -> bool:
    return isinstance(value, dg.MarkdownMetadataValue) and _PICTURE in str(value.value)


def _keep_picture(value: dg.MetadataValue) -> dg.MetadataValue:
    n_bytes = len(str(value.value))
    if n_bytes <= MAX_PICTURE_BYTES:
        return value
    return dg.MetadataValue.text(f"left out: {n_bytes} bytes, kept are {MAX_PICTURE_BYTES} at most")


def _size_of(name: str, value: Any) -> int:
    return len(name) + len(dg.serialize_value(value))


def _without_secrets(value: dg.MetadataValue) -> dg.MetadataValue:
    if isinstance(value, dg.MarkdownMetadataValue) and not _is_picture(value):
        return dg.MetadataValue.md(without_queries(_text_of(value)))
    if isinstance(value, dg.TextMetadataValue):
        return dg.MetadataValue.text(without_queries(_text_of(value)))
    return value


def _list_files(artefact: Artefact) -> str:
    names = sorted(artefact.files)
    rows = [
        [
            code_span(name),
            artefact.files[name]["sha256"][:12],
            f"{artefact.files[name]['n_bytes']:,}",
        ]
        for name in names[:_MAX_FILES]
    ]
    more = f"\n\nand {len(names) - _MAX_FILES} more" if len(names) > _MAX_FILES else ""
    return table(("file", "sha256", "bytes"), rows) + more


def _paths_of(artefact: Artefact) -> dict[str, str]:
    # A zarr store is opened as a whole, and what lies at the top is what people look for.
    names = {re.sub(r"(?<=\.zarr)/.*", "", name) for name in artefact.files}
    ordered = sorted(names, key=lambda name: (name.count("/"), name))
    return {name: str(artefact.folder / name) for name in ordered}


def _preview(artefact: Artefact, file: str) -> dg.MetadataValue:
    head = read_head(artefact.local(file), N_PREVIEW_ROWS)
    rows = (list(map(_cell, row)) for row in head.itertuples(index=False, name=None))
    return dg.MetadataValue.md(table([code_span(str(name)) for name in head.columns], rows))


def _cell(value: Any) -> str:
    return escape_markdown(_shorten(without_queries(" ".join(_words_of(value)))))


def _words_of(value: Any) -> Iterator[str]:
    if hasattr(value, "__len__") and not isinstance(value, str):
        yield from (f"{one:.3g}" for one in value[:_MAX_VALUES])
        yield f"… {len(value)} values"
    elif isinstance(value, float):
        yield "–" if value != value else f"{value:.4g}"
    else:
        yield from ("–" if value is None else str(value)).split()


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CELL_CHARS else f"{text[: _MAX_CELL_CHARS - 1]}…"
