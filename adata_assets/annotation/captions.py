"""Plain words about each cell, with the facts that they state.

Belongs here: captions given in the file and captions made from obs. A caption never states what is
not known of the cell itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

import pandas as pd

from adata_assets.annotation.values import clean_values

# Facts of a made caption in the order in which they are said.
FACT_FIELDS = ("cell_type", "tissue", "disease", "sex", "development_stage", "assay")
# No disease is not a fact about a cell that a caption should claim.
UNSTATED = {"disease": frozenset(["normal", "healthy"])}


def make_caption(facts: Mapping[str, str]) -> str | None:
    """Return a sentence that states the facts, or None without any.

    Examples
    --------
    >>> make_caption({"cell_type": "B cell", "tissue": "blood", "assay": "10x 3' v3"})
    "This cell is a B cell from blood, measured with 10x 3' v3."
    """
    if not facts:
        return None
    kind = facts.get("cell_type")
    text = f"This cell is {_article(kind)} {kind}" if kind else "This cell is"
    text += f" from {facts['tissue']}" if "tissue" in facts else ""
    donor = ", ".join(facts[field] for field in ("sex", "development_stage") if field in facts)
    if donor or "disease" in facts:
        text += " of a donor" + (f" ({donor})" if donor else "")
        text += f" with {facts['disease']}" if "disease" in facts else ""
    if "assay" in facts:
        text += ("" if text.endswith(" is") else ",") + f" measured with {facts['assay']}"
    return text + "."


def caption_cells(
    known: pd.DataFrame, given: pd.Series | None, *, make_missing: bool, need_cell_type: bool
) -> pd.DataFrame:
    """Return the caption of every cell with what it states.

    Parameters
    ----------
    known
        One column per field of ``FACT_FIELDS`` that the file has; str or None.
    given
        Captions of the file, or None where it has no such column.
    make_missing
        Whether a cell without a given caption gets one made from what is known of it.
    need_cell_type
        Whether a made caption must state the cell type.

    Returns
    -------
    Columns ``known_facts``, ``caption``, ``caption_facts``, ``caption_id``, ``caption_source``.
    """
    fields = list(known.columns)
    made = _caption_distinct(known, fields, need_cell_type=need_cell_type)
    if given is None:
        return made
    texts = clean_values(given)
    is_given = texts.notna()
    result = made.where(pd.Series(make_missing, index=made.index), None)
    result["known_facts"] = made["known_facts"]
    result.loc[is_given, "caption"] = texts[is_given]
    result.loc[is_given, "caption_facts"] = "{}"
    result.loc[is_given, "caption_id"] = texts[is_given].map(_normalised_id)
    result.loc[is_given, "caption_source"] = "given"
    return result


def _caption_distinct(
    known: pd.DataFrame, fields: list[str], *, need_cell_type: bool
) -> pd.DataFrame:
    columns = ["known_facts", "caption", "caption_facts", "caption_id", "caption_source"]
    values = known[fields].fillna("")
    distinct = values.drop_duplicates()
    rows = [
        _caption_facts(dict(zip(fields, row, strict=True)), need_cell_type)
        for row in distinct.itertuples(index=False, name=None)
    ]
    table = pd.DataFrame(
        rows or [_caption_facts({}, need_cell_type)], columns=columns, dtype=object
    )
    codes = values.groupby(fields, sort=False).ngroup() if fields else pd.Series(0, known.index)
    return table.take(codes.to_numpy()).set_axis(known.index)


def _caption_facts(values: Mapping[str, str], need_cell_type: bool) -> tuple[str | None, ...]:
    facts = {field: value for field, value in values.items() if value}
    stated = {f: v for f, v in facts.items() if v.lower() not in UNSTATED.get(f, ())}
    text = make_caption(stated)
    if text is None or (need_cell_type and "cell_type" not in stated):
        return (_as_json(facts), None, None, None, None)
    return (_as_json(facts), text, _as_json(stated), _hash(_as_json(stated)), "made")


def _normalised_id(text: str) -> str:
    return _hash(" ".join(re.sub(r"[^\w+]+", " ", text.lower()).split()))


def _as_json(facts: Mapping[str, str]) -> str:
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in "aeiou" else "a"
