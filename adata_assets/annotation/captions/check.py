"""Reads captions back and compares what they say with what is known of their cells.

Belongs here: a reader of the templates' plain text that shares no code with the writer. A caption
holds if it can be read as words of its template and values of its own cell, with no letter left
over, and the values that are read are exactly the facts that it is said to state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from adata_assets.annotation.captions.templates import TEMPLATES

# A text of the template, a slot in braces, or one of the two groups.
Token = str | tuple[str, "tuple[Tokens, ...]"]
Tokens = tuple[Token, ...]
Reading = tuple[int, frozenset[str]]
_NOTHING: frozenset[str] = frozenset()
_COLUMNS = ("caption", "caption_template", "caption_facts", "caption_source")


def find_caption_breaches(obs: pd.DataFrame, known: pd.DataFrame) -> list[str]:
    """Name the captions that do not say what is known of their cells.

    Parameters
    ----------
    obs
        Columns ``sample_idx``, ``caption``, ``caption_template``, ``caption_facts`` and
        ``caption_source``, one row per cell.
    known
        What is known of the same cells in the same order: one column per field, str or None.

    Returns
    -------
    One sentence per different breach with its first cell and the number of cells; empty if every
    fact in every made caption is the cell's own.

    Examples
    --------
    >>> obs = pd.DataFrame({"sample_idx": ["c1"], "caption": ["This is a T cell from blood."],
    ...     "caption_template": ["t01"], "caption_facts": ['{"cell_type": "T cell"}'],
    ...     "caption_source": ["made"]})
    >>> find_caption_breaches(obs, pd.DataFrame({"cell_type": ["T cell"], "tissue": ["blood"]}))
    ["cell c1: caption 'This is a T cell from blood.' states tissue, which caption_facts lacks"]
    """
    if len(obs) != len(known):
        return [f"{len(obs)} captions, but facts of {len(known)} cells"]
    columns = [*(obs[name] for name in _COLUMNS), *(known[name] for name in known)]
    first, code = _find_distinct(columns)
    n_cells = np.bincount(code, minlength=len(first))
    breaches = []
    rows = zip(*(column.iloc[first] for column in columns), strict=True)
    for at, n, row in zip(first, n_cells, rows, strict=True):
        caption, template, facts, source, *values = (v if isinstance(v, str) else None for v in row)
        own = {f: v for f, v in zip(known.columns, values, strict=True) if v}
        breach = _find_breach(caption, template, facts, source, own)
        if breach:
            others = f" (and {n - 1} more cells)" if n > 1 else ""
            breaches.append(f"cell {obs['sample_idx'].iloc[at]}{others}: {breach}")
    return breaches


def _find_distinct(columns: Sequence[pd.Series]) -> tuple[np.ndarray, np.ndarray]:
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        codes, values = pd.factorize(column)
        code = pd.factorize(code * (len(values) + 1) + codes + 1)[0]
    return np.unique(code, return_index=True)[1], code


def _find_breach(
    caption: str | None,
    template: str | None,
    facts: str | None,
    source: str | None,
    known: Mapping[str, str],
) -> str | None:
    if source == "made":
        return _find_made_breach(caption, template, facts, known)
    expected = {"given": (True, "{}"), None: (False, None)}.get(source)
    if expected != (caption is not None, facts) or template is not None:
        return (
            f"caption {caption!r} of source {source!r} has the template {template!r} and states "
            f"{facts!r}: only a made caption has a template and facts"
        )
    return None


def _find_made_breach(
    caption: str | None, template: str | None, facts: str | None, known: Mapping[str, str]
) -> str | None:
    if caption is None or facts is None or template not in TEMPLATES:
        return f"made caption {caption!r} has the template {template!r} and states {facts!r}"
    stated = json.loads(facts)
    for field, value in sorted(stated.items()):
        if known.get(field) != value:
            return f"caption {caption!r} states {field} {value!r}, known is {known.get(field)!r}"
    readings = read_caption(caption, template, known)
    if not readings:
        return f"caption {caption!r} is not template {template} with values of its cell {known}"
    if frozenset(stated) in readings:
        return None
    read = min(readings, key=lambda fields: (len(fields ^ stated.keys()), sorted(fields)))
    if more := sorted(read - stated.keys()):
        return f"caption {caption!r} states {', '.join(more)}, which caption_facts lacks"
    return f"caption {caption!r} does not state {', '.join(sorted(stated.keys() - read))}"


def read_caption(caption: str, template: str, known: Mapping[str, str]) -> set[frozenset[str]]:
    """Return which fields a caption states, in every way in which it can be read.

    Parameters
    ----------
    caption
        The text.
    template
        A name in ``TEMPLATES``.
    known
        The values of the cell: the only words that may stand in a slot.

    Returns
    -------
    One set of fields per reading; none if the text is something else. There are several where a
    value contains words of the template or of another value.

    Examples
    --------
    >>> known = {"cell_type": "T", "tissue": "blood", "disease": "flu"}
    >>> [sorted(fields) for fields in read_caption("This is a T cell from blood.", "t01", known)]
    [['cell_type', 'tissue']]
    >>> read_caption("This is a T cell from lung.", "t01", known)
    set()
    """
    found = _read(_split(TEMPLATES[template]), caption, 0, known)
    return {fields for end, fields in found if end == len(caption)}


def _read(tokens: Tokens, text: str, at: int, known: Mapping[str, str]) -> Iterator[Reading]:
    if not tokens:
        yield at, _NOTHING
        return
    for end, fields in _read_token(tokens[0], text, at, known):
        for last, more in _read(tokens[1:], text, end, known):
            yield last, fields | more


def _read_token(token: Token, text: str, at: int, known: Mapping[str, str]) -> Iterator[Reading]:
    if isinstance(token, tuple):
        kind, members = token
        if kind == "[":
            yield at, _NOTHING
            yield from (found for found in _read(members[0], text, at, known) if found[1])
        else:
            yield from _read_items(members[0], members[1:], text, at, known, is_first=True)
        return
    phrases = _phrases(token[1:-1], known) if token.startswith("{") else [(token, _NOTHING)]
    for phrase, fields in phrases:
        if text.startswith(phrase, at):
            yield at + len(phrase), fields


def _read_items(
    separator: Tokens,
    items: tuple[Tokens, ...],
    text: str,
    at: int,
    known: Mapping[str, str],
    *,
    is_first: bool,
) -> Iterator[Reading]:
    if not items:
        yield at, _NOTHING
        return
    yield from _read_items(separator, items[1:], text, at, known, is_first=is_first)
    begin = () if is_first else separator
    for end, fields in _read((*begin, *items[0]), text, at, known):
        if fields:
            for last, more in _read_items(separator, items[1:], text, end, known, is_first=False):
                yield last, fields | more


def _phrases(slot: str, known: Mapping[str, str]) -> list[tuple[str, frozenset[str]]]:
    """What may stand in a slot, and the fields that it then states."""
    name = slot.lower()
    if name in ("kind", "unit", "donor"):
        phrases = {"kind": _kinds, "unit": _units, "donor": _donors}[name](known)
        if slot != name:
            return [(text[0].upper() + text[1:], fields) for text, fields in phrases]
        return phrases
    return [(known[name], frozenset([name]))] if name in known else []


def _units(known: Mapping[str, str]) -> list[tuple[str, frozenset[str]]]:
    if known.get("suspension_type", "").lower() in ("nucleus", "nuclei"):
        return [("nucleus", frozenset(["suspension_type"]))]
    return [("cell", _NOTHING)]


def _kinds(known: Mapping[str, str]) -> list[tuple[str, frozenset[str]]]:
    ((unit, of_unit),) = _units(known)
    phrases = [(f"a {unit}", of_unit)]
    if "cell_type" in known:
        label, fields = known["cell_type"], of_unit | {"cell_type"}
        start = "" if unit == "cell" else "a nucleus of "
        phrases += [
            (f"{start}{article} {label}{noun}", fields)
            for article in ("a", "an")
            for noun in ("", " cell")
        ]
        phrases.append((f"a {unit} of the type {label}", fields))
    return phrases


def _donors(known: Mapping[str, str]) -> list[tuple[str, frozenset[str]]]:
    phrases = [("a donor", _NOTHING)]
    if "sex" in known:
        sexes = (f"{article} {known['sex']} donor" for article in ("a", "an"))
        phrases += [(text, frozenset(["sex"])) for text in sexes]
    return phrases


@cache
def _split(template: str) -> Tokens:
    """The template with each group as ("[", (its parts,)) or ("<", (separator, item, …))."""
    stack: list[tuple[str, list[list[Token]]]] = [("", [[]])]
    for token in re.findall(r"[\[\]<>|]|\{\w+\}|[^\[\]<>|{}]+", template):
        if token in "[<":
            stack.append((token, [[]]))
        elif token in "]>":
            kind, members = stack.pop()
            stack[-1][1][-1].append((kind, tuple(tuple(member) for member in members)))
        elif token == "|":
            stack[-1][1].append([])
        else:
            stack[-1][1][-1].append(token)
    return tuple(stack[0][1][0])
