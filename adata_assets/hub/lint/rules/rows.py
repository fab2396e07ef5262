"""Rules for rows: ids, texts, negatives and labels (S2, S11 to S13, C4 to C9)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from adata_assets.hub.lint.folder import PublishedFolder
from adata_assets.hub.lint.registry import rule
from adata_assets.schemas.rows import FORMATS_OF_ROWS

_SECRET = r"hf_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY"
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


@rule(
    "columns-fit-the-format", "The columns are those of single, pairs or multiplets (C6, C8, C9)."
)
def _columns(folder: PublishedFolder) -> Iterator[str]:
    format = folder.manifest.get("format")
    for table in folder.splits.values():
        names = folder.schema(table).names
        own = [n for n in names if not re.fullmatch(r"cell_sentence_\d+|sentence_[12]", n)]
        plain = [n for n in own if not re.fullmatch(r"negative_\d+(_idx)?", n)]
        expected = FORMATS_OF_ROWS.get(str(format))
        if expected and plain != list(expected):
            yield f"{table} has {names}, which is not {format}"
        elif expected and format != "multiplets" and own != plain:
            yield f"{table} is {format} but has negatives"


@rule("negatives-are-numbered", "Negatives are 1 to N, all ids or all texts (C7).")
def _numbered(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        found = _negatives(folder, table)
        numbers = [int(re.sub(r"\D", "", name)) for name in found]
        kinds = {name.endswith("_idx") for name in found}
        if numbers != list(range(1, len(found) + 1)) or len(kinds) > 1:
            yield f"{table} has {found}"


@rule("values-are-there", "No value of a row is null (S13, C4, C6).")
def _no_nulls(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        for name, column in _columns_of(folder, table):
            if column.null_count:
                yield f"{table}, {name}: {column.null_count} nulls"


@rule("texts-are-not-empty", "No text of a row is empty (S2).")
def _no_empty(folder: PublishedFolder) -> Iterator[str]:
    for table, name, texts in _texts(folder):
        if n := pc.sum(pc.equal(pc.utf8_trim_whitespace(texts), "")).as_py():
            yield f"{table}, {name}: {n} empty texts"


@rule("texts-have-no-control-characters", "Texts hold no control characters.")
def _no_control(folder: PublishedFolder) -> Iterator[str]:
    yield from _search(folder, _CONTROL, "control characters")


@rule("rows-have-no-secrets", "No row holds a token or a key.")
def _no_secrets(folder: PublishedFolder) -> Iterator[str]:
    yield from _search(folder, _SECRET, "what looks like a secret")


@rule("ids-are-unique", "sample_idx occurs once over all splits, twice in pairs (C4).")
def _unique(folder: PublishedFolder) -> Iterator[str]:
    ids = folder.all_rows("sample_idx")
    if not ids.num_columns or not ids.num_rows:
        return
    expected = 2 if folder.manifest.get("format") == "pairs" else 1
    counted = pc.value_counts(ids["sample_idx"].combine_chunks())
    wrong = counted.filter(pc.not_equal(counted.field("counts"), expected))
    for entry in wrong.slice(0, 3).to_pylist():
        yield f"{entry['values']!r} occurs {entry['counts']} times, expected {expected}"


@rule("ids-have-no-reserved-prefix", "sample_idx never begins with omics: (C4).")
def _prefix(folder: PublishedFolder) -> Iterator[str]:
    ids = folder.all_rows("sample_idx")
    if (
        ids.num_columns
        and (found := ids.filter(pc.starts_with(ids["sample_idx"], "omics:"))).num_rows
    ):
        yield f"{found['sample_idx'][0].as_py()!r} begins with omics:"


@rule("first-sentence-is-the-id", "cell_sentence_1 is the sample id (C5).")
def _first_sentence(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        rows = folder.rows(table, "sample_idx", "cell_sentence_1")
        if rows.num_columns == 2:
            differs = pc.sum(pc.not_equal(rows["sample_idx"], rows["cell_sentence_1"])).as_py()
            if differs:
                yield f"{table}: {differs} rows differ"


@rule("sentences-are-genes", "cell_sentence_2 is genes between single spaces (C5).")
def _genes(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        rows = folder.rows(table, "cell_sentence_2")
        if rows.num_columns:
            fits = pc.match_substring_regex(rows["cell_sentence_2"], r"^(\S+( \S+)*)?$")
            if n := pc.sum(pc.invert(fits)).as_py():
                yield f"{table}: {n} sentences are not genes between single spaces"


@rule("genes-stand-once", "No gene stands twice in a cell sentence (C5, P3).")
def _genes_once(folder: PublishedFolder) -> Iterator[str]:
    for table in folder.splits.values():
        rows = folder.rows(table, "cell_sentence_2")
        for text in rows["cell_sentence_2"].to_pylist() if rows.num_columns else ():
            words = (text or "").split()
            if len(set(words)) < len(words):
                yield f"{table}: {text[:60]!r} repeats a gene"
                break


@rule("negatives-are-in-their-split", "Each negative id is a cell of the same split (C6).")
def _in_split(folder: PublishedFolder) -> Iterator[str]:
    for table, name, rows in _negative_ids(folder):
        outside = pc.invert(pc.is_in(rows[name], value_set=rows["sample_idx"].combine_chunks()))
        found = rows[name].drop_null().filter(outside.filter(rows[name].is_valid()))
        if len(found):
            yield f"{table}, {name}: {found[0].as_py()!r} is not in the split"


@rule("negatives-are-other-cells", "No cell is its own negative (C6).")
def _other_cells(folder: PublishedFolder) -> Iterator[str]:
    for table, name, rows in _negative_ids(folder):
        if n := pc.sum(pc.equal(rows[name], rows["sample_idx"])).as_py():
            yield f"{table}, {name}: {n} cells are their own negative"


@rule(
    "negatives-say-something-else", "A caption negative's caption differs from the anchor's (C6)."
)
def _other_captions(folder: PublishedFolder) -> Iterator[str]:
    for table, name, rows in _negative_ids(folder):
        if "positive" not in rows.column_names:
            continue
        places = pc.index_in(rows[name], value_set=rows["sample_idx"].combine_chunks())
        drawn = rows["positive"].take(places)
        itself = pc.fill_null(pc.equal(rows[name], rows["sample_idx"]), False)
        same = pc.and_(pc.equal(drawn, rows["positive"]), pc.invert(itself))
        if n := pc.sum(same).as_py():
            yield f"{table}, {name}: {n} negatives have the anchor's own caption"


@rule("labels-are-0-or-1", "Labels of pairs are 0.0 or 1.0 (C8).")
def _labels(folder: PublishedFolder) -> Iterator[str]:
    for table, rows in _pairs(folder):
        other = set(rows["label"].drop_null().to_pylist()) - {0.0, 1.0}
        if other:
            yield f"{table} has labels {sorted(other)[:3]}"


@rule("pairs-have-both-labels", "Each cell of pairs has a true and a false text (C8).")
def _both_labels(folder: PublishedFolder) -> Iterator[str]:
    for table, rows in _pairs(folder):
        labels = pc.fill_null(rows["label"], 0.5)
        known = pc.is_in(labels, value_set=pa.array([0.0, 1.0]))
        summed = rows.filter(known).group_by("sample_idx").aggregate([("label", "sum")])
        wrong = summed.filter(pc.not_equal(summed["label_sum"], 1.0))
        if wrong.num_rows and pc.all(known).as_py():
            yield f"{table}: {wrong['sample_idx'][0].as_py()!r} has not one text of each label"


@rule("false-texts-differ", "The false text of a pair is not the true one (C8).")
def _false_texts(folder: PublishedFolder) -> Iterator[str]:
    for table, rows in _pairs(folder):
        texts = rows.group_by("sample_idx").aggregate([("caption", "count_distinct")])
        same = texts.filter(pc.less(texts["caption_count_distinct"], 2))
        if same.num_rows:
            yield f"{table}: {same['sample_idx'][0].as_py()!r} has one text for both labels"


def _negatives(folder: PublishedFolder, table: str) -> list[str]:
    return [name for name in folder.schema(table).names if name.startswith("negative")]


def _negative_ids(folder: PublishedFolder) -> Iterator[tuple[str, str, pa.Table]]:
    for table in folder.splits.values():
        for name in _negatives(folder, table):
            rows = folder.rows(table, "sample_idx", "positive", name)
            if name.endswith("_idx") and "sample_idx" in rows.column_names and rows.num_rows:
                yield table, name, rows


def _pairs(folder: PublishedFolder) -> Iterator[tuple[str, pa.Table]]:
    for table in folder.splits.values():
        rows = folder.rows(table, "sample_idx", "caption", "label")
        if rows.num_columns == 3 and rows.num_rows:
            yield table, rows


def _columns_of(folder: PublishedFolder, table: str) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name in folder.schema(table).names:
        rows = folder.rows(table, name)
        if rows.num_rows:
            yield name, rows[name]


def _texts(folder: PublishedFolder) -> Iterator[tuple[str, str, pa.ChunkedArray]]:
    for table in folder.splits.values():
        for name, column in _columns_of(folder, table):
            if column.type == pa.string():
                yield table, name, column


def _search(folder: PublishedFolder, pattern: str, what: str) -> Iterator[str]:
    for table, name, texts in _texts(folder):
        if n := pc.sum(pc.match_substring_regex(texts, pattern)).as_py():
            yield f"{table}, {name}: {n} values hold {what}"
