"""What the UI shows of an artefact stays small, tells no secret, and says where it was cut."""

from __future__ import annotations

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from adata_assets.artefact import Artefact
from adata_assets.assets.shown import (
    MAX_OTHER_BYTES,
    MAX_PICTURE_BYTES,
    describe_artefact,
    keep_small,
    show,
    show_paths,
)
from adata_assets.tables import write_table

SIGNED = "https://store.example/a.h5ad?X-Amz-Signature=secret"


def size_of(metadata: dict[str, dg.MetadataValue]) -> int:
    """Bytes of what Dagster stores of it, names included."""
    return sum(len(name) + len(dg.serialize_value(value)) for name, value in metadata.items())


def artefact_of(folder, frame: pd.DataFrame, partition_key: str | None = None) -> Artefact:
    path = folder / "table.parquet"
    write_table(frame, path)
    files = {"table.parquet": {"n_bytes": path.stat().st_size, "sha256": "0" * 64}}
    of_whom = {"dataset_id": "cells", "stage": "texts", "partition_key": partition_key}
    versions = {"data_version": "1", "code_version": "1"}
    rest = {"inputs": {}, "generation": {}, "metadata": {}}
    return Artefact(**of_whom, folder=UPath(folder), files=files, **versions, **rest)


def test_what_is_small_stays_as_it_is():
    given = {
        "n_obs": 3,
        "title": "cells",
        "is_new": True,
        "share": 0.5,
        "none": None,
        "of": {"a": 1},
    }
    kept = keep_small(given)
    assert {name: getattr(value, "value", None) for name, value in kept.items()} == given
    assert list(kept) == list(given)


def test_the_longest_texts_are_cut_to_one_length():
    lines = "\n".join(f"| ü{i} | {'x' * 30} |" for i in range(3000))
    given = {"card": dg.MetadataValue.md(lines), "facts": {"a": ["y"] * 9000}, "short": "as it is"}
    kept = keep_small({**given, "n_obs": 7})
    assert size_of(kept) <= MAX_OTHER_BYTES
    assert kept["short"].value == "as it is"
    assert kept["n_obs"].value == 7
    for name in ("card", "facts"):
        assert "… shortened, " in kept[name].value
        assert len(dg.serialize_value(kept[name])) > MAX_OTHER_BYTES / 3
    rows, _, told = kept["card"].value.rpartition("\n\n")
    assert rows.endswith("|"), "a row of a table is whole or not there"
    assert told == f"… shortened, {len(lines)} characters in all"


def test_a_picture_is_kept_whole_or_left_out():
    kept = keep_small({"small": show(b"x" * 1000, "dots"), "large": show(b"x" * 200_000, "dots")})
    assert kept["small"].value.startswith("![dots](data:image/png;base64,")
    assert len(kept["small"].value) <= MAX_PICTURE_BYTES
    assert "left out" in kept["large"].value


def test_queries_of_urls_are_not_shown(tmp_path):
    artefact = artefact_of(tmp_path, pd.DataFrame({"url": [SIGNED]}))
    told = {"text": f"see {SIGNED}", "card": dg.MetadataValue.md(f"[file]({SIGNED})")}
    shown = describe_artefact(artefact, tables=["table.parquet"], pictures={}, told=told)
    assert "secret" not in str(shown)
    assert "https://store.example/a.h5ad" in shown["preview"].value


def test_few_paths_are_shown_and_all_are_counted():
    paths = {f"{i}.h5ad": f"/cells/{i}.h5ad" for i in range(11)}
    shown = show_paths(paths)
    assert {name: value.value for name, value in shown.items()} == {
        **{f"path of {i}.h5ad": f"/cells/{i}.h5ad" for i in range(8)},
        "other paths": "There are 3 more files.",
    }
    assert "other paths" not in show_paths({"a.h5ad": "/cells/a.h5ad"})
    assert show_paths({}) == {}


def test_long_paths_leave_room_for_the_rest():
    shown = show_paths({f"{i}.h5ad": f"/{'x' * 900}/{i}.h5ad" for i in range(5)})
    assert len(shown) == 2 + 1
    assert size_of(shown) < MAX_OTHER_BYTES / 4
    assert shown["other paths"].value == "There are 3 more files."


@pytest.mark.parametrize(
    ("key", "name"), [(None, "dagster/row_count"), ("1", "dagster/partition_row_count")]
)
def test_ten_rows_are_shown_and_all_are_counted(tmp_path, key, name):
    rows = {"cell": [f"<b>_{i}|*\n{'x' * 99}" for i in range(12)], "value": [float("nan")] * 12}
    frame = pd.DataFrame({**rows, "vector": [np.full(9, 1.25)] * 12, "text": [None] * 12})
    shown = describe_artefact(
        artefact_of(tmp_path, frame, key), tables=["table.parquet"], pictures={}, told={"n_obs": 5}
    )
    assert shown[name].value == 12
    assert shown["n_obs"].value == 5
    lines = shown["preview"].value.splitlines()
    assert len(lines) == 2 + 10
    cells = lines[2].replace("\\|", "").split(" | ")
    assert len(cells) == 4
    assert "&lt;b&gt;" in cells[0]
    assert len(cells[0]) < 70
    assert cells[1:] == ["–", "1.25 1.25 1.25 1.25 … 9 values", "– |"]


def test_a_table_without_rows_has_its_header(tmp_path):
    artefact = artefact_of(tmp_path, pd.DataFrame({"cell": pd.Series([], dtype=str)}))
    shown = describe_artefact(artefact, tables=["table.parquet"], pictures={}, told={})
    assert shown["preview"].value == "| `cell` |\n| ---: |"
    assert shown["dagster/row_count"].value == 0
