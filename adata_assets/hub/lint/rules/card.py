"""Rules for the text of the card: what it promises to its reader (S3 to S8, S10, S15)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow.compute as pc

from adata_assets.hub.card import code_blocks, placeholders
from adata_assets.hub.lint.folder import CARD, PublishedFolder
from adata_assets.hub.lint.registry import rule

_SECTIONS = (
    "What a row holds",
    "Example data row",
    "Files behind the links",
    "Splits",
    "Which cells are in it",
    "Limits",
    "Source",
    "Usage",
    "Checksums",
)
_LOCAL_PATH = r"(?<![\w:/.~-])/(?:home|tmp|root|Users|var|mnt|opt|private|scratch)/\w"
_HTML = r"<\s*/?\s*(?:script|iframe|img|style|object|embed|form|a|svg|link)\b"


@rule("card-is-small", "The card is small enough for plain git.")
def _is_small(folder: PublishedFolder) -> Iterator[str]:
    if (
        CARD in folder.files
        and (n := folder.files[CARD].stat().st_size) > folder.limits.plain_git_bytes
    ):
        yield f"{CARD} has {n} bytes, more than {folder.limits.plain_git_bytes}"


@rule("card-is-utf8", "The card is UTF-8.")
def _is_utf8(folder: PublishedFolder) -> Iterator[str]:
    if CARD in folder.files:
        try:
            folder.files[CARD].read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            yield f"byte {error.start} of {CARD} is not UTF-8"


@rule("card-is-filled", "No placeholder of the template is left in the card.")
def _is_filled(folder: PublishedFolder) -> Iterator[str]:
    # Other dollars are data.
    for name in placeholders():
        if f"${name}" in folder.card or f"${{{name}}}" in folder.card:
            yield f"${name} is left in the card"


@rule("card-has-sections", "The card has every section that a reader looks for.")
def _has_sections(folder: PublishedFolder) -> Iterator[str]:
    there = re.findall(r"^## (.+)$", folder.card, flags=re.MULTILINE)
    for section in _SECTIONS if folder.card else ():
        if section not in there:
            yield f"there is no section {section!r}"


@rule("card-has-a-title", "The card begins with one title.")
def _has_title(folder: PublishedFolder) -> Iterator[str]:
    text = "".join(re.split(r"^```.*?^```$", folder.card, flags=re.MULTILINE | re.DOTALL))
    titles = re.findall(r"^# (.+)$", text, flags=re.MULTILINE)
    if folder.card and len(titles) != 1:
        yield f"found {len(titles)} titles"


@rule("card-describes-columns", "The card describes exactly the columns that are there (S3).")
def _describes_columns(folder: PublishedFolder) -> Iterator[str]:
    section = _section(folder, "What a row holds")
    if not section or not folder.splits:
        return
    told = re.findall(r"^- `([^`]+)`:", section, flags=re.MULTILINE)
    found = folder.schema(next(iter(folder.splits.values()))).names
    for name in sorted(set(told) ^ set(found)):
        what = "is described but not there" if name in told else "is not described"
        yield f"column {name} {what}"


@rule("card-tells-the-format", "The card says whether it is single, pairs or multiplets (S3).")
def _tells_format(folder: PublishedFolder) -> Iterator[str]:
    section, format = _section(folder, "What a row holds"), folder.manifest.get("format")
    if section and format and f"**{format}** format" not in section:
        yield f"the rows are {format}, the card does not say so"


@rule("card-tells-sentence-length", "The stated length of the cell sentences holds (S4).")
def _sentence_length(folder: PublishedFolder) -> Iterator[str]:
    told = re.search(r"have a length of (at most )?(\d+) genes", folder.card)
    if told is None:
        if _section(folder, "What a row holds"):
            yield "the card does not tell the length of the cell sentences"
        return
    sentences = folder.all_rows("cell_sentence_2")
    if not sentences.num_columns or not sentences.num_rows:
        return
    lengths = pc.add(pc.count_substring(sentences["cell_sentence_2"], " "), 1)
    low, high = pc.min(lengths).as_py(), pc.max(lengths).as_py()
    if high is not None and (high > int(told[2]) or (not told[1] and low != int(told[2]))):
        yield f"the card says {told[1] or ''}{told[2]} genes, sentences have {low} to {high}"


@rule("card-shows-a-published-row", "The example is the first published row (S6).")
def _example(folder: PublishedFolder) -> Iterator[str]:
    block = re.search(r"^```\n(.*?)^```$", _section(folder, "Example data row"), re.M | re.S)
    if block is None or not folder.splits:
        return
    told = dict(line.split(": ", 1) for line in block[1].splitlines() if ": " in line)
    table = next(iter(folder.splits.values()))
    names = folder.schema(table).names
    if list(told) != names:
        yield f"the example lists {list(told)}, the rows have {names}"
        return
    ids = folder.rows(table, "sample_idx")
    first = ids["sample_idx"][0].as_py() if ids.num_columns and ids.num_rows else None
    if first is not None and told.get("sample_idx") != f'"{first}"':
        yield f"the example is row {told.get('sample_idx')}, the first one is {first!r}"


@rule("card-links-a-published-file", "The example link is one of the rows' links (S7).")
def _example_link(folder: PublishedFolder) -> Iterator[str]:
    told = re.search(r"^An example file: (\S+)$", folder.card, flags=re.MULTILINE)
    links = folder.all_rows("share_link")
    if told and links.num_columns and told[1] not in links["share_link"].to_pylist():
        yield f"{told[1]} is in no row"


@rule("card-loads-its-own-id", "load_dataset in the card names this very dataset (S10).")
def _loads_own_id(folder: PublishedFolder) -> Iterator[str]:
    expected = folder.manifest.get("load_id")
    blocks = code_blocks(folder.card)
    if not blocks or not expected:
        return
    for found in sorted(set(re.findall(r'load_dataset\("([^"]+)"', "\n".join(blocks)))):
        if found != expected:
            yield f'the card loads "{found}", the dataset is "{expected}"'


@rule("card-code-compiles", "Every Python block of the card compiles (S15).")
def _compiles(folder: PublishedFolder) -> Iterator[str]:
    for block in code_blocks(folder.card):
        try:
            compile(block, CARD, "exec")
        except SyntaxError as error:
            yield f"line {error.lineno} of a Python block: {error.msg}"


@rule("card-names-a-split-that-is-there", "The card's code uses a split that there is (S15).")
def _names_split(folder: PublishedFolder) -> Iterator[str]:
    if not folder.splits:
        return
    named = set(re.findall(r'dataset\["(\w+)"\]', "\n".join(code_blocks(folder.card))))
    for split in sorted(named - set(folder.splits)):
        yield f"the card uses split {split!r}; there are {list(folder.splits)}"


@rule("card-has-no-local-path", "No path of the machine that made it is in the card (S10).")
def _no_local_path(folder: PublishedFolder) -> Iterator[str]:
    for found in sorted(set(re.findall(_LOCAL_PATH + r"[^\s`\"')]*", folder.card))):
        yield f"{found} is a path of one machine"


@rule("card-has-no-html", "The card holds no HTML.")
def _no_html(folder: PublishedFolder) -> Iterator[str]:
    text = "".join(re.split(r"^```.*?^```$", folder.card, flags=re.MULTILINE | re.DOTALL))
    for found in sorted(set(re.findall(_HTML, text, flags=re.IGNORECASE))):
        yield f"{found} would be rendered, not shown"


@rule("card-pictures-are-there", "Each picture of the card is a file of the folder.")
def _pictures(folder: PublishedFolder) -> Iterator[str]:
    for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", folder.card):
        if target not in folder.files:
            yield f"{target} is shown but not there"


@rule("card-counts-agree", "The card's table of splits has the published cells.")
def _counts_agree(folder: PublishedFolder) -> Iterator[str]:
    # The first table of the section; another one tells what a probe found.
    tables = re.findall(r"(?:^\|.*\n)+", _section(folder, "Splits"), flags=re.MULTILINE)
    for line in tables[0].splitlines() if tables else ():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        split = cells[0].strip("`")
        if cells[0] != f"`{split}`" or split not in folder.splits:
            continue
        ids = folder.rows(folder.splits[split], "sample_idx")
        n_cells = pc.count_distinct(ids["sample_idx"]).as_py() if ids.num_columns else None
        if n_cells and cells[-1].replace(",", "") != str(n_cells):
            yield f"the card says {cells[-1]} cells of {split}, the rows hold {n_cells}"


@rule("card-ledger-adds-up", "Published cells in the ledger are the cells of the rows.")
def _ledger(folder: PublishedFolder) -> Iterator[str]:
    found = re.findall(
        r"^\|[^|]*\| published \|[^|]*\| ([\d,]+) \|$",
        _section(folder, "Which cells are in it"),
        flags=re.MULTILINE,
    )
    ids = folder.all_rows("sample_idx")
    if not found or not ids.num_columns or not ids.num_rows:
        return
    told = sum(int(number.replace(",", "")) for number in found)
    n_cells = pc.count_distinct(ids["sample_idx"]).as_py()
    if told != n_cells:
        yield f"the ledger says {told} published cells, the rows hold {n_cells}"


@rule("card-checksums-agree", "Each sha256 in the card is that of the file beside it.")
def _checksums(folder: PublishedFolder) -> Iterator[str]:
    files = folder.manifest.get("files", {})
    for name, told in re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|", folder.card, re.M):
        found = files.get(name, {}).get("sha256")
        if found and found != told:
            yield f"{name} has sha256 {found[:12]}…, the card says {told[:12]}…"


@rule("card-cites-works", "The card names works to cite, anndata and scanpy among them (S5).")
def _cites(folder: PublishedFolder) -> Iterator[str]:
    for doi in ("10.1101/2021.12.16.473007", "10.1186/s13059-017-1382-0"):
        if folder.card and doi not in folder.card:
            yield f"{doi} is not cited"


def _section(folder: PublishedFolder, title: str) -> str:
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", folder.card, re.M | re.S)
    return found[1] if found else ""
